"""Lists in the form of Prometheus's service discovery, read into targets."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitord.config.discovered import MOST_TARGETS, Listed, read_list
from monitord.config.discovery import ListRules
from monitord.pinning.pins import Client, Pin, PinSet
from monitord.pinning.target import ConnectAddress, StartTls, Target

if TYPE_CHECKING:
    from tests.config.conftest import Loader

ONE, TWO = (Pin(bytes([number]) * 32) for number in (1, 2))
RULES = ListRules(
    default_trust="mozilla",
    interval=timedelta(minutes=10),
    stores=frozenset({"mozilla", "android-14"}),
    pinsets={
        "android-5": {"name": "android-5", "client": "android", "pins": [str(ONE), str(TWO)], "trust": "android-14"},
        "ios-5": {"name": "ios-5", "client": "apple", "ca_pins": [str(ONE), str(TWO)]},
    },
)
PINS = f"{ONE} {TWO}"


def listed(groups: Any, *, lines: bool = False, origin: str = "https://sd.example.com/list") -> Listed:
    """What a list of these groups comes to."""
    return read_list(json.dumps(groups).encode(), origin, RULES, lines=lines)


def targets(groups: Any) -> tuple[Target, ...]:
    """The targets of a list without faults."""
    found = listed(groups)
    assert found.faults == ()
    return found.targets


def faults(groups: Any) -> list[str]:
    """What is wrong with a list."""
    return [str(fault) for fault in listed(groups).faults]


def test_a_list_as_prometheus_has_it() -> None:
    """Ports, IPv6, URLs as for blackbox_exporter; labels become the endpoint's, but for those for tools."""
    spelled = ["api.example.com", "API.example.com:8443", "[2001:db8::1]:443", "https://web.example.com/health?x=1"]
    found = targets([{"targets": spelled, "labels": {"team": "payments", "__meta_datacenter": "london"}}])
    assert [(target.host, target.port) for target in found] == [
        ("api.example.com", 443),
        ("api.example.com", 8443),
        ("2001:db8::1", 443),
        ("web.example.com", 443),
    ]
    assert {tuple(target.labels.items()) for target in found} == {(("team", "payments"),)}
    assert {target.interval for target in found} == {timedelta(minutes=10)}


def test_labels_that_are_monitord_s_own_are_renamed_as_prometheus_does() -> None:
    """A list for several tools may use the names for something else."""
    (target,) = targets([{"targets": ["a.example.com"], "labels": {"host": "rack-5", "port": "3"}}])
    assert target.labels == {"exported_host": "rack-5", "exported_port": "3"}


def test_pins_in_the_list() -> None:
    """Blanks or commas between them; a client or an expiry makes them a pin set of that kind."""
    (short,) = targets([{"targets": ["a.example.com"], "labels": {"__monitord_pins": f"{ONE},{TWO}"}}])
    assert short.pinsets == (PinSet("default", pins=(ONE, TWO), trust=("mozilla",)),)
    labels = {"__monitord_pins": PINS, "__monitord_client": "cronet", "__monitord_expires": "2030-01-01"}
    (full,) = targets([{"targets": ["a.example.com"], "labels": labels}])
    expires = datetime(2030, 1, 1, tzinfo=UTC)
    assert full.pinsets == (
        PinSet("default", client=Client.CRONET, pins=(ONE, TWO), trust=("mozilla",), expires=expires),
    )


def test_pin_sets_by_name() -> None:
    """They are those of the configuration; a store of their own goes before that of the endpoint."""
    labels = {"__monitord_pinsets": "android-5, ios-5", "__monitord_trust": "mozilla android-14"}
    (target,) = targets([{"targets": ["a.example.com"], "labels": labels}])
    android, ios = target.pinsets
    assert (android.name, android.client, android.trust) == ("android-5", Client.ANDROID, ("android-14",))
    assert (ios.name, ios.client, ios.ca_pins, ios.trust) == (
        "ios-5",
        Client.APPLE,
        (ONE, TWO),
        ("mozilla", "android-14"),
    )


def test_what_else_a_list_may_say() -> None:
    """The keys of a domain that name no file and no secret."""
    labels = {
        "__monitord_server_name": "edge.example.com",
        "__monitord_connect_to": "192.0.2.1 [2001:db8::1]:8443",
        "__monitord_starttls": "smtp",
        "__monitord_interval": "5m",
        "__monitord_staging": "staging.example.com",
        "__monitord_pins": PINS,
    }
    (target,) = targets([{"targets": ["mx.example.com:25"], "labels": labels}])
    assert target.server_name == "edge.example.com"
    assert target.connect_to == (ConnectAddress("192.0.2.1", None), ConnectAddress("2001:db8::1", 8443))
    assert target.starttls is StartTls.SMTP
    assert target.interval == timedelta(minutes=5)
    assert target.staging is not None
    assert target.labels == {}


def test_an_endpoint_is_there_once() -> None:
    """A repetition says nothing new; one that differs is dubious, and the first is taken."""
    same = {"targets": ["a.example.com"], "labels": {"team": "one", "__monitord_pins": PINS}}
    found = listed([same, same])
    assert (len(found.targets), found.faults, found.warnings) == (1, (), ())
    found = listed([same, {**same, "labels": {"team": "two", "__monitord_pins": PINS}}])
    assert [target.labels for target in found.targets] == [{"team": "one"}]
    assert [str(one) for one in found.warnings] == [
        (
            "https://sd.example.com/list: group 2: a.example.com:443 is listed before with other pins or labels; "
            "the first is taken"
        )
    ]


@pytest.mark.parametrize(
    ("group", "fault"),
    [
        ({"targets": ["a b"]}, "'a b' has blanks in it; write only the host name"),
        ({"targets": [5]}, "5 is not a target; write it like api.example.com:443, in quotes"),
        ({"targets": ["http://a.example.com/"]}, "'http://a.example.com/' is a URL; write only the host name"),
        ({"targets": "a.example.com"}, "the key 'targets' is missing, or not a list"),
        ({"labels": {}}, "the key 'targets' is missing, or not a list"),
        ({"targets": ["a.example.com"], "label": {}}, "unknown key 'label'; did you mean 'labels'?"),
        ({"targets": ["a.example.com"], "labels": []}, "labels: (a list) is not a mapping"),
        ({"targets": ["a.example.com"], "labels": {"n": 5}}, "the label 'n' is not text; put it in quotes"),
        (
            {"targets": ["a.example.com"], "labels": {"a-b": "c"}},
            "labels: 'a-b' is not a label name; it may have letters, digits and underscores",
        ),
        (
            {"targets": ["a.example.com"], "labels": {"__monitord_pin": str(ONE)}},
            "unknown label '__monitord_pin'; did you mean '__monitord_pins'?",
        ),
        (
            {"targets": ["a.example.com"], "labels": {"__monitord_pinsets": "android-6"}},
            "pin set 'android-6' is not defined under discovery.pinsets; there are: android-5, ios-5",
        ),
        (
            {"targets": ["a.example.com"], "labels": {"__monitord_pinsets": "ios-5", "__monitord_client": "okhttp"}},
            "__monitord_pinsets and __monitord_client exclude each other",
        ),
        (
            {"targets": ["a.example.com"], "labels": {"__monitord_client": "okhttp"}},
            "__monitord_client needs __monitord_pins beside it",
        ),
        (
            {"targets": ["a.example.com"], "labels": {"__monitord_trust": "nope"}},
            "trust store 'nope' is not defined; there are: android-14, mozilla",
        ),
        (
            {"targets": ["a.example.com"], "labels": {"__monitord_proxy_password_file": "/etc/shadow"}},
            (
                "unknown label '__monitord_proxy_password_file'; there are: __monitord_client, "
                "__monitord_connect_to, __monitord_expires, __monitord_interval, __monitord_pins, __monitord_pinsets, "
                "__monitord_server_name, __monitord_staging, __monitord_starttls, __monitord_trust"
            ),
        ),
        ("a.example.com", "'a.example.com' is not a group: a mapping with targets: and labels:"),
    ],
)
def test_a_faulty_group_is_told_and_costs_no_other(group: Any, fault: str) -> None:
    """One sentence with the number of the group; what is sound beside it is read."""
    found = listed([{"targets": ["well.example.com"]}, group])
    assert [str(one) for one in found.faults] == [f"https://sd.example.com/list: group 2: {fault}"]
    assert [target.host for target in found.targets] == ["well.example.com"]


def test_a_faulty_target_costs_no_other_of_its_group() -> None:
    """Neither before nor after it."""
    found = listed([{"targets": ["a.example.com", "b c", "d.example.com"]}])
    assert [target.host for target in found.targets] == ["a.example.com", "d.example.com"]
    assert len(found.faults) == 1


def test_a_file_s_faults_have_lines() -> None:
    """YAML or JSON as people write it: the line of the target, or of the label."""
    text = b"- targets:\n    - a.example.com\n    - b c\n  labels:\n    team: x\n    __monitord_pins: sha256/no\n"
    found = read_list(text, "/etc/monitord/targets.yaml", RULES, lines=True)
    assert [str(one).partition(" ")[0] for one in found.faults] == [
        "/etc/monitord/targets.yaml:3:",
        "/etc/monitord/targets.yaml:6:",
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (b"", "sd:1: the file is empty; remove it, or write what it is for"),
        (b"{}", "sd:1: it is not a list of groups, each with targets: and labels:"),
        (b"<html>Log in</html>", "sd:1: it is not a list of groups, each with targets: and labels:"),
        (b"[" * 50_000, "sd:1: nested deeper than 32 levels"),
        (b"\xff", "sd:1: the file is not UTF-8 text"),
        (b'[{"targets": ["a.example.com"]', "sd:2: not valid YAML"),
    ],
)
def test_what_is_no_list_is_told(text: bytes, fault: str) -> None:
    """A page of a login, an unfinished file, something hostile: one sentence, and no targets."""
    for lines in (True, False):
        found = read_list(text, "sd", RULES, lines=lines)
        assert found.targets == ()
        assert next(str(one) for one in found.faults).startswith(fault)


def test_json_that_is_no_yaml_is_read() -> None:
    """JSON escapes characters beyond the Basic Multilingual Plane by two."""
    assert targets([{"targets": ["a.example.com"], "labels": {"mood": "\N{GRINNING FACE}"}}])[0].labels == {
        "mood": "\N{GRINNING FACE}"
    }


def test_an_empty_list_is_one() -> None:
    """[] is what a server says that has nothing."""
    assert listed([]) == Listed()


def test_the_environment_is_not_for_lists() -> None:
    """What comes over the network must not be able to ask for secrets."""
    (target,) = targets([{"targets": ["a.example.com"], "labels": {"team": "${HOME} $$"}}])
    assert target.labels == {"team": "${HOME} $$"}


def test_many_faults_are_cut_off() -> None:
    """The first twenty, and how many there are beside."""
    found = faults([{"targets": [f"{number} x"]} for number in range(30)])
    assert len(found) == 21
    assert found[-1] == "https://sd.example.com/list: and 10 more of this kind"


def test_a_list_may_have_only_so_many_targets() -> None:
    """What is beyond is refused, and the rest costs no time."""
    found = listed([{"targets": ["a.example.com"] * (MOST_TARGETS + 1)}])
    assert found.targets == ()
    assert [str(one) for one in found.faults] == [
        f"https://sd.example.com/list: group 1: there are more than {MOST_TARGETS} targets"
    ]


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_bytes_come_to_targets_or_to_sentences(data: bytes) -> None:
    """Nothing is raised, whatever a server says."""
    found = read_list(data, "sd", RULES, lines=False)
    assert found.targets or found.faults or data.strip()


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=10) | st.just("a.example.com"),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["targets", "labels", "__monitord_pins", "team"]), inner, max_size=3)
        ),
        max_leaves=12,
    )
)
def test_any_json_comes_to_targets_or_to_sentences(value: Any) -> None:
    """Nothing is raised, and what is no list has a fault."""
    found = listed(value)
    assert isinstance(value, list) or found.faults


def test_the_configuration_says_where_lists_are(load_text: Loader) -> None:
    """Files, servers with what proves who asks, and the pin sets that lists may name with their stores."""
    configuration = load_text(f"""
interval: 7m
discovery:
  file_sd: ["targets/*.json", more.yaml]
  http_sd:
    - https://sd.example.com/list?token=t0ps3cret
    - {{url: "https://other.example.com/", username: me, password_file: monitord.yaml.secret}}
  every: 2m
  pinsets: [{{name: a, pins: ["{ONE}", "{TWO}"]}}]
""")
    settings = configuration.discovery
    assert settings.file_sd == ("targets/*.json", "more.yaml")
    assert [source.shown for source in settings.http_sd] == [
        "https://sd.example.com/list",
        "https://other.example.com/",
    ]
    assert settings.every == timedelta(minutes=2)
    assert settings.rules.interval == timedelta(minutes=7)
    assert settings.rules.stores == {"mozilla"}
    assert list(settings.rules.pinsets) == ["a"]
    assert "no domain is registered" not in " ".join(map(str, configuration.warnings))


@pytest.fixture(autouse=True)
def _secret(tmp_path: Any) -> None:
    (tmp_path / "monitord.yaml.secret").write_text("a password\n")
