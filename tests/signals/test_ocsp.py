from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ReasonFlags, ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from monitord import pki
from monitord.pinning import der
from monitord.pinning.evidence import Revocation
from monitord.pinning.target import Target
from monitord.pinning.trust import TrustStore
from monitord.signals.fetch import Fetcher
from monitord.signals.ocsp import OcspSource
from monitord.signals.source import SourceName, Subject
from tests.support.crlserver import CaServer, answered_by, ocsp_answer
from tests.support.exchanged import SERIAL_PLACE, with_part
from tests.support.polling import Polled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
BEGIN = NOW - HOUR
ROOT = pki.issue("Test Root")
STORE = TrustStore("test", [ROOT.certificate])
HOST = "api.example.test"
REVOKED = ocsp.OCSPCertStatus.REVOKED


@pytest.fixture
async def ca() -> AsyncIterator[CaServer]:
    """A CA's server."""
    async with CaServer() as server:
        yield server


class Site:
    """A host whose leaf names the CA's responder, which gives one answer."""

    def __init__(self, ca: CaServer, *urls: str, **leaf: Any) -> None:
        self.ca = ca
        self.leaf = pki.issue(HOST, issuer=ROOT, names=[HOST], extra=[answered_by(*(urls or [ca.url("ocsp")]))], **leaf)
        self.answer()

    def subject(self, host: str = HOST) -> Subject:
        """The endpoint."""
        return Subject(Target(host), ((self.leaf.certificate,),))

    def answer(self, **options: Any) -> None:
        """Have the responder say this of the leaf; "good" by the issuer's own key, if nothing else is given."""
        options = {"signer": ROOT, "begin": BEGIN, "end": NOW + DAY, "about": self.leaf.certificate, **options}
        about = options.pop("about")
        answer = ocsp_answer(about, ROOT.certificate, options.pop("signer"), options.pop("begin"), **options)
        self.ca.responder = lambda _question: answer

    def revoke(self, **options: Any) -> None:
        """Have the responder call the leaf revoked."""
        self.answer(**{"status": REVOKED, "revoked_at": NOW - DAY, "reason": ReasonFlags.superseded, **options})


def polled(**options: Any) -> Polled:
    """A source that trusts the test root."""
    return Polled(OcspSource(Fetcher(timeout=5), lambda: {"test": STORE}, **options))


def appointed(**options: Any) -> pki.Issued:
    """A responder's certificate from the root."""
    purpose = options.pop("purpose", ExtendedKeyUsageOID.OCSP_SIGNING)
    options = {"issuer": ROOT, "ca": False, "extra": [(x509.ExtendedKeyUsage([purpose]), False)], **options}
    return pki.issue("Responder", **options)


async def test_a_revoked_certificate_is_told_once_for_each_host(ca: CaServer) -> None:
    """With time and reason; the question is one that another reader understands."""
    site, source = Site(ca), polled()
    site.revoke()
    assert source.source.name is SourceName.OCSP
    poll = await source.poll([site.subject(), site.subject("www.example.test")], NOW)
    fact = Revocation(site.leaf.certificate.sha256, NOW, NOW - DAY, "superseded", "OCSP")
    assert [(one.host, one.fact) for one in poll.learned] == [(HOST, fact), ("www.example.test", fact)]
    assert poll.faults == ()
    assert [asked.method for asked in ca.asked] == ["GET"]
    question = ocsp.load_der_ocsp_request(ca.questions[0])
    assert question.serial_number == int.from_bytes(site.leaf.certificate.serial)
    theirs = ocsp.OCSPRequestBuilder().add_certificate(
        x509.load_der_x509_certificate(site.leaf.certificate.der),
        x509.load_der_x509_certificate(ROOT.certificate.der),
        hashes.SHA1(),  # noqa: S303 - what responders use
    )
    assert question.issuer_key_hash == theirs.build().issuer_key_hash
    assert question.issuer_name_hash == theirs.build().issuer_name_hash
    later = await source.poll([site.subject(), site.subject("new.example.test")], NOW + DAY)
    assert [one.host for one in later.learned] == ["new.example.test"]


async def test_good_is_no_news_and_asked_again_in_time(ca: CaServer) -> None:
    """As usual after six hours, sooner at nextUpdate, never within the hour."""
    site, source = Site(ca), polled()
    poll = await source.poll([site.subject()], NOW)
    assert (poll.learned, poll.faults, poll.next_at) == ((), (), NOW + 6 * HOUR)
    idle = await source.poll([site.subject()], NOW + 5 * HOUR)
    assert (idle.state, len(ca.asked)) == ({}, 1)
    site.answer(end=NOW + 8 * HOUR)
    assert (await source.poll([site.subject()], NOW + 6 * HOUR)).next_at == NOW + 8 * HOUR
    site.answer(end=NOW + 8 * HOUR + timedelta(minutes=1))
    assert (await source.poll([site.subject()], NOW + 8 * HOUR)).next_at == NOW + 9 * HOUR


async def test_certificates_without_a_responder_or_without_trust_are_not_asked_about(ca: CaServer) -> None:
    """Nor is a responder with https, whose certificate would need a responder itself."""
    silent = pki.issue(HOST, issuer=ROOT, names=[HOST])
    secure = pki.issue(HOST, issuer=ROOT, names=[HOST], extra=[answered_by("https://ocsp.example.test")])
    stranger = pki.issue("Stranger")
    foreign = pki.issue(HOST, issuer=stranger, names=[HOST], extra=[answered_by(ca.url("ocsp"))])
    subjects = [
        Subject(Target("a.test"), ((silent.certificate,), (secure.certificate,))),
        Subject(Target("b.test"), ((foreign.certificate, stranger.certificate),)),
    ]
    poll = await polled().poll(subjects, NOW)
    assert (poll.learned, poll.faults, poll.state, ca.asked) == ((), (), {}, [])


async def test_a_long_question_is_posted(ca: CaServer) -> None:
    """RFC 5019 section 5 allows GET up to 255 bytes; a serial number can make it more."""
    site = Site(ca)
    long = with_part(site.leaf.certificate, SERIAL_PLACE, der.encode(der.INTEGER, b"\1" * 120), ROOT)
    poll = await polled().poll([Subject(Target(HOST), ((long,),))], NOW)
    (posted,) = ca.asked
    assert (posted.method, posted.headers["content-type"]) == ("POST", "application/ocsp-request")
    assert ocsp.load_der_ocsp_request(ca.questions[0]).serial_number == int.from_bytes(long.serial)
    assert ["is about another certificate" in fault for fault in poll.faults] == [True]


@pytest.mark.parametrize("digest", [hashes.SHA1(), hashes.SHA256()])  # noqa: S303
async def test_a_responder_may_name_the_certificate_by_another_hash(ca: CaServer, digest: hashes.HashAlgorithm) -> None:
    """Only the hashes differ; they are of the same name and key."""
    site = Site(ca)
    site.revoke(digest=digest)
    assert len((await polled().poll([site.subject()], NOW)).learned) == 1


async def test_a_responder_whom_the_issuer_appointed_is_believed(ca: CaServer) -> None:
    """Its certificate comes with the answer (RFC 6960 section 4.2.2.2)."""
    responder = appointed()
    site = Site(ca)
    site.revoke(signer=responder, enclosed=[responder])
    assert len((await polled().poll([site.subject()], NOW)).learned) == 1


_STRANGER = pki.issue("Test Root")
_UNAPPOINTED = {
    "nobody knows it": pki.issue("Responder"),
    "for servers": appointed(purpose=ExtendedKeyUsageOID.SERVER_AUTH),
    "for anything": appointed(purpose=ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE),
    "expired": appointed(not_after=NOW - HOUR),
    "issued by another key of the name": appointed(issuer=_STRANGER),
}


@pytest.mark.parametrize("responder", _UNAPPOINTED.values(), ids=_UNAPPOINTED.keys())
async def test_no_one_else_is_believed(ca: CaServer, responder: pki.Issued) -> None:
    """Whatever certificate comes with the answer."""
    site = Site(ca)
    site.revoke(signer=responder, enclosed=[responder])
    poll = await polled().poll([site.subject()], NOW)
    assert poll.learned == ()
    assert "is signed neither by CN=Test Root nor by whom it appointed" in poll.faults[0]


def _unknown(site: Site) -> None:
    site.answer(status=ocsp.OCSPCertStatus.UNKNOWN)


def _old(site: Site) -> None:
    site.revoke(begin=NOW - 2 * DAY, end=NOW - HOUR)


def _old_without_end(site: Site) -> None:
    site.revoke(begin=NOW - 2 * DAY, end=None)


def _of_the_future(site: Site) -> None:
    site.revoke(begin=NOW + HOUR, end=NOW + DAY)


def _about_another(site: Site) -> None:
    site.revoke(about=pki.issue(HOST, issuer=ROOT, names=[HOST]).certificate)


def _refusal(site: Site) -> None:
    refusal = ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER)
    answer = refusal.public_bytes(serialization.Encoding.DER)
    site.ca.responder = lambda _question: answer


def _garbage(site: Site) -> None:
    site.ca.responder = lambda _question: b"<html>sorry</html>"


def _unknown_critical(site: Site) -> None:
    extension = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    site.revoke(extra=[(extension, True)])


def _endless(site: Site) -> None:
    site.ca.responder = lambda _question: bytes(100_000)


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (_unknown, 'is "unknown": the responder does not know the certificate'),
        (_old, "is out of date since 2026-03-01T11:00:00Z"),
        (_old_without_end, "is out of date since 2026-02-28T12:00:00Z"),
        (_of_the_future, "is dated in the future, 2026-03-01T13:00:00Z"),
        (_about_another, "is about another certificate"),
        (_refusal, "is a refusal: tryLater"),
        (_garbage, "cannot be read: "),
        (_unknown_critical, "has a critical extension that monitord does not know"),
        (_endless, "answered with more than 65536 bytes"),
    ],
)
async def test_an_answer_that_is_not_clear_is_a_fault_and_no_revocation(
    ca: CaServer, spoil: Any, complaint: str
) -> None:
    """Neither "good" nor "revoked" may come of it, and it is asked again after an hour."""
    site = Site(ca)
    spoil(site)
    poll = await polled().poll([site.subject()], NOW)
    assert poll.learned == ()
    (fault,) = poll.faults
    assert complaint in fault
    assert f"the answer of {ca.origin} about CN={HOST} " in fault
    assert poll.next_at == NOW + HOUR


async def test_a_nonce_that_nobody_asked_for_is_no_matter(ca: CaServer) -> None:
    """Some responders add one, critical or not."""
    site = Site(ca)
    site.revoke(extra=[(x509.OCSPNonce(b"0123456789abcdef"), True)])
    assert len((await polled().poll([site.subject()], NOW)).learned) == 1


async def test_a_responder_that_is_away_is_asked_once_and_another_in_its_place_later() -> None:
    """A certificate may name two."""
    async with CaServer() as dead, CaServer() as alive:
        sites = [Site(alive, dead.url("ocsp"), alive.url("ocsp")) for _ in range(3)]
    async with alive:
        source, subjects = polled(), [site.subject() for site in sites]
        sites[2].revoke()
        poll = await source.poll(subjects, NOW)
        (fault,) = poll.faults
        assert "2 more questions to it wait" in fault
        assert alive.asked == []
        again = await source.poll(subjects, NOW + HOUR)
        assert [one.fact.certificate for one in again.learned if isinstance(one.fact, Revocation)] == [
            sites[2].leaf.certificate.sha256
        ]
        assert len(alive.asked) == 3


async def test_malformed_authority_information_is_a_fault_once_in_a_while(ca: CaServer) -> None:
    """It may name a responder, and nobody can tell."""
    extension = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.5.5.7.1.1"), b"\x04\x00")
    leaf = pki.issue(HOST, issuer=ROOT, names=[HOST], extra=[(extension, False)])
    subject, source = Subject(Target(HOST), ((leaf.certificate,),)), polled()
    assert ["cannot be read" in fault for fault in (await source.poll([subject], NOW)).faults] == [True]
    assert (await source.poll([subject], NOW + HOUR)).faults == ()
    assert ca.asked == []


async def test_the_state_forgets_what_is_over(ca: CaServer) -> None:
    """Certificates that are no longer served, hosts that are no longer registered."""
    site, source = Site(ca), polled()
    site.revoke()
    await source.poll([site.subject()], NOW)
    assert len(source.state) == 2
    await source.poll([Subject(Target("other.test"))], NOW + 2 * DAY)
    assert source.state == {}
