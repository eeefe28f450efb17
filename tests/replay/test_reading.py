"""A story that cannot be played says every fault at once, each with its line; what is odd is a warning."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from monitord.replay.reading import read_story

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """\
name: leaf renewed with a new key
start: 2026-01-01
end: 2026-03-08
step: 6h
host: api.example.test
confirm: 2
certificates:
  root:   {key: root, not_before: 2020-01-01, not_after: 2040-01-01}
  inter:  {issuer: root, key: inter, not_before: 2024-01-01, not_after: 2034-01-01}
  leaf-1: {issuer: inter, key: leaf-a, not_before: 2026-01-01, not_after: 2026-04-01}
  leaf-2: {issuer: inter, key: leaf-b, not_before: 2026-03-02, not_after: 2026-05-31}
pinsets:
  - {name: app, client: okhttp, pins: [leaf-a, {unknown: 1}]}
events:
  - {at: 2026-01-01, trust: [root]}
  - {at: 2026-01-01, serve: [leaf-1, inter]}
  - {at: 2026-02-01, ct: leaf-2}
  - {at: 2026-02-02, ari: {certificate: leaf-1, start: 2026-03-01, end: 2026-03-03, explanation: null}}
  - {at: 2026-02-03, distrust: {root: root, not_before_after: 2026-06-01}}
  - {at: 2026-02-04, unreachable: true}
  - {at: 2026-02-05, revoke: leaf-1}
  - {at: 2026-02-06, dns: {cname: cdn.example.test, caa: [ca.example]}}
  - {at: 2026-02-07, staged: [leaf-2, inter]}
  - {at: 2026-03-02, serve: [leaf-2, inter]}
  - {at: 2026-03-03, pinset: {name: app, pins: [leaf-a, leaf-b]}}
expect: {fails_at: 2026-03-02, warned_by: 2026-02-01, max_false_alarms: 0, kinds: [pin_mismatch]}
"""


def faults(text: str, directory: Path) -> list[str]:
    """What is wrong with a story, as it is printed without the directory."""
    file = directory / "story.yaml"
    file.write_text(text)
    reading = read_story(file)
    assert (reading.story is None) is bool(reading.faults)
    return [f"{fault.file.name}:{fault.line}: {fault.message}" for fault in reading.faults]


def warnings(text: str, directory: Path) -> list[str]:
    """What is odd in a story that can be played."""
    file = directory / "story.yaml"
    file.write_text(text)
    reading = read_story(file)
    assert reading.story is not None
    return [f"{fault.line}: {fault.message}" for fault in reading.warnings]


def test_a_good_story_has_no_fault(tmp_path: Path) -> None:
    """And nothing is odd in it."""
    assert faults(GOOD, tmp_path) == []
    assert warnings(GOOD, tmp_path) == []


@pytest.mark.parametrize(
    ("good", "bad", "expected"),
    [
        ("step: 6h", "step: soon", ["4: step 'soon' is not a duration; write it like 30s, 15m, 12h or 14d"]),
        ("step: 6h", "step: 0s", ["4: step '0s' is too short"]),
        ("step: 6h", "step: 1s", ["4: these are more than 100,000 probes; take a longer step"]),
        ("step: 6h", "stp: 6h", ["1: the key 'step' is missing", "4: unknown key 'stp'; did you mean 'step'?"]),
        ("end: 2026-03-08", "end: 2025-03-08", ["3: the story ends before it starts"]),
        (
            "end: 2026-03-08",
            "end: 2026-02-30",
            ["3: end '2026-02-30' is not a date that exists; write it like 2027-01-01 or 2027-01-01T12:00:00Z"],
        ),
        ("host: api.example.test", "host: 5", ["5: host 5 is not a host name; put it in quotes"]),
        ("confirm: 2", "confirm: 0", ["6: confirm 0 is less than 1"]),
        (
            "issuer: inter, key: leaf-a",
            "issuer: itner, key: leaf-a",
            ["10: certificates.leaf-1.issuer 'itner' is not the name of a certificate; did you mean 'inter'?"],
        ),
        ("key: leaf-b, ", "", ["11: the key 'key' of certificates.leaf-2 is missing"]),
        ("issuer: root, key: inter", "issuer: inter, key: inter", ["9: certificate 'inter' is issued by itself"]),
        (
            "issuer: root, key: inter",
            "issuer: leaf-1, key: inter",
            [
                "9: certificate 'inter' is issued by itself, by way of others",
                "10: certificate 'leaf-1' is issued by itself, by way of others",
            ],
        ),
        (
            "root:   {key: root",
            "root:   {subject: root, key: root",
            ["8: certificate 'root' takes its subject from itself"],
        ),
        ("not_after: 2026-04-01}", "not_after: 2025-04-01}", ["10: certificate 'leaf-1' ends before it begins"]),
        (
            "not_after: 2026-05-31}",
            "not_after: 2026-05-31, color: red}",
            ["11: unknown key 'color'; the keys here are: issuer, key, names, not_after, not_before, subject"],
        ),
        (
            "client: okhttp",
            "client: okhttpp",
            [
                (
                    "13: client 'okhttpp' is not known; write generic or okhttp or android or apple or trustkit-ios or "
                    "trustkit-android or cronet or curl or certificate"
                )
            ],
        ),
        ("{unknown: 1}", "{unknown: many}", ["13: unknown 'many' is not a whole number"]),
        ("pins: [leaf-a, {unknown: 1}]", "pins: leaf-a", ["13: pins is not a list"]),
        ("pins: [leaf-a, {unknown: 1}]", "share: 0.5", ["13: a pin set needs pins"]),
        (
            "pins: [leaf-a, {unknown: 1}]}",
            "pins: [leaf-a], ca_pins: [inter]}",
            [
                "13: leaf_pins and ca_pins are for client apple; okhttp has one list: pins",
                "25: leaf_pins and ca_pins are for client apple; okhttp has one list: pins",
            ],
        ),
        (
            "serve: [leaf-1, inter]",
            "serve: [leaf-9, inter]",
            ["16: item 1 of serve: 'leaf-9' is not the name of a certificate; did you mean 'leaf-2'?"],
        ),
        (
            "serve: [leaf-1, inter]",
            "serve: []",
            ["16: serve is empty; a server presents a certificate, or is unreachable: true"],
        ),
        (
            "serve: [leaf-1, inter]",
            "serves: [leaf-1, inter]",
            [
                (
                    "16: nothing happens here; an event has one of serve, unreachable, trust, ct, ari, distrust, "
                    "pinset, revoke, dns, staged"
                ),
                "16: unknown key 'serves'; did you mean 'serve'?",
            ],
        ),
        ("trust: [root]", "trust: 5", ["15: trust is not a list"]),
        ("at: 2026-03-02, ", "", ["24: the key 'at' of item 10 of events is missing"]),
        (
            "serve: [leaf-2, inter]",
            "key_type: dsa, serve: [leaf-2, inter]",
            ["24: key_type 'dsa' is not known; write rsa or ecdsa"],
        ),
        (
            "serve: [leaf-2, inter]",
            "store: x, serve: [leaf-2, inter]",
            ["24: store stands beside trust, which this event has not"],
        ),
        ("ct: leaf-2", "ct: leaf-3", ["17: ct 'leaf-3' is not the name of a certificate; did you mean 'leaf-2'?"]),
        ("start: 2026-03-01, end: 2026-03-03", "start: 2026-03-01", ["18: the key 'end' of ari is missing"]),
        (
            "not_before_after: 2026-06-01",
            "until: 2026-06-01",
            [
                "19: the key 'not_before_after' of distrust is missing",
                "19: unknown key 'until'; the keys here are: not_before_after, root",
            ],
        ),
        ("unreachable: true", "unreachable: maybe", ["20: unreachable 'maybe' is not true or false"]),
        ("revoke: leaf-1", "revoke: [leaf-1]", ["21: revoke (a list) is not the name of a certificate"]),
        ("dns: {cname:", "dns: {alias:", ["22: unknown key 'alias'; the keys here are: caa, cname"]),
        (
            "staged: [leaf-2, inter]",
            "staged: []",
            ["23: staged is empty; name the chain that was seen, leaf first"],
        ),
        ("pinset: {name: app", "pinset: {name: apps", ["25: there is no pin set 'apps'; there are: app"]),
        (
            "pinset: {name: app, pins: [leaf-a, leaf-b]}",
            "pinset: {name: app}",
            ["25: nothing of the pin set is changed; give the keys that change"],
        ),
        ("expect: {fails_at", "expect: {fails_on", ["26: unknown key 'fails_on'; did you mean 'fails_at'?"]),
        ("max_false_alarms: 0", "max_false_alarms: -1", ["26: expect.max_false_alarms -1 is less than 0"]),
        (
            "kinds: [pin_mismatch]",
            "kinds: [pin_mismach]",
            ["26: item 1 of expect.kinds: 'pin_mismach' is not a kind of incident; did you mean 'pin_mismatch'?"],
        ),
        (
            "warned_by: 2026-02-01",
            "warned_by: soon",
            ["26: expect.warned_by 'soon' is not a date; write it like 2027-01-01 or 2027-01-01T12:00:00Z"],
        ),
        (
            "expect: {fails_at: 2026-03-02, warned_by: 2026-02-01, max_false_alarms: 0, kinds: [pin_mismatch]}",
            "expect: {apps: {fails_at: null}}",
            ["26: there is no pin set 'apps'; there are: app"],
        ),
    ],
)
def test_a_fault_is_told_with_its_line(good: str, bad: str, expected: list[str], tmp_path: Path) -> None:
    """One change to the good story, and the exact message."""
    assert good in GOOD
    assert faults(GOOD.replace(good, bad, 1), tmp_path) == [f"story.yaml:{one}" for one in expected]


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    """In the order of their lines, whatever part of the story they are in."""
    text = GOOD
    for good, bad in (
        ("step: 6h", "step: never"),
        ("key: leaf-b", "key: 7"),
        ("client: okhttp", "client: nokia"),
        ("ct: leaf-2", "ct: leaf-8"),
        ("fails_at: 2026-03-02", "fails_at: tomorrow"),
    ):
        text = text.replace(good, bad, 1)
    assert [fault.split(":")[1] for fault in faults(text, tmp_path)] == ["4", "11", "13", "17", "26"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["story.yaml:1: the file is empty; remove it, or write what it is for"]),
        ("- a\n", ["story.yaml:1: the file is not a mapping of keys such as name: and events:"]),
        ("name: a\nname: b\n", None),
        ("a: &a [*a]\n", None),
    ],
)
def test_what_is_no_story_at_all(text: str, expected: list[str] | None, tmp_path: Path) -> None:
    """Empty, a list, duplicate keys, aliases of themselves: one sentence each, and no traceback."""
    found = faults(text, tmp_path)
    assert found
    assert expected is None or found == expected


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """A fault as well."""
    reading = read_story(tmp_path / "none.yaml")
    assert reading.story is None
    assert "No such file" in reading.faults[0].message


def test_a_story_without_a_name_has_that_of_its_file(tmp_path: Path) -> None:
    """And defaults are those of the configuration."""
    file = tmp_path / "renewal.yaml"
    file.write_text(GOOD.replace("name: leaf renewed with a new key\n", "").replace("confirm: 2\n", ""))
    story = read_story(file).story
    assert story is not None
    assert (story.name, story.confirm, story.failures, story.port) == ("renewal", 2, 3, 443)
    assert (story.release_time.days, story.horizon.days) == (14, 30)


@pytest.mark.parametrize(
    ("good", "bad", "expected"),
    [
        (
            "pins: [leaf-a, {unknown: 1}]",
            "pins: [leaf-c, {unknown: 1}]",
            [
                (
                    "13: no certificate has the key 'leaf-c', so this pin matches nothing; "
                    "write {unknown: 1} if that is meant"
                )
            ],
        ),
        (
            "start: 2026-03-01, end: 2026-03-03",
            "start: 2026-03-03, end: 2026-03-01",
            ["18: the window does not end after its start, which clients take for no window (RFC 9773)"],
        ),
        (
            "serve: [leaf-2, inter]",
            "key_type: rsa, serve: [leaf-2, inter]",
            ["24: the key of leaf-2 is ecdsa, not rsa: keys whose name begins with rsa2048 are RSA"],
        ),
        ("at: 2026-03-03", "at: 2026-03-09", ["25: this is after the last probe, so it never happens"]),
        (
            "client: okhttp, pins",
            "client: okhttp, trust: phones, pins",
            [],
        ),
        (
            "  - {at: 2026-01-01, trust: [root]}\n",
            "  - {at: 2026-01-01, store: tablets, trust: [root]}\n",
            [],
        ),
    ],
)
def test_what_is_odd_is_a_warning(good: str, bad: str, expected: list[str], tmp_path: Path) -> None:
    """It can be played, but may not be what is meant."""
    assert warnings(GOOD.replace(good, bad, 1), tmp_path) == expected


def test_a_store_that_no_event_fills_is_a_warning(tmp_path: Path) -> None:
    """It trusts nothing."""
    text = GOOD.replace("client: okhttp, pins", "client: okhttp, trust: phones, pins")
    text = text.replace("trust: [root]}", "store: tablets, trust: [root]}")
    assert warnings(text, tmp_path) == ["13: no event says what trust store 'phones' holds, so it trusts nothing"]
