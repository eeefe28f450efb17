from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, get_args

import pytest
from pydantic_core import PydanticUndefined

from monitord import pki
from monitord.config.faults import ConfigurationError
from monitord.config.later import NOT_YET
from monitord.config.load import load
from monitord.config.schema import MainFile
from monitord.config.section import Section
from monitord.config.times import parse_duration
from tests.docs.documents import ROOT, Block, all_blocks, rows, spans

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pydantic.fields import FieldInfo

PAGE = ROOT / "docs" / "configuration.md"
SIGNING_SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
EXAMPLES = all_blocks("yaml")


def fields_of(section: type[Section], path: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every key that may be in a section or below, by its path in the file."""
    for name, info in section.model_fields.items():
        key = f"{path}{info.alias or name}"
        yield key, info
        for nested in _sections_in(info.annotation):
            yield from fields_of(nested, f"{key}.")


def _sections_in(annotation: Any) -> Iterator[type[Section]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
    for argument in get_args(annotation):
        yield from _sections_in(argument)


FIELDS = dict(fields_of(MainFile))
ROWS = {row[0].strip("`"): row for row in rows(PAGE.read_text("utf-8"), "key") if len(row) == 5}


def test_every_key_is_documented_and_no_other() -> None:
    """The tables have exactly the keys that the file may have."""
    assert set(ROWS) == set(FIELDS)


@pytest.mark.parametrize("key", sorted(FIELDS))
def test_requirement_and_default_are_as_documented(key: str) -> None:
    """A key is required where the page says so, and a default that is a plain value is the program's."""
    default, shown = FIELDS[key].default, ROWS[key][2]
    assert (shown == "required") == (default is PydanticUndefined and FIELDS[key].default_factory is None)
    if isinstance(default, timedelta):
        assert parse_duration(shown.strip("`")) == default
    elif isinstance(default, bool):
        assert shown == f"`{str(default).lower()}`"
    elif isinstance(default, int | str):
        assert shown == f"`{default}`"


@pytest.mark.parametrize("key", sorted(key for key, row in ROWS.items() if re.fullmatch(r"\S+ to \S+", row[3])))
def test_bounds_are_as_documented(key: str, tmp_path: Path) -> None:
    """The least and the greatest value that the page gives are accepted, and what is beyond them is refused."""
    least, most = ROWS[key][3].split(" to ")
    if ROWS[key][1] == "duration":
        steps = [(least, True), (most, True), (f"{most}1ms" if not most.endswith("ms") else most, False)]
        beyond = parse_duration(least) - timedelta(milliseconds=1)
        steps += [(f"{beyond // timedelta(milliseconds=1)}ms", False)] if beyond > timedelta() else []
    elif ROWS[key][1] == "number":
        steps = [(least, True), (most, True), (str(int(least) - 1), False), (str(int(most) + 1), False)]
    else:
        steps = [(least, True), (most, True), ("1.5", False)]
    for value, accepted in steps:
        assert _accepts(tmp_path, key, value) == accepted, value


def test_what_is_refused_as_not_in_this_version_is_listed() -> None:
    """The list of keys and values of later versions is complete, and has none that works."""
    section = PAGE.read_text("utf-8").split("<!-- refused -->")[1].split("<!-- /refused -->")[0]
    listed = set()
    for keys, values in rows(section, "key"):
        for key in spans(keys):
            listed |= {f"{key}={value}" for value in spans(values)} or {key}
    assert listed == NOT_YET


@pytest.mark.parametrize("block", EXAMPLES, ids=lambda block: f"{block.document}-{block.text.splitlines()[0]}")
def test_examples_load(block: Block, tmp_path: Path) -> None:
    """Every example of the configuration is accepted as it is, given the files that it names."""
    main = _surroundings(tmp_path)
    if block.text.startswith("-"):
        (tmp_path / "included.yaml").write_text(block.text, "utf-8")
        main.write_text('include: ["included.yaml"]\n', "utf-8")
    else:
        main.write_text(block.text, "utf-8")
    load(main, environment={})


def test_the_readme_s_file_loads(tmp_path: Path) -> None:
    """What the README writes to monitord.yaml in the shell is accepted."""
    (written,) = re.findall(r"<<'END'\n(.*?)^END$", (ROOT / "README.md").read_text("utf-8"), re.DOTALL | re.MULTILINE)
    main = _surroundings(tmp_path)
    main.write_text(written, "utf-8")
    assert load(main, environment={}).receivers


def _surroundings(directory: Path) -> Path:
    """The main file to be written, beside the files that examples name."""
    (directory / "smtp-password").write_text("a password\n")
    (directory / "webhook-secret").write_text(f"{SIGNING_SECRET}\n")
    (directory / "proxy-password").write_text("a password\n")
    (directory / "pagerduty-key").write_text("a key\n")
    (directory / "mattermost.json.j2").write_text("{}\n")
    client = pki.issue("client", ca=False)
    (directory / "client.pem").write_bytes(client.pem)
    (directory / "client-key.pem").write_bytes(client.key_pem)
    (directory / "trust").mkdir()
    (directory / "trust" / "old-android.pem").write_bytes(pki.issue("Old Root").pem)
    return directory / "monitord.yaml"


def _accepts(directory: Path, key: str, value: str) -> bool:
    """Whether a file in which nothing but this key is of interest is accepted with this value."""
    pin = "sha256/YLh1dUR9y6Kja30RrAn7JKnbQG/uEtLMkBgFF2Fuihg="
    wrappers = {
        "domains.pinsets.": f"domains: [{{host: a.example, pinsets: [{{name: a, pins: ['{pin}'], %s}}]}}]",
        "domains.": "domains: [{host: a.example, %s}]",
        "receivers.email.smtp.": (
            "receivers: [{name: a, email: {to: [a@a.example], from: a@a.example, smtp: {host: a.example, %s}}}]"
        ),
        "receivers.rate.": "receivers: [{name: a, webhook: {url: 'https://a.example'}, rate: {%s}}]",
        "receivers.email.": (
            "receivers: [{name: a, email: {to: [a@a.example], from: a@a.example, smtp: {host: a.example}, %s}}]"
        ),
        "receivers.webhook.": "receivers: [{name: a, webhook: {url: 'https://a.example', %s}}]",
        "alerts.": "alerts: {%s}",
        "heartbeat.": "heartbeat: {url: 'https://a.example', %s}",
        "discovery.pinsets.": f"discovery: {{pinsets: [{{name: a, pins: ['{pin}'], %s}}]}}",
        "discovery.": "discovery: {%s}",
        "probing.": "probing: {%s}",
        "signals.ct.search.": "signals: {ct: {search: {%s}}}",
        "signals.ct.": "signals: {ct: {%s}}",
        "signals.crl.": "signals: {crl: {%s}}",
        "signals.dns.": "signals: {dns: {%s}}",
        "": "%s",
    }
    prefix = next(prefix for prefix in wrappers if key.startswith(prefix))
    path = directory / "monitord.yaml"
    path.write_text(wrappers[prefix] % f"{key.rpartition('.')[2]}: {value}", "utf-8")
    try:
        load(path, environment={})
    except ConfigurationError:
        return False
    return True
