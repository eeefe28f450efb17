from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from monitord.cli.main import run
from monitord.pinning.pins import Client
from monitord.replay import events, pinsets, reading
from tests.docs.documents import ROOT, Block, blocks, rows, spans

if TYPE_CHECKING:
    from pathlib import Path

PAGE = ROOT / "docs" / "stories.md"
(EXAMPLE,) = (block for block in blocks(PAGE, "text") if block.text.startswith("name: "))
LINES = blocks(PAGE, "json")


def played(path: Path, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """What ``replay --json`` prints of the example."""
    path.write_text(EXAMPLE.text, "utf-8")
    assert run(["replay", str(path), "--json"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return [json.loads(line) for line in out.splitlines()]


@pytest.mark.parametrize("block", LINES, ids=["transition", "pin set"])
def test_the_lines_shown_are_those_of_the_example(
    block: Block, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is shown is what is printed; there a sentence is cut, and the confidence may differ a little."""
    lines = played(tmp_path / "renewal.yaml", capsys)
    shown = json.loads(block.text)
    (line,) = (one for one in lines if one.keys() == shown.keys() and one.get("state") in (None, "firing")
               and one.get("kind") in (None, "pin_mismatch_predicted"))  # fmt: skip
    if "summary" in shown:
        assert line["summary"].startswith(shown.pop("summary").removesuffix("…"))
        del line["summary"]
    if "confidence" in shown:
        assert line["confidence"] == pytest.approx(shown.pop("confidence"), abs=0.05)
        del line["confidence"]
    assert line == shown


def tables() -> list[set[str]]:
    """The keys that each table of keys on the page explains, in the order of the page."""
    return [
        {span.partition(":")[0] for row in rows(section, "key") for span in spans(row[0])}
        for section in PAGE.read_text("utf-8").split("\n## Keys of a story")[1].split("\n### ")
    ]


def test_every_key_is_explained_and_no_other() -> None:
    """Of a story, a certificate, an event and an expectation."""
    story, certificate, _, event, expectation = tables()
    assert story == set(reading.KEYS)
    assert certificate == set(reading.CERTIFICATE_KEYS)
    assert event == set(events.ACTIONS)
    assert expectation == set(reading.EXPECT_KEYS)


def test_the_keys_of_pin_sets_are_named() -> None:
    """They are those of monitord.yaml, and their list is complete."""
    section = PAGE.read_text("utf-8").split("### Pin sets")[1].split("###")[0]
    assert set(pinsets.KEYS) <= set(spans(section))
    assert Client.CERTIFICATE.value in spans(section)
