"""Endpoints registered from the command line, in files that people edit too."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitord.config.faults import ConfigurationError
from monitord.config.load import load
from monitord.config.registry import EntryOptions, NotedPin, RegistryError, add_pins, find, register, unregister
from monitord.pinning.pins import Pin
from monitord.pinning.target import ConnectAddress

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 3, 2, 10, 30, tzinfo=UTC)
ONE, TWO, THREE = (Pin(bytes([number]) * 32) for number in (1, 2, 3))
LEAF, SPARE = NotedPin(ONE, "leaf, CN=api.example.com"), NotedPin(TWO, "intermediate, CN=CA")
API = ("api.example.com", 443)


@pytest.fixture
def main(tmp_path: Path) -> Path:
    """A main file that includes domains.d."""
    path = tmp_path / "monitord.yaml"
    path.write_text('include: ["domains.d/*.yaml"]\n')
    return path


def write(main: Path, text: str, name: str = "api.example.com.yaml") -> Path:
    """A file in domains.d."""
    path = main.parent / "domains.d" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def test_a_new_endpoint_gets_a_file_of_its_own(main: Path) -> None:
    """Who wrote it and when, and what each pin is of; and it loads as what was registered."""
    registration = register(main, API, [LEAF, SPARE], now=NOW, environment={})
    assert registration.path == main.parent / "domains.d" / "api.example.com.yaml"
    assert registration.included
    assert (
        registration.path.read_text()
        == f"""\
# Written by monitord add on 2026-03-02 at 10:30 UTC.
- host: "api.example.com"
  pins:
    - {ONE}  # leaf, CN=api.example.com
    - {TWO}  # intermediate, CN=CA
"""
    )
    assert registration.path.stat().st_mode & 0o777 == 0o644
    assert [path.name for path in registration.path.parent.iterdir()] == ["api.example.com.yaml"]
    (target,) = load(main, environment={}).targets
    assert (target.endpoint, target.pinsets[0].pins) == ("api.example.com:443", (ONE, TWO))
    place = find(main, *API, environment={})
    assert str(place) == f"{registration.path}:2"


def test_options_become_keys_of_the_entry(main: Path) -> None:
    """Each as the configuration spells it, and text stays text whatever is in it."""
    options = EntryOptions(
        pinset="app: 5 # ${HOME}",
        server_name="front.example.com",
        connect_to=(ConnectAddress("192.0.2.1"), ConnectAddress("2001:db8::1", 8443)),
        interval=timedelta(minutes=90),
        labels={"team": "no"},
        trust="system",
    )
    path = register(main, API, [LEAF], options, now=NOW, environment={}).path
    assert (
        path.read_text()
        == f"""\
# Written by monitord add on 2026-03-02 at 10:30 UTC.
- host: "api.example.com"
  server_name: "front.example.com"
  connect_to: ["192.0.2.1", "[2001:db8::1]:8443"]
  interval: "1h30m"
  labels: {{"team": "no"}}
  trust: "system"
  pinsets:
    - name: "app: 5 # $${{HOME}}"
      pins:
        - {ONE}  # leaf, CN=api.example.com
"""
    )
    (target,) = load(main, environment={}).targets
    (pinset,) = target.pinsets
    assert (target.name, target.connect_to, target.interval) == (
        "front.example.com",
        options.connect_to,
        options.interval,
    )
    assert (dict(target.labels), pinset.name, pinset.trust) == ({"team": "no"}, options.pinset, ("system",))
    add_pins(main, API, [SPARE], now=NOW, environment={})
    assert load(main, environment={}).targets[0].pinsets[0].pins == (ONE, TWO)


def test_an_entry_that_would_be_faulty_is_not_written(main: Path) -> None:
    """The fault is told as the configuration would."""
    options = EntryOptions(interval=timedelta(seconds=1))
    with pytest.raises(RegistryError, match=r"would be faulty: interval '1s' is shorter than 5s"):
        register(main, API, [LEAF], options, now=NOW, environment={})
    assert not (main.parent / "domains.d").exists()


def test_a_file_that_the_configuration_does_not_include_is_said_to_be_so(main: Path) -> None:
    """The file is written, and the caller can say what to add to the main file."""
    main.write_text("confirm: 2\n")
    assert not register(main, API, [LEAF], now=NOW, environment={}).included
    with pytest.raises(RegistryError, match=r"stands at .*api\.example\.com\.yaml:2 already, in a file that include:"):
        register(main, API, [LEAF], now=NOW, environment={})


def test_another_port_of_a_host_gets_another_file(main: Path) -> None:
    """The first is named after the host alone, whatever its port."""
    first = register(main, ("::1", 8443), [LEAF], now=NOW, environment={})
    second = register(main, ("::1", 443), [LEAF], now=NOW, environment={})
    assert [first.path.name, second.path.name] == ["::1.yaml", "::1_443.yaml"]
    assert sorted(target.endpoint for target in load(main, environment={}).targets) == ["[::1]:443", "[::1]:8443"]


def test_a_registered_endpoint_is_not_registered_again(main: Path) -> None:
    """Wherever it is registered; the error says where."""
    main.write_text('include: ["domains.d/*.yaml"]\ndomains:\n  - host: api.example.com\n')
    with pytest.raises(RegistryError, match=rf"^api\.example\.com:443 is registered already, at {main}:3$"):
        register(main, API, [LEAF], now=NOW, environment={})
    assert not (main.parent / "domains.d").exists()


def test_a_file_in_the_way_is_left_alone(main: Path) -> None:
    """Nothing is written over."""
    for name in ("api.example.com.yaml", "api.example.com_443.yaml"):
        write(main, "- host: other.example.com\n", name)
    main.write_text("confirm: 2\n")
    with pytest.raises(RegistryError, match="exist already; write the entry by hand"):
        register(main, API, [LEAF], now=NOW, environment={})


def test_a_faulty_configuration_is_not_added_to(main: Path) -> None:
    """Where the files cannot be read for certain, an endpoint might be registered twice."""
    write(main, "- hots: api.example.com\n", "faulty.yaml")
    with pytest.raises(ConfigurationError, match=r"unknown key 'hots'"):
        register(main, API, [LEAF], now=NOW, environment={})


def test_secrets_and_variables_of_the_daemon_are_not_needed(main: Path) -> None:
    """The command runs where only the daemon's environment has them."""
    with main.open("a") as file:
        file.write("store: sqlite:///${STATE}/x.db\ntrust: {default: own, own: nowhere.pem}\n")
        file.write("receivers: [{name: hook, webhook: {url: '${URL}', secret_file: nowhere}}]\n")
    write(main, "- {host: other.example.com, trust: own}\n", "other.yaml")
    assert register(main, API, [LEAF], now=NOW, environment={}).included


def test_pins_are_added_after_the_last_one(main: Path) -> None:
    """What people wrote stays: comments, order, other entries, the file's mode."""
    path = write(
        main,
        f"""\
# ours

- host: other.example.com
- host: api.example.com  # the API
  labels: {{team: payments}}
  pins:
      # in use
      - "{ONE}"
      # spare
      - {TWO} # offline
  # the end
""",
    )
    path.chmod(0o640)
    pins = [LEAF, NotedPin(THREE, "leaf,\nCN=new")]
    assert add_pins(main, API, pins, now=NOW, environment={}).path == path
    assert (
        path.read_text()
        == f"""\
# ours

- host: other.example.com
- host: api.example.com  # the API
  labels: {{team: payments}}
  pins:
      # in use
      - "{ONE}"
      # spare
      - {TWO} # offline
      - {THREE}  # leaf,?CN=new, added 2026-03-02
  # the end
"""
    )
    assert path.stat().st_mode & 0o777 == 0o640


def test_pins_are_added_to_a_single_pin_set(main: Path) -> None:
    """With one pin set there is no doubt which is meant."""
    text = f"- host: api.example.com\n  pinsets:\n  - name: app\n    pins:\n    - {ONE}\n    share: 0.5"
    path = write(main, text)
    add_pins(main, API, [SPARE], now=NOW, environment={})
    added = f"    - {TWO}  # intermediate, CN=CA, added 2026-03-02\n"
    assert path.read_text() == text.replace("    share", f"{added}    share") + "\n"


def test_known_pins_change_nothing(main: Path) -> None:
    """The file is not even touched."""
    path = write(main, f"- host: api.example.com\n  pins: [ {ONE} ]\n")
    before = path.stat()
    add_pins(main, API, [LEAF], now=NOW, environment={})
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == (before.st_mtime_ns, before.st_ino)


@pytest.mark.parametrize(
    "text",
    [
        f"- host: api.example.com\n  pins: [{ONE}]\n",
        f"- {{host: api.example.com, pins: [{ONE}]}}\n",
        "- host: api.example.com\n",
        f"- host: api.example.com\n  pinsets: [{{name: a, pins: [{ONE}]}}, {{name: b, pins: [{ONE}]}}]\n",
        f"- host: a.example.com\n  pins: &p\n  - {ONE}\n- host: api.example.com\n  pins: *p\n",
    ],
    ids=["flow list", "flow mapping", "no pins", "two pin sets", "shared by an alias"],
)
def test_what_cannot_be_extended_line_by_line_is_left_to_people(main: Path, text: str) -> None:
    """The file stays as it is, and the error names the line."""
    path = write(main, text)
    with pytest.raises(
        RegistryError, match=rf"^the pins of api\.example\.com:443 cannot be added by program; edit {path}:"
    ):
        add_pins(main, API, [SPARE], now=NOW, environment={})
    assert path.read_text() == text


def test_the_main_file_is_not_edited(main: Path) -> None:
    """It is the user's own."""
    main.write_text(f"domains:\n  - host: api.example.com\n    pins:\n      - {ONE}\n")
    with pytest.raises(RegistryError, match=f"edit {main}:2$"):
        add_pins(main, API, [SPARE], now=NOW, environment={})
    with pytest.raises(RegistryError, match=f"remove it by hand at {main}:2$"):
        unregister(main, *API, environment={})


def test_an_endpoint_with_its_own_file_is_removed_with_it(main: Path) -> None:
    """And is unknown afterwards."""
    path = register(main, API, [LEAF], now=NOW, environment={}).path
    assert unregister(main, *API, environment={}) == path
    assert not path.exists()
    assert find(main, *API, environment={}) is None
    with pytest.raises(RegistryError, match=r"^api\.example\.com:443 is not registered$"):
        unregister(main, *API, environment={})
    with pytest.raises(RegistryError, match=r"^api\.example\.com:443 is not registered$"):
        add_pins(main, API, [LEAF], now=NOW, environment={})


def test_a_file_with_more_than_the_endpoint_is_kept(main: Path) -> None:
    """The error names the line to delete."""
    path = write(main, "- host: other.example.com\n- host: api.example.com\n")
    with pytest.raises(RegistryError, match=f"remove it by hand at {path}:2$"):
        unregister(main, *API, environment={})
    assert path.exists()


def test_a_file_that_is_included_by_name_is_kept(main: Path) -> None:
    """Without it the main file would have a fault."""
    path = write(main, "- host: api.example.com\n")
    main.write_text("include: [domains.d/api.example.com.yaml, 'domains.d/*.yaml']\n")
    with pytest.raises(RegistryError, match=f"remove it by hand at {path}:1$"):
        unregister(main, *API, environment={})
    assert path.exists()


def test_a_directory_that_cannot_be_made_is_an_error(main: Path) -> None:
    """One sentence with the path and the reason."""
    (main.parent / "domains.d").write_text("a file where the directory should be")
    with pytest.raises(RegistryError, match=r"cannot be written: (File exists|Not a directory)"):
        register(main, API, [LEAF], now=NOW, environment={})


@settings(max_examples=50, deadline=None)
@given(note=st.text(max_size=60))
def test_no_note_of_a_pin_can_change_what_the_file_says(tmp_path_factory: pytest.TempPathFactory, note: str) -> None:
    """Notes hold what a server sent: the subject of its certificate."""
    main = tmp_path_factory.mktemp("notes") / "monitord.yaml"
    main.write_text('include: ["domains.d/*.yaml"]\n')
    register(main, API, [NotedPin(ONE, note)], now=NOW, environment={})
    add_pins(main, API, [NotedPin(TWO, note)], now=NOW, environment={})
    (target,) = load(main, environment={}, receivers=False).targets
    assert target.pinsets[0].pins == (ONE, TWO)
