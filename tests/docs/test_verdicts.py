from __future__ import annotations

from monitord.config.later import NOT_YET
from monitord.pinning.observation import FailureReason
from monitord.pinning.pins import Client
from monitord.pinning.verdict import Verdict
from tests.docs.documents import ROOT, rows, spans
from tests.pinning.test_limbo import DEVIATIONS

TEXT = (ROOT / "docs" / "verdicts.md").read_text("utf-8")


def test_the_verdicts_are_listed_worst_first() -> None:
    """All six, in the order of their badness, with whether apps connect."""
    table = rows(TEXT, "verdict")
    assert [spans(row[0]) for row in table] == [[verdict.value] for verdict in Verdict]
    assert [row[2] == "no" for row in table] == [verdict.apps_fail for verdict in Verdict]


def test_the_deviations_from_limbo_are_those_of_the_tests() -> None:
    """The table has each deviation with its reason, and no other."""
    assert {spans(case)[0]: reason for case, reason in rows(TEXT, "case")} == DEVIATIONS


def test_every_reason_of_a_failed_probe_is_named() -> None:
    """The closed list is given in full."""
    section = TEXT.split("## What is observed")[1].split("\n## ")[0]
    assert set(FailureReason) <= set(spans(section))


def test_the_clients_are_those_of_the_program() -> None:
    """Each client that the configuration accepts has its row, in the order in which errors list them."""
    table = rows((ROOT / "docs" / "clients.md").read_text("utf-8"), "`client:`")
    accepted = [client.value for client in Client if f"domains.pinsets.client={client}" not in NOT_YET]
    assert [spans(row[0])[0] for row in table] == accepted
