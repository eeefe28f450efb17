"""The page on distrust shows the rules that are shipped, and a file that loads."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from monitord.config.distrust import load_distrust
from monitord.config.signals import Programme
from monitord.pinning.report import timestamp
from tests.docs.documents import ROOT, blocks, rows, spans

if TYPE_CHECKING:
    from pathlib import Path

PAGE = ROOT / "docs" / "distrust.md"


def test_the_table_is_that_of_the_shipped_rules() -> None:
    """Every date of every programme, with the number of roots."""
    shown = {(spans(row[0])[0], row[1]): int(row[2]) for row in rows(PAGE.read_text("utf-8"), "programme")}
    shipped = Counter(
        (programme.value, timestamp(rule.not_before_after))
        for programme, rules in load_distrust().items()
        for rule in rules.values()
    )
    assert shown == shipped


def test_the_example_loads(tmp_path: Path) -> None:
    """The file of one's own, as it stands on the page."""
    (block,) = blocks(PAGE, "yaml distrust")
    path = tmp_path / "rules.yaml"
    path.write_text(block.text)
    assert len(load_distrust(path)[Programme.APPLE]) == 1
