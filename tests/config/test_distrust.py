from __future__ import annotations

import hashlib
import importlib.resources
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import certifi
import pytest

from monitord import pki
from monitord.config.distrust import SHIPPED, load_distrust
from monitord.config.document import parse_document
from monitord.config.faults import ConfigurationError
from monitord.config.load import load
from monitord.config.signals import Programme
from monitord.pinning.certificate import certificates_in, parse_certificate
from monitord.pinning.pins import parse_pin
from monitord.pinning.trust import Distrust, TrustStore

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parents[2]
SPKI = "sha256/AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
OTHER = "sha256/AQECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
SHORT = (
    "pin 'sha256/AAAA' decodes to 3 bytes where a SHA-256 digest has 32; a pin is sha256/ followed by the base64 of "
    "32 bytes (44 characters ending in =)"
)
ROOT = f"{{name: R, spki: {SPKI}}}"


@pytest.fixture
def faults_of(tmp_path: Path) -> Callable[[str], list[str]]:
    """The faults of a file with this text, each as LINE: MESSAGE."""
    path = tmp_path / "rules.yaml"

    def load(text: str) -> list[str]:
        path.write_text(text)
        with pytest.raises(ConfigurationError) as raised:
            load_distrust(path)
        return [str(fault).removeprefix(f"{path}:") for fault in raised.value.faults]

    return load


def test_the_shipped_rules_load_without_the_checkout() -> None:
    """They come out of the package, for every programme a mapping."""
    rules = load_distrust()
    assert set(rules) == set(Programme)
    assert {programme: len(found) for programme, found in rules.items()} == {
        Programme.CHROME: 35,
        Programme.MOZILLA: 14,
        Programme.APPLE: 9,
        Programme.MICROSOFT: 0,
    }


def test_there_is_one_source_of_truth() -> None:
    """The file beside the example configuration says what the one in the package says."""
    shipped = importlib.resources.files("monitord.config").joinpath("distrust.yaml")
    assert (HERE / "config" / "distrust.yaml").read_text("utf-8") == shipped.read_text("utf-8")


def test_entrust_is_distrusted_as_announced() -> None:
    """The best-known case, with three dates: 11, 15 and 30 November 2024."""
    key = parse_pin("sha256/du6FkDdMcVQ3u8prumAo6t3i3G27uMP2EOhR8R0at/U=").digest  # Entrust Root CA - G2
    found = {programme: rules[key] for programme, rules in load_distrust().items() if key in rules}
    assert found == {
        Programme.CHROME: Distrust(datetime(2024, 11, 11, 23, 59, 59, tzinfo=UTC), "Chrome"),
        Programme.APPLE: Distrust(datetime(2024, 11, 15, 23, 59, 59, tzinfo=UTC), "Apple"),
        Programme.MOZILLA: Distrust(datetime(2024, 11, 30, 23, 59, 59, tzinfo=UTC), "Mozilla"),
    }


def test_hashes_of_keys_and_of_certificates_belong_together() -> None:
    """Wherever certifi still has the root, its key is the one in the rule; a root has the same key throughout."""
    roots = [parse_certificate(der) for der in certificates_in(certifi.contents().encode())]
    known = {root.sha256.hex(): root for root in roots}
    shipped = importlib.resources.files("monitord.config") / SHIPPED
    document = parse_document(Path(SHIPPED), shipped.read_bytes())
    entries = [root for rule in document.root["rules"] for root in rule["roots"]]
    keys: dict[str, str] = {}
    compared = 0
    for entry in entries:
        assert keys.setdefault(entry["certificate"], entry["spki"]) == entry["spki"]
        root = known.get(entry["certificate"])
        if root is not None:
            compared += 1
            assert hashlib.sha256(root.spki).digest() == parse_pin(entry["spki"]).digest
    assert compared > 10


def test_a_rule_refuses_leaves_that_are_issued_later(tmp_path: Path) -> None:
    """Loaded from a file and put on a store: the last second is accepted, the next is not."""
    root = pki.issue("Test Root")
    path = tmp_path / "rules.yaml"
    path.write_text(
        "rules:\n  - {programme: mozilla, not_before_after: 2026-06-30T23:59:59Z, "
        f"roots: [{{name: Test Root, spki: {root.certificate.pin}}}]}}\n"
    )
    store = TrustStore("test", [root.certificate]).distrusting(load_distrust(path)[Programme.MOZILLA])
    last, next_one = (
        pki.issue("a.test", issuer=root, names=["a.test"], not_before=begin).certificate
        for begin in (datetime(2026, 6, 30, 23, 59, 59, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC))
    )
    assert root.certificate in store.accepting(last)
    assert root.certificate not in store.accepting(next_one)


def test_every_fault_is_told_with_its_line(faults_of: Callable[[str], list[str]]) -> None:
    """All at once, in the words of the other files."""
    text = f"""\
rules:
  - programme: crome
    not_before_after: 2026-06-31
    roots:
      - name: One
        spki: sha256/AAAA
      - spki: {SPKI}
        certificate: 12:34
      - Two
    note: x
  - programme: chrome
    roots: []
  - programme: chrome
    not_before_after: 2026-06-30
    sct_not_after: 2026-06-30
    roots: {SPKI}
  - just text
  - {{programme: chrome, sct_not_after: 2026-01-01, roots: [{ROOT}]}}
  - {{programme: mozilla, not_before_after: 2026-01-01, roots: [{ROOT}, {{name: O, spki: {OTHER}}}]}}
  - {{programme: chrome, sct_not_after: 2027-01-01, roots: [{ROOT}]}}
extra: 1
"""
    assert faults_of(text) == [
        "2: programme 'crome' is not known; write mozilla or chrome or apple or microsoft",
        "3: not_before_after '2026-06-31' is not a date that exists; write it like 2027-01-01 or 2027-01-01T12:00:00Z",
        f"6: {SHORT}",
        "7: the key 'name' is missing",
        "8: certificate '12:34' is not a SHA-256 in hexadecimal, 64 digits without colons",
        "9: item 3 of roots: 'Two' is not a mapping",
        "10: unknown key 'note'; the keys here are: not_before_after, programme, roots, sct_not_after",
        "11: a rule has one date, not_before_after or sct_not_after",
        "12: roots is empty",
        "13: a rule has one date, not_before_after or sct_not_after",
        f"16: roots: '{SPKI}' is not a list",
        "17: item 4 of rules: 'just text' is not a mapping",
        "20: chrome has a rule for this key already, on line 18; keep one",
        "21: unknown key 'extra'; the keys here are: rules",
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "1: the file is empty; remove it, or write what it is for"),
        ("- rules\n", "1: the file is not a mapping with the key rules:"),
        ("{}\n", "1: the key 'rules' is missing"),
        ("rules: []\n", "1: rules is empty"),
        ("rules:\n", "1: rules: null is not a list"),
        ("rules: [{programme: 5, sct_not_after: 2026-01-01, roots: []}]\n", "1: programme: 5 is not text"),
        ("rules:\n  - {}\n", "2: a rule has one date, not_before_after or sct_not_after"),
    ],
)
def test_files_that_are_something_else(faults_of: Callable[[str], list[str]], text: str, fault: str) -> None:
    """A sentence each, and never a rule less in silence."""
    assert fault in faults_of(text)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """Its name is in the sentence."""
    with pytest.raises(ConfigurationError, match=r"rules.yaml:1: the file cannot be read: No such file"):
        load_distrust(tmp_path / "rules.yaml")


def configured(tmp_path: Path, distrust: str) -> Path:
    """A configuration with a trust store of one root, whose rules of distrust are these."""
    (tmp_path / "root.pem").write_bytes(pki.issue("Test Root").pem)
    path = tmp_path / "monitord.yaml"
    path.write_text(f"trust: {{default: phones, phones: root.pem}}\nsignals:\n  distrust: {distrust}\n")
    return path


def test_a_trust_store_follows_the_programme_that_its_clients_follow(tmp_path: Path) -> None:
    """From the shipped rules or a file, in the configuration and whenever the store is read again."""
    rules = f"rules: [{{programme: apple, not_before_after: 2027-06-30T00:00:00Z, roots: [{ROOT}]}}]"
    (tmp_path / "rules.yaml").write_text(rules)
    expected = {parse_pin(SPKI).digest: Distrust(datetime(2027, 6, 30, tzinfo=UTC), "Apple")}
    path = configured(tmp_path, "{stores: {phones: apple}, file: rules.yaml}")
    configuration = load(path, environment={})
    assert configuration.trust_stores["phones"].distrusts == expected
    assert configuration.trust_sources.read_all({})["phones"].distrusts == expected
    shipped = load(configured(tmp_path, "{stores: {phones: mozilla}}"), environment={})
    assert shipped.trust_stores["phones"].distrusts == load_distrust()[Programme.MOZILLA]
    assert load(configured(tmp_path, "{}"), environment={}).trust_stores["phones"].distrusts == {}


@pytest.mark.parametrize(
    ("distrust", "faults"),
    [
        (
            "{stores: {tablets: mozilla}}",
            ["monitord.yaml:3: trust store 'tablets' is not defined; there are: mozilla, phones, system"],
        ),
        (
            "{stores: {phones: opera}}",
            ["monitord.yaml:3: signals.distrust.stores.phones 'opera' is not known; write " + " or ".join(Programme)],
        ),
        ("{file: none.yaml}", ["none.yaml:1: the file cannot be read: No such file or directory"]),
    ],
)
def test_what_is_wrong_with_the_setting_is_said(tmp_path: Path, distrust: str, faults: list[str]) -> None:
    """A store that is not there, a programme that is none, a file that is missing."""
    with pytest.raises(ConfigurationError) as raised:
        load(configured(tmp_path, distrust), environment={})
    assert [str(fault).removeprefix(f"{tmp_path}/") for fault in raised.value.faults] == faults
