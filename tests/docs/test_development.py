from __future__ import annotations

import pkgutil
import re

import monitord
from tests.docs.documents import ROOT, rows, spans

TEXT = (ROOT / "docs" / "development.md").read_text("utf-8")


def test_every_room_is_described_and_no_other() -> None:
    """The table of rooms is that of the package."""
    rooms = {module.name for module in pkgutil.iter_modules(monitord.__path__)} - {"__about__", "__main__"}
    assert {spans(row[1])[0] for row in rows(TEXT, "floor")} == rooms


def test_every_target_is_described_and_no_other() -> None:
    """The table of make targets is that of the Makefile, but for the list itself."""
    targets = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)) - {"help"}
    assert {spans(row[0])[0].removeprefix("make ") for row in rows(TEXT, "target")} == targets
