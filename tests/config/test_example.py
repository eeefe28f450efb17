"""The example configuration is complete, loads, and says what the defaults are."""

from __future__ import annotations

import re
import shutil
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from monitord.config.load import default_configuration, load
from monitord.config.registry import DIRECTORY
from monitord.config.schema import MainFile
from monitord.config.section import Section
from monitord.pki import issue
from tests.config.conftest import SIGNING_SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLE = Path(__file__).parents[2] / "config"


def prepared(directory: Path, text: str) -> Path:
    """A copy of the example with other text, and the secrets that it names."""
    shutil.copytree(EXAMPLE / DIRECTORY, directory / DIRECTORY)
    path = directory / "monitord.yaml"
    path.write_text(text)
    (directory / "smtp-password").write_text("a password\n")
    (directory / "webhook-secret").write_text(f"{SIGNING_SECRET}\n")
    return path


def test_the_example_loads_without_faults_or_warnings(tmp_path: Path) -> None:
    """As it is, given the secrets."""
    configuration = load(prepared(tmp_path, (EXAMPLE / "monitord.yaml").read_text()), environment={})
    assert [target.endpoint for target in configuration.targets] == ["api.example.com:443", "auth.example.com:8443"]
    assert [receiver.name for receiver in configuration.receivers] == ["ops-mail", "pager"]
    assert configuration.warnings == ()


def test_its_settings_are_the_defaults(tmp_path: Path) -> None:
    """What the example writes out is what holds anyway, so a copy of it changes nothing by surprise."""
    configuration = load(prepared(tmp_path, (EXAMPLE / "monitord.yaml").read_text()), environment={})
    defaults = default_configuration(environment={})
    for name in ("interval", "timeout", "release_time", "horizon", "confirm", "failures", "alerts", "store", "web"):
        assert getattr(configuration, name) == getattr(defaults, name)


def test_the_lines_commented_out_are_the_defaults(tmp_path: Path) -> None:
    """The general settings load with their comment signs taken off, and are what holds without them."""
    lines = (EXAMPLE / "monitord.yaml").read_text().splitlines()
    keys = (
        "interval",
        "timeout",
        "release_time",
        "horizon",
        "confirm",
        "failures",
        "store",
        "probing",
        "  max_",
        "  conc",
        "  hurried_i",
        "  hurried_l",
    )
    shown = [line.removeprefix("# ") for line in lines if line.startswith(tuple(f"# {key}" for key in keys))]
    assert len(shown) == len(keys)
    path = tmp_path / "monitord.yaml"
    path.write_text("\n".join(shown) + "\n")
    configuration, defaults = load(path, environment={}), default_configuration(environment={})
    for name in ("interval", "timeout", "release_time", "horizon", "confirm", "failures", "store", "probing"):
        assert getattr(configuration, name) == getattr(defaults, name)


def test_the_signals_shown_are_those_that_are_asked_anyway(tmp_path: Path) -> None:
    """Their block loads with its comment signs taken off, and is what holds without it."""
    lines = (EXAMPLE / "monitord.yaml").read_text().splitlines()
    block = takewhile(bool, lines[lines.index("# signals:") :])
    path = tmp_path / "monitord.yaml"
    path.write_text("".join(f"{line.removeprefix('# ')}\n" for line in block))
    assert load(path, environment={}).signals == default_configuration(environment={}).signals


def test_every_key_is_in_the_example() -> None:
    """A key that is added to the schema must be shown."""
    text = (EXAMPLE / "monitord.yaml").read_text()
    missing = [key for key in keys_of(MainFile) if not re.search(rf"\b{key}:", text)]
    assert missing == []


def test_the_example_of_an_included_file_loads(tmp_path: Path) -> None:
    """Renamed to .yaml it is included; it registers the host it is named after."""
    (tmp_path / "api.example.com.yaml").write_bytes((EXAMPLE / DIRECTORY / "api.example.com.yaml.example").read_bytes())
    (tmp_path / "main").write_text("include: ['*.yaml']\n")
    (target,) = load(tmp_path / "main", environment={}).targets
    assert target.endpoint == "api.example.com:443"


def test_the_example_of_the_listener_s_file_loads(tmp_path: Path) -> None:
    """Renamed, beside the certificate and the key that it names."""
    server = issue("monitor.example.com", ca=False)
    (tmp_path / "server.pem").write_bytes(server.pem)
    (tmp_path / "server.key").write_bytes(server.key_pem)
    (tmp_path / "web.yaml").write_bytes((EXAMPLE / "web.yaml.example").read_bytes())
    main = tmp_path / "monitord.yaml"
    main.write_text("web: {config_file: web.yaml, reload: true}\n")
    assert load(main, environment={}).web.config_file == tmp_path / "web.yaml"


def keys_of(section: type[Section]) -> Iterator[str]:
    """Every key that may be in a section or below."""
    for name, info in section.model_fields.items():
        yield info.alias or name
    for nested in Section.__subclasses__():
        if any(nested.__name__ in str(info.annotation) for info in section.model_fields.values()):
            yield from keys_of(nested)
