from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.x509 import ReasonFlags
from hypothesis import given, settings
from hypothesis import strategies as st

from monitord import pki
from monitord.pinning import der
from monitord.pinning.revocation import Question, RevocationUnclear, distribution_points, look_up
from tests.support.crlserver import points, raw_revocation_list, revocation, revocation_list, scope, utc_time
from tests.support.exchanged import SERIAL_PLACE, with_part

if TYPE_CHECKING:
    from monitord.pinning.certificate import Certificate

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
ROOT = pki.issue("Test Root")
SERIALS = (1, 127, 128, 255, 256, 2**64 - 1, 2**64, 2**159 - 1)
LEAVES = [pki.issue(f"{n}.test", issuer=ROOT, names=[f"{n}.test"], serial=n).certificate for n in SERIALS]
SOUND = revocation_list(
    ROOT,
    NOW - DAY,
    revocation(LEAVES[0], NOW - DAY, ReasonFlags.superseded),
    extra=[scope("http://a.test/")],
)
REASONS = [None, *(reason for reason in ReasonFlags if reason is not ReasonFlags.remove_from_crl)]


def ask(data: bytes, *certificates: Certificate) -> dict[bytes, str | None]:
    """Which of these are revoked, and why."""
    findings = look_up(data, [Question(one, ROOT.certificate, frozenset()) for one in certificates], NOW)
    assert findings.unclear == {}
    return {sha256: found.reason for sha256, found in findings.revoked.items()}


SERIAL = st.sampled_from(SERIALS) | st.integers(1, 2**130)


@given(st.lists(st.tuples(SERIAL, st.sampled_from(REASONS)), max_size=20, unique_by=lambda entry: entry[0]))
@settings(max_examples=60, deadline=None)
def test_every_list_reads_as_cryptography_reads_it(entries: list[tuple[int, ReasonFlags | None]]) -> None:
    """Property: the walk by lengths finds the same entries, with the same reasons."""
    data = revocation_list(ROOT, NOW - DAY, *(revocation(serial, NOW - DAY, reason) for serial, reason in entries))
    theirs = x509.load_der_x509_crl(data)
    expected: dict[bytes, str | None] = {}
    for leaf in LEAVES:
        entry = theirs.get_revoked_certificate_by_serial_number(int.from_bytes(leaf.serial))
        if entry is not None:
            reasons = [one.value.reason.value for one in entry.extensions if isinstance(one.value, x509.CRLReason)]
            expected[leaf.sha256] = reasons[0] if reasons else None
    assert ask(data, *LEAVES) == expected


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_understood_or_unclear(data: st.DataObject) -> None:
    """Property: a list that was tampered with says nothing, in one declared way."""
    position = data.draw(st.integers(0, len(SOUND) - 1))
    spoiled = SOUND[:position] + data.draw(st.binary(max_size=3)) + SOUND[position + data.draw(st.integers(0, 3)) :]
    question = Question(LEAVES[0], ROOT.certificate, frozenset([b"\x86\x0ehttp://a.test/"]))
    try:
        findings = look_up(spoiled, [question], NOW)
    except RevocationUnclear:
        return
    assert findings.unclear or findings == look_up(SOUND, [question], NOW)


@given(st.binary(max_size=60))
def test_any_distribution_points_are_understood_or_unclear(value: bytes) -> None:
    """Property: of the bytes of that extension nothing else comes."""
    extension = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.31"), value)
    leaf = pki.issue("leaf.test", key=ROOT.key, extra=[(extension, False)])
    with contextlib.suppress(RevocationUnclear):
        assert all(point.urls for point in distribution_points(leaf.certificate))


def test_a_serial_number_with_forbidden_octets_is_found() -> None:
    """Some old certificates have zeros in front that the list has not."""
    padded = with_part(LEAVES[0], SERIAL_PLACE, der.encode(der.INTEGER, b"\0\x01"))
    assert padded.serial == b"\0\x01"
    data = revocation_list(ROOT, NOW - DAY, revocation(1, NOW - DAY))
    assert list(ask(data, padded)) == [padded.sha256]


def test_long_entries_are_walked_too() -> None:
    """An entry of more than 127 bytes has its length in another form."""
    note = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x04\x81\xc8" + b"\x01\x01" * 100)
    entries = [revocation(5, NOW - DAY, extra=[(note, False)]), revocation(1, NOW - DAY, extra=[(note, False)])]
    data = revocation_list(ROOT, NOW - DAY, *entries, revocation(127, NOW - DAY))
    found = ask(data, *LEAVES)
    assert set(found) == {LEAVES[0].sha256, LEAVES[1].sha256}


@pytest.mark.parametrize("entries", [b"\x30\x80\x00\x00", b"\x30\x03\x02\x05\x01", b"\x04\x01\x00", b"\x30"])
def test_broken_entries_make_the_whole_list_unclear(entries: bytes) -> None:
    """Also behind a good signature: what comes after them cannot be known."""
    block = der.encode(der.SEQUENCE, entries)
    data = raw_revocation_list(ROOT, utc_time(NOW - DAY), utc_time(NOW + DAY), block)
    with pytest.raises(RevocationUnclear, match="cannot be read"):
        ask(data, LEAVES[0])


def test_distribution_points_keep_every_name_and_only_http_urls() -> None:
    """The names are compared with those in the list; the URLs are fetched."""
    several = x509.DistributionPoint(
        [
            x509.UniformResourceIdentifier("ldap://a.test/cn=ca"),
            x509.UniformResourceIdentifier("HTTP://a.test/1.crl"),
            x509.UniformResourceIdentifier("https://a.test/1.crl"),
        ],
        None,
        None,
        None,
    )
    leaf = pki.issue("leaf.test", issuer=ROOT, names=["leaf.test"], extra=[points(several, "http://b.test/2.crl")])
    first, second = distribution_points(leaf.certificate)
    assert (first.urls, len(first.names)) == (("HTTP://a.test/1.crl",), 3)
    assert second.urls == ("http://b.test/2.crl",)
