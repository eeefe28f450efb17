from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from monitord.metrics.families import COUNTERS, GAUGES, LAG, PREFIX
from monitord.notify.fault import DeliveryFault
from monitord.pinning.observation import FailureReason
from monitord.pinning.prediction import Cause
from tests.docs.documents import ROOT, blocks, rows, spans

if TYPE_CHECKING:
    from pathlib import Path

PAGE = ROOT / "docs" / "metrics.md"
TEXT = PAGE.read_text("utf-8")


def test_every_metric_is_documented_and_no_other() -> None:
    """Names, types and labels are those that are exposed."""
    exposed = {PREFIX + family.name: ("gauge", set(family.labels)) for family in GAUGES}
    exposed |= {f"{PREFIX}{family.name}_total": ("counter", set(family.labels)) for family in COUNTERS}
    exposed[PREFIX + LAG.name] = ("histogram", set(LAG.labels))
    documented = {spans(row[0])[0]: (row[1], set(spans(row[2]))) for row in rows(TEXT, "metric")}
    assert documented == exposed


@pytest.mark.parametrize(
    ("label", "metric", "reasons"),
    [
        ("reason", "monitord_probe_failures_total", list(FailureReason)),
        ("reason", "monitord_notifications_failed_total", list(DeliveryFault)),
        ("cause", "monitord_pin_predicted_failure_timestamp_seconds", list(Cause)),
    ],
)
def test_the_lists_of_reasons_are_complete(label: str, metric: str, reasons: list[str]) -> None:
    """Each closed list is given in full, in its order."""
    sentence = TEXT.split(f"`{label}` of `{metric}` is one of ")[1].split(".\n")[0]
    assert spans(sentence) == [str(reason) for reason in reasons]


def test_expressions_use_metrics_that_exist() -> None:
    """An expression to alert on names only documented metrics."""
    known = {spans(row[0])[0] for row in rows(TEXT, "metric")}
    expressions = blocks(PAGE, "promql")
    assert expressions
    for block in expressions:
        words = block.text.replace("(", " ").replace("{", " ").replace(")", " ").split()
        assert {word for word in words if word.startswith(PREFIX)} <= known


@pytest.mark.system
def test_prometheus_reads_the_expressions(tmp_path: Path) -> None:
    """Each expression is one that an alerting rule may have."""
    path = tmp_path / "rules.yml"
    lines = ["groups:", "  - name: documented", "    rules:"]
    for number, block in enumerate(blocks(PAGE, "promql")):
        lines += [f"      - alert: Documented{number}", "        expr: |-", f"          {block.text.strip()}"]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    run = subprocess.run(["/usr/bin/promtool", "check", "rules", path], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
