"""What follows from the program and its documents is as they are now."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import Any

import click
import pytest

from generate.files import ROOT, generated
from generate.roff import inline, page
from monitord.cli.main import command_line
from monitord.config.jsonschema import shipped_schema
from tests.config.test_example import EXAMPLE

FILES = generated()
SCHEMA: dict[str, Any] = json.loads(FILES["monitord/config/monitord.schema.json"])


@pytest.mark.parametrize("name", FILES)
def test_nothing_has_drifted(name: str) -> None:
    """`make generate` would write the file as it is."""
    # What is part of the package is where that is installed, which need not be the checkout.
    written = shipped_schema() if name.startswith("monitord/") else (ROOT / name).read_text("utf-8")
    assert written == FILES[name]


def test_the_manual_has_every_command_and_key() -> None:
    """Whatever can be called and written has an entry."""
    page_1 = FILES["man/monitord.1"].replace("\\-", "-")
    for name in command_line.list_commands(click.Context(command_line)):
        assert re.search(rf"^\.SS monitord {name}\b", page_1, re.MULTILINE), name
    page_5 = FILES["man/monitord.yaml.5"].replace("\\-", "-")
    for key in ("interval", "domains.pinsets.client", "receivers.email.smtp.host", "discovery.http_sd.url"):
        assert f".TP\n\\fB{key}\\fR\n" in page_5


def test_markdown_becomes_roff() -> None:
    """Marks, lists, tables and code; no line of text is taken for a command, and backslashes stay."""
    assert inline("a `--flag` of [this](that.md), **strong** and *weak*") == (
        r"a \fB\-\-flag\fR of this, \fBstrong\fR and \fIweak\fR"
    )
    assert inline(".hidden") == r"\&.hidden"
    assert page("## A title\n\nText\nover lines.\n\n- one\n- two\n") == (
        ".SH A TITLE\n.PP\nText over lines.\n.IP \\(bu 2\none\n.IP \\(bu 2\ntwo\n"
    )
    assert page("| key | type | meaning |\n|---|---|---|\n| `a` | text | what \\| it is |\n") == (
        ".TP\n\\fBa\\fR\ntype: text\n.br\nwhat | it is\n"
    )
    assert page("```sh\n.a \\b\n```\n") == ".PP\n.RS 4\n.nf\n\\&.a \\eb\n.fi\n.RE\n"


def test_the_schema_is_printed_and_lies_beside_the_example() -> None:
    """Three ways to the same text."""
    assert (EXAMPLE / "monitord.schema.json").read_text("utf-8") == shipped_schema()
    assert "# yaml-language-server: $schema=monitord.schema.json" in (EXAMPLE / "monitord.yaml").read_text("utf-8")


def test_every_key_has_its_meaning() -> None:
    """An editor says of each what the page says."""
    missing = [
        f"{name}.{key}"
        for name, section in {"": SCHEMA, **SCHEMA["$defs"]}.items()
        for key, described in section["properties"].items()
        if not described.get("description")
    ]
    assert missing == []


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        (("properties", "interval", "default"), "15m"),
        (("properties", "confirm", "maximum"), 10),
        (("additionalProperties",), False),
        (("$defs", "DomainEntry", "required"), ["host"]),
        (("$defs", "PinSetEntry", "properties", "client", "enum", 1), "okhttp"),
        (("$defs", "DomainEntry", "properties", "port", "default"), 443),
        (("$defs", "DomainEntry", "properties", "trust", "anyOf", 0, "type"), "string"),
        (("$defs", "DiscoveryEntry", "properties", "http_sd", "items", "anyOf", 0), {"type": "string"}),
    ],
)
def test_the_schema_says_what_the_program_takes(path: tuple[Any, ...], shape: Any) -> None:
    """Defaults, bounds, closed lists and alternatives, as they stand in the file."""
    found: Any = SCHEMA
    for step in path:
        found = found[step]
    assert found == shape


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("monitord che", {"check", "check-config"}),
        ("monitord check --all", {"--all-clients"}),
        ("monitord trust ", {"list", "show", "diff"}),
    ],
)
def test_the_program_completes(words: str, expected: set[str]) -> None:
    """What a shell asks by the script of the completion is answered, and nothing else is done."""
    environment = {
        **os.environ,
        "_MONITORD_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
    }
    run = subprocess.run(
        [sys.executable, "-m", "monitord"], env=environment, capture_output=True, text=True, check=True
    )
    assert {line.partition(",")[2] for line in run.stdout.splitlines()} == expected


@pytest.mark.system
@pytest.mark.parametrize(
    ("command", "file"),
    [
        (["/usr/bin/bash", "-n"], "completions/monitord.bash"),
        (["/usr/bin/zsh", "-n"], "completions/_monitord"),
        (["/usr/bin/fish", "--no-execute"], "completions/monitord.fish"),
        (["/usr/bin/mandoc", "-T", "lint", "-W", "error"], "man/monitord.1"),
        (["/usr/bin/mandoc", "-T", "lint", "-W", "error"], "man/monitord.yaml.5"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_their_readers_find_no_fault(command: list[str], file: str) -> None:
    """Each shell parses its completion, and mandoc the manual."""
    run = subprocess.run([*command, ROOT / file], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout + run.stderr) == (0, "")
