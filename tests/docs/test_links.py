from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.docs.documents import DOCUMENTS, prose

_LINK = re.compile(r"\]\((?P<path>[^)#:]*)(?:#(?P<section>[^)]+))?\)")
_HEADING = re.compile(r"^#+ (?P<title>.+)$", re.MULTILINE)
# The licence is no part of what the wheel is tested with.
_ELSEWHERE = {"LICENSE"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    """Each relative link names a file, and a heading in it if it names a section."""
    links = [(m["path"], m["section"]) for m in _LINK.finditer(prose(document)) if m["path"] not in _ELSEWHERE]
    for path, section in links:
        target = document.parent / path if path else document
        assert target.exists(), path
        if section:
            assert section in _anchors(target), f"{path}#{section}"


def test_every_document_is_found_from_the_readme() -> None:
    """Nobody has to guess file names: each page is linked from the README or from a page that is."""
    reached, waiting = set(), [DOCUMENTS[0]]
    while waiting:
        document = waiting.pop()
        if document not in reached:
            reached.add(document)
            linked = [
                Path(os.path.normpath(document.parent / m["path"]))
                for m in _LINK.finditer(prose(document))
                if m["path"]
            ]
            waiting += [path for path in linked if path in DOCUMENTS]
    assert reached == set(DOCUMENTS)


def _anchors(document: Path) -> set[str]:
    """What GitHub makes of the headings."""
    titles = [m["title"].lower() for m in _HEADING.finditer(prose(document))]
    return {re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in titles}
