from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.x509 import ReasonFlags, ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as st

from monitord import pki
from monitord.pinning.ocsp import Answer, Status, read_answer, responders
from monitord.pinning.revocation import RevocationUnclear, Revoked
from tests.support.crlserver import answered_by, ocsp_answer

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BEGIN, END = NOW - timedelta(hours=1), NOW + timedelta(days=1)
ROOT = pki.issue("Test Root")
LEAF = pki.issue("api.example.test", issuer=ROOT, names=["api.example.test"]).certificate
RESPONDER = pki.issue(
    "Responder", issuer=ROOT, ca=False, extra=[(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), False)]
)
SOUND = ocsp_answer(
    LEAF,
    ROOT.certificate,
    RESPONDER,
    BEGIN,
    end=END,
    status=ocsp.OCSPCertStatus.REVOKED,
    revoked_at=BEGIN,
    reason=ReasonFlags.superseded,
    enclosed=[RESPONDER],
)
MEANT = Answer(Status.REVOKED, END, Revoked(BEGIN, "superseded"))


def test_an_answer_is_read_as_meant() -> None:
    """Status, end, time and reason."""
    assert read_answer(SOUND, LEAF, ROOT.certificate, NOW) == MEANT
    good = ocsp_answer(LEAF, ROOT.certificate, ROOT, BEGIN)
    assert read_answer(good, LEAF, ROOT.certificate, NOW) == Answer(Status.GOOD, None)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_understood_or_unclear(data: st.DataObject) -> None:
    """Property: an answer that was tampered with says nothing, in one declared way."""
    position = data.draw(st.integers(0, len(SOUND) - 1))
    spoiled = SOUND[:position] + data.draw(st.binary(max_size=3)) + SOUND[position + data.draw(st.integers(0, 3)) :]
    with contextlib.suppress(RevocationUnclear):
        assert read_answer(spoiled, LEAF, ROOT.certificate, NOW) == MEANT


@given(st.binary(max_size=60))
def test_any_authority_information_is_understood_or_unclear(value: bytes) -> None:
    """Property: of the bytes of that extension nothing else comes."""
    extension = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.5.5.7.1.1"), value)
    leaf = pki.issue("leaf.test", key=ROOT.key, extra=[(extension, False)])
    with contextlib.suppress(RevocationUnclear):
        assert all(url.lower().startswith("http://") for url in responders(leaf.certificate))


def test_responders_are_those_with_http() -> None:
    """In the order of the certificate."""
    urls = ["http://a.test", "https://b.test", "ldap://c.test", "HTTP://d.test/ocsp"]
    leaf = pki.issue("leaf.test", issuer=ROOT, names=["leaf.test"], extra=[answered_by(*urls)])
    assert responders(leaf.certificate) == ("http://a.test", "HTTP://d.test/ocsp")
