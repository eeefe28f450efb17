"""Grafana's dashboard: a plain file that is imported as it is."""

from __future__ import annotations

import json
import re
import subprocess
from itertools import combinations
from typing import TYPE_CHECKING, Any

import pytest

from tests.docs.documents import ROOT
from tests.prometheus.expressions import selectors, unknown_in

if TYPE_CHECKING:
    from pathlib import Path

BOARD: dict[str, Any] = json.loads((ROOT / "config" / "grafana" / "monitord.json").read_text("utf-8"))
PANELS: list[dict[str, Any]] = BOARD["panels"]
EXPRESSIONS = [(panel["title"], target["expr"]) for panel in PANELS for target in panel.get("targets", ())]
VARIABLES = {variable["name"]: variable for variable in BOARD["templating"]["list"]}
# A label that users may have given their endpoints; where it is missing the column stays empty.
_USERS_OWN = {"team"}


@pytest.mark.parametrize(("title", "expression"), EXPRESSIONS)
def test_every_metric_and_label_of_a_panel_exists(title: str, expression: str) -> None:
    """A panel on a metric that is not exposed would stay empty."""
    assert selectors(expression), title
    assert unknown_in(expression) - _USERS_OWN == set()


def test_the_variables_are_those_that_are_used() -> None:
    """Each variable is used by some panel, each that is used exists, and they ask for metrics that exist."""
    used = set(re.findall(r"\$\{?([a-z]+)\b", json.dumps(PANELS)))
    assert used == set(VARIABLES)
    for name in ("job", "host"):
        query = VARIABLES[name]["definition"]
        metric = re.findall(r"\((monitord_\w+)", query)
        assert unknown_in(metric[0]) == set()


def test_panels_do_not_overlap_and_say_what_they_show() -> None:
    """Each has an id, a title and a place of its own on the grid, and a description unless it is a row."""
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    assert len({panel["title"] for panel in PANELS}) == len(PANELS)
    assert all(panel["description"] for panel in PANELS if panel["type"] != "row")
    for one, other in combinations([panel["gridPos"] for panel in PANELS], 2):
        apart = (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
        assert apart, (one, other)
        assert one["x"] + one["w"] <= 24


def test_it_has_the_three_parts_and_the_daemon_s_own() -> None:
    """The fleet, the forecast, one endpoint, and monitord itself."""
    rows = [panel["title"] for panel in PANELS if panel["type"] == "row"]
    assert rows == ["Fleet", "Forecast", "One endpoint: $host", "monitord itself"]


def test_it_is_tied_to_no_data_source() -> None:
    """Whoever imports it chooses theirs."""
    sources = {json.dumps(panel["datasource"]) for panel in PANELS if panel["type"] != "row"}
    assert sources == {json.dumps({"type": "prometheus", "uid": "${datasource}"})}
    assert "__inputs" not in BOARD


@pytest.mark.system
def test_prometheus_reads_every_expression(tmp_path: Path) -> None:
    """With the variables replaced as Grafana replaces them."""
    rules = [
        {"record": f"panel:{number}", "expr": _replaced(expression)}
        for number, (_, expression) in enumerate(EXPRESSIONS)
    ]
    path = tmp_path / "rules.yml"
    path.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}), "utf-8")
    run = subprocess.run(["/usr/bin/promtool", "check", "rules", path], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def _replaced(expression: str) -> str:
    return expression.replace("$__rate_interval", "5m").replace("$job", ".*").replace("$host", ".*")
