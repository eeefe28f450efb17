from __future__ import annotations

import re
from pathlib import Path

import pytest

from monitord.config.faults import ConfigurationError
from monitord.config.hookplace import HookPlace, read_hook_place
from monitord.config.load import load
from monitord.config.storeurl import store_file


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A configuration file that is not written yet."""
    return tmp_path / "monitord.yaml"


@pytest.mark.parametrize(
    "text",
    [
        "interval: 15m\n",
        "store: sqlite:////srv/monitord/monitord.db\n",
        "store: sqlite:///state/monitord.db\n",
        "store: sqlite:///${PLACE}/monitord.db\n",
        "signals: {ct: {hook: false}}\n",
        "signals: {ct: {spool: /var/spool/monitord}}\n",
        "signals: {ct: {spool: spool}}\n",
        "signals: {ct: {spool: '${PLACE}/spool'}}\n",
    ],
)
@pytest.mark.parametrize("state", [{}, {"STATE_DIRECTORY": "/var/lib/other:/var/lib/more"}])
def test_it_is_what_the_whole_configuration_says(file: Path, text: str, state: dict[str, str]) -> None:
    """The daemon must look where the hook writes."""
    file.write_text(text)
    environment = state | {"PLACE": "/somewhere"}
    whole = load(file, environment=environment)
    ct = whole.signals.ct
    assert read_hook_place(file, environment) == HookPlace(ct.hook, ct.spool, store_file(whole.store))


def test_what_is_wrong_elsewhere_is_no_matter(file: Path) -> None:
    """A secret that cannot be read, a key that is not known, a domain without host: the daemon goes on as it was."""
    file.write_text(
        "nonsense: 5\n"
        "interval: 0\n"
        "domains: [{port: 1}]\n"
        "receivers: [{name: x, webhook: {url: 'https://x.test', secret_file: /nowhere}}]\n"
        "store: sqlite:////srv/monitord.db\n"
        "signals: {ct: {search: {token_file: /nowhere}, logs: 5}, dns: 5}\n"
    )
    assert read_hook_place(file, {}) == HookPlace(enabled=True, spool=None, store=Path("/srv/monitord.db"))


def test_a_pipe_is_read(file: Path) -> None:
    """As the other commands read one."""
    file.write_text("store: sqlite:////srv/monitord.db\n")
    with file.open() as opened:
        assert read_hook_place(Path(f"/dev/fd/{opened.fileno()}"), {}).store == Path("/srv/monitord.db")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "1: the file is empty; remove it, or write what it is for"),
        ("- a\n", "1: the file is not a mapping of keys such as interval: and domains:"),
        ("interval: [\n", "2: not valid YAML"),
        ("interval: 15m\nstore: postgresql://db/x\n", "2: the store is no SQLite file, which a spool could lie beside"),
        ("\nstore: 5\n", "2: store: 5 is not a text; put it in quotes"),
        ("signals:\n  ct:\n    spool: [a]\n", "3: signals.ct.spool: (a list) is not a text; put it in quotes"),
        (
            "store: sqlite:///${NOWHERE}/x\n",
            "1: store: 'sqlite:///${NOWHERE}/x' needs the environment variable NOWHERE",
        ),
    ],
)
def test_what_it_cannot_be_found_in_is_told(file: Path, text: str, fault: str) -> None:
    """With file and line."""
    file.write_text(text)
    with pytest.raises(ConfigurationError, match="^" + re.escape(f"{file}:{fault}")):
        read_hook_place(file, {})
