"""What another implementation of JSON Schema makes of the schema: examples are good, slips of the pen are not."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from generate.files import ROOT
from monitord.config.document import parse_document
from tests.config.test_example import EXAMPLE
from tests.docs.documents import all_blocks

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.system

BAD = ROOT / "tests" / "config" / "testdata" / "bad"
# Their faults are of a kind that a schema can see.
_SLIPS = ("key-unknown", "key-unknown-top", "key-missing", "type-list", "type-mapping", "number-bounds", "smtp-tls")
_PROGRAM = """
import json, sys
import jsonschema
schema, documents = json.load(sys.stdin)
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
print(json.dumps([[error.message for error in validator.iter_errors(document)] for document in documents]))
"""


def faults(documents: list[Any]) -> list[list[str]]:
    """The faults that Debian's jsonschema finds in each document."""
    schema = json.loads((ROOT / "monitord" / "config" / "monitord.schema.json").read_text("utf-8"))
    run = subprocess.run(
        ["/usr/bin/python3", "-c", _PROGRAM],
        input=json.dumps([schema, documents]),
        capture_output=True,
        text=True,
        check=True,
    )
    found: list[list[str]] = json.loads(run.stdout)
    return found


def data(path: Path, text: str) -> Any:
    """What the program reads in a file."""
    document = parse_document(path, text.encode())
    assert document.faults == ()
    return document.root


def test_every_example_is_good() -> None:
    """The annotated one, and those of all pages."""
    texts = [block.text for block in all_blocks("yaml") if not block.text.startswith("-")]
    texts.append((EXAMPLE / "monitord.yaml").read_text("utf-8"))
    documents = [data(EXAMPLE / "monitord.yaml", text) for text in texts]
    assert faults(documents) == [[] for _ in documents]


def test_slips_of_the_pen_are_seen() -> None:
    """Unknown and missing keys, wrong kinds, values out of bounds or of no closed list."""
    documents = [data(BAD / f"{name}.yaml", (BAD / f"{name}.yaml").read_text("utf-8")) for name in _SLIPS]
    assert all(faults(documents))
