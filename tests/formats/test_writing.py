from __future__ import annotations

import base64
import json
import plistlib
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from monitord.config.load import load
from monitord.formats.catalogue import WRITERS
from monitord.formats.pinfile import FormatError, ListedPin, PinnedHost
from monitord.pinning.pins import Pin

GOLDEN = Path(__file__).parent / "golden"
LEAF = ListedPin(Pin(bytes(range(32))), note="leaf, CN=api.example.com")
SPARE = ListedPin(Pin(bytes(range(32, 64))), note="csr, CN=spare")
AUTHORITY = ListedPin(Pin(bytes(range(64, 96))), authority=True, note="root, CN=Root")
HOSTS = (PinnedHost("api.example.com", (LEAF, SPARE)), PinnedHost("shop.example.com", (LEAF, SPARE), port=8443))


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_is_as_its_golden_file(name: str) -> None:
    """Word for word, as the client's documentation spells it."""
    assert WRITERS[name](HOSTS) == (GOLDEN / f"{name}.txt").read_text()


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_holds_every_digest(name: str) -> None:
    """In standard base64, for each host."""
    text = WRITERS[name](HOSTS)
    digests = [base64.b64decode(found) for found in re.findall(r"[A-Za-z0-9+/]{43}=", text)]
    assert digests == [listed.pin.digest for host in HOSTS for listed in host.pins]


@pytest.mark.parametrize("name", sorted(set(WRITERS) - {"curl", "monitord"}))
def test_two_ports_of_a_host_are_united(name: str) -> None:
    """Where the client knows no ports, no pin of either may be lost."""
    text = WRITERS[name]([PinnedHost("h", (LEAF, SPARE)), PinnedHost("h", (SPARE, LEAF), port=8443)])
    assert text == WRITERS[name]([PinnedHost("h", (LEAF, SPARE))])


def test_the_formats_can_be_parsed(tmp_path: Path) -> None:
    """As XML, property list, JSON, and as a configuration of monitord."""
    android = ET.fromstring(WRITERS["android"](HOSTS))  # noqa: S314 - our own text
    assert [domain.text for domain in android.iter("domain")] == ["api.example.com", "shop.example.com"]
    apple = plistlib.loads(WRITERS["apple"](HOSTS).encode())
    assert list(apple["NSAppTransportSecurity"]["NSPinnedDomains"]) == ["api.example.com", "shop.example.com"]
    assert len(json.loads(WRITERS["react-native"](HOSTS))["api.example.com"]["publicKeyHashes"]) == 2
    (tmp_path / "entries.yaml").write_text(WRITERS["monitord"](HOSTS))
    (tmp_path / "monitord.yaml").write_text("include: [entries.yaml]\n")
    targets = load(tmp_path / "monitord.yaml", environment={}).targets
    assert [(one.host, one.port, one.pinsets[0].pins) for one in targets] == [
        ("api.example.com", 443, (LEAF.pin, SPARE.pin)),
        ("shop.example.com", 8443, (LEAF.pin, SPARE.pin)),
    ]


@pytest.mark.parametrize(
    ("name", "pins", "complaint"),
    [
        ("trustkit", (LEAF,), "crashes at launch with one pin"),
        ("trustkit-android", (LEAF,), "crashes at launch with one pin"),
        ("apple", (LEAF, AUTHORITY), "demands a match in both lists"),
        ("curl", (AUTHORITY,), "never matches"),
    ],
)
def test_what_a_client_would_take_otherwise_is_refused(name: str, pins: tuple[ListedPin, ...], complaint: str) -> None:
    """A snippet that does not do what is meant is worse than none."""
    with pytest.raises(FormatError, match=complaint):
        WRITERS[name]([PinnedHost("api.example.com", pins)])


def test_pins_of_authorities_go_to_the_list_of_authorities() -> None:
    """Where Apple never looks at the leaf."""
    text = WRITERS["apple"]([PinnedHost("api.example.com", (AUTHORITY,))])
    entry = plistlib.loads(text.encode())["NSAppTransportSecurity"]["NSPinnedDomains"]["api.example.com"]
    assert set(entry) == {"NSIncludesSubdomains", "NSPinnedCAIdentities"}


@pytest.mark.parametrize("name", ["okhttp", "monitord"])
def test_a_note_stays_on_its_line(name: str) -> None:
    """Whatever it holds."""
    noted = ListedPin(LEAF.pin, note="a\nb\r\u2028c\x1b")
    assert len(WRITERS[name]([PinnedHost("h", (noted,))]).splitlines()) == 3
