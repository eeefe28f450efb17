from __future__ import annotations

import re
import subprocess

import pytest

from monitord.config.document import read_document
from tests.docs.documents import ROOT, prose
from tests.prometheus.expressions import LABELS, selectors, unknown_in

DIRECTORY = ROOT / "config" / "prometheus"
FILES = sorted(DIRECTORY.glob("*.rules.yml"))
TESTS = sorted(DIRECTORY.glob("*.test.yml"))
GUIDE = ROOT / "docs" / "prometheus.md"
RULES = [rule for file in FILES for group in read_document(file).root["groups"] for rule in group["rules"]]
ALERTS = [rule for rule in RULES if "alert" in rule]
RECORDED = [rule for rule in RULES if "record" in rule]


def _name(rule: dict[str, str]) -> str:
    return rule.get("alert") or rule["record"]


def test_the_files_are_there() -> None:
    """Rules and their tests lie side by side, under names that say which is which."""
    assert [file.name for file in (*FILES, *TESTS)] == [
        "alerting.rules.yml",
        "recording.rules.yml",
        "alerting.test.yml",
        "recording.test.yml",
    ]


@pytest.mark.parametrize("rule", RULES, ids=_name)
def test_every_metric_and_label_in_a_rule_exists(rule: dict[str, str]) -> None:
    """A rule on a metric that is not exposed would be silent for ever."""
    assert unknown_in(rule["expr"]) == set()
    assert selectors(rule["expr"]) or _name(rule) == "MonitordDown"


def test_the_search_for_what_does_not_exist_finds_it() -> None:
    """A wrong metric, a wrong label of a right one, and a wrong label to group by."""
    assert unknown_in('monitord_pin_mach{host="a"} == 0') == {"monitord_pin_mach"}
    assert unknown_in('monitord_pin_match{team="a"}') == {"monitord_pin_match{team}"}
    assert unknown_in("sum by (cause) (monitord_pin_match)") == {"cause"}
    assert unknown_in("rate(monitord_probe_lag_seconds_bucket[5m])") == set()


@pytest.mark.parametrize("rule", ALERTS, ids=_name)
def test_an_alert_says_what_happened_and_what_to_do(rule: dict[str, dict[str, str]]) -> None:
    """It has a severity, a summary, a description, and a section of the guide that exists."""
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert set(rule["annotations"]) == {"summary", "description", "runbook"}
    assert "for" in rule
    name = str(rule["alert"])
    assert rule["annotations"]["runbook"] == f"docs/prometheus.md#{name.lower()}"
    assert re.search(rf"^### {name}$", prose(GUIDE), re.MULTILINE)
    for text in rule["annotations"].values():
        used = set(re.findall(r"\$labels\.(\w+)", text))
        labels = set().union(*(LABELS[metric] for metric, _ in selectors(str(rule["expr"]))))
        assert used <= labels


def test_the_guide_has_no_alert_that_is_gone() -> None:
    """Its sections about alerts are those of the rules, in their order."""
    assert re.findall(r"^### (Monitord\w+)$", prose(GUIDE), re.MULTILINE) == [rule["alert"] for rule in ALERTS]


def test_every_rule_has_a_unit_test() -> None:
    """Each alert is expected to fire somewhere, and each recorded series is asked for."""
    tested = {file.name: file.read_text("utf-8") for file in TESTS}
    missing = [rule["alert"] for rule in ALERTS if f'alertname="{rule["alert"]}"' not in tested["alerting.test.yml"]]
    missing += [rule["record"] for rule in RECORDED if f"expr: {rule['record']}" not in tested["recording.test.yml"]]
    assert missing == ["MonitordPinMismatch"]  # tested with its whole text
    assert "alertname: MonitordPinMismatch" in tested["alerting.test.yml"]


@pytest.mark.system
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_prometheus_accepts_the_rules(file: object) -> None:
    """As its own tool says."""
    run = subprocess.run(
        ["/usr/bin/promtool", "check", "rules", str(file)], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.system
@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.name)
def test_the_rules_pass_their_unit_tests(file: object) -> None:
    """Each alert fires where it must, and no other with it."""
    run = subprocess.run(["/usr/bin/promtool", "test", "rules", str(file)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
