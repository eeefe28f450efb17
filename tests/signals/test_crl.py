from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.x509 import ReasonFlags

from monitord import pki
from monitord.pinning import der
from monitord.pinning.evidence import Revocation
from monitord.pinning.target import Target
from monitord.pinning.trust import TrustStore
from monitord.signals.crl import CrlSource
from monitord.signals.fetch import Fetcher
from monitord.signals.source import SourceName, Subject
from tests.support.crlserver import (
    CaServer,
    points,
    raw_revocation_list,
    revocation,
    revocation_list,
    scope,
    utc_time,
)
from tests.support.polling import Polled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from monitord.pinning.certificate import Certificate
    from monitord.signals.source import Poll

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
YESTERDAY = NOW - DAY
ROOT = pki.issue("Test Root")
STORE = TrustStore("test", [ROOT.certificate])
HOST = "api.example.test"


@pytest.fixture
async def ca() -> AsyncIterator[CaServer]:
    """A CA's web server."""
    async with CaServer() as server:
        yield server


class Site:
    """A host that serves a leaf under an intermediate; both name lists at the CA's server."""

    def __init__(self, ca: CaServer, **leaf: Any) -> None:
        self.ca = ca
        self.intermediate = pki.issue("Test Issuer", issuer=ROOT, extra=[points(ca.url("root.crl"))])
        extra = leaf.pop("extra", [points(ca.url("leaf.crl"))])
        self.leaf = pki.issue(HOST, issuer=self.intermediate, names=[HOST], extra=extra, **leaf)
        ca.files["root.crl"] = revocation_list(ROOT, YESTERDAY)
        ca.files["leaf.crl"] = revocation_list(self.intermediate, YESTERDAY)

    @property
    def chain(self) -> tuple[Certificate, ...]:
        """What it serves."""
        return self.leaf.certificate, self.intermediate.certificate

    def subject(self, host: str = HOST) -> Subject:
        """The endpoint."""
        return Subject(Target(host), (self.chain,))

    def revoke_leaf(self, **options: Any) -> None:
        """Put the leaf on the list."""
        entry = revocation(self.leaf.certificate, YESTERDAY, ReasonFlags.key_compromise)
        self.ca.files["leaf.crl"] = revocation_list(self.intermediate, NOW - HOUR, entry, **options)


def polled(**options: Any) -> Polled:
    """A source that trusts the test root."""
    return Polled(CrlSource(Fetcher(timeout=5), lambda: {"test": STORE}, **options))


def revoked(poll: Poll) -> dict[str, list[Revocation]]:
    """What was learned, by host."""
    found: dict[str, list[Revocation]] = {}
    for one in poll.learned:
        assert isinstance(one.fact, Revocation)
        found.setdefault(one.host, []).append(one.fact)
    return found


async def test_a_revoked_leaf_is_told_once_for_each_host_that_serves_it(ca: CaServer) -> None:
    """With time and reason of the entry; and for a host that begins to serve it later, then."""
    site, source = Site(ca), polled()
    site.revoke_leaf()
    assert source.source.name is SourceName.CRL
    poll = await source.poll([site.subject(), site.subject("www.example.test")], NOW)
    fact = Revocation(site.leaf.certificate.sha256, NOW, YESTERDAY, "keyCompromise", "CRL")
    assert revoked(poll) == {HOST: [fact], "www.example.test": [fact]}
    assert poll.faults == ()
    again = await source.poll([site.subject(), site.subject("www.example.test")], NOW + 2 * DAY)
    assert (again.learned, again.faults) == ((), ())
    third = await source.poll([site.subject(), site.subject("new.example.test")], NOW + 2 * DAY + HOUR)
    assert list(revoked(third)) == ["new.example.test"]


async def test_a_revoked_intermediate_is_told_though_its_root_is_not_served(ca: CaServer) -> None:
    """The root, whose key signs that list, is taken from the trust store."""
    site = Site(ca)
    ca.files["root.crl"] = revocation_list(ROOT, YESTERDAY, revocation(site.intermediate.certificate, YESTERDAY))
    poll = await polled().poll([site.subject()], NOW)
    assert revoked(poll) == {HOST: [Revocation(site.intermediate.certificate.sha256, NOW, YESTERDAY, None, "CRL")]}


async def test_nothing_is_told_of_certificates_that_are_not_on_their_list(ca: CaServer) -> None:
    """Entries about others, of any age, are no matter."""
    site = Site(ca)
    others = [revocation(serial, YESTERDAY) for serial in (1, 127, 128, 2**63, 2**159 - 1)]
    ca.files["leaf.crl"] = revocation_list(site.intermediate, YESTERDAY, *others)
    poll = await polled().poll([site.subject()], NOW)
    assert (poll.learned, poll.faults) == ((), ())
    assert {asked.path for asked in ca.asked} == {"leaf.crl", "root.crl"}


async def test_an_untrusted_chain_sends_monitord_nowhere(ca: CaServer) -> None:
    """Else anybody who can answer for the host could have it ask URLs of the inner network."""
    stranger = pki.issue("Stranger", extra=[points(ca.url("root.crl"))])
    leaf = pki.issue(HOST, issuer=stranger, names=[HOST], extra=[points(ca.url("leaf.crl"))])
    subject = Subject(Target(HOST), ((leaf.certificate, stranger.certificate),))
    poll = await polled().poll([subject], NOW)
    assert (poll.learned, poll.faults, ca.asked) == ((), (), [])


async def test_an_expired_certificate_is_not_asked_about(ca: CaServer) -> None:
    """Its list may have dropped it (RFC 5280 section 3.3)."""
    site = Site(ca, not_after=NOW - HOUR)
    await polled().poll([site.subject()], NOW)
    assert [asked.path for asked in ca.asked] == ["root.crl"]


async def test_a_list_is_fetched_once_a_day_however_often_the_source_is_polled(ca: CaServer) -> None:
    """One list serves all certificates that name it."""
    site, source = Site(ca), polled()
    ca.files["leaf.crl"] = revocation_list(site.intermediate, YESTERDAY, end=NOW + 5 * DAY)
    second = pki.issue(HOST, issuer=site.intermediate, names=[HOST], extra=[points(ca.url("leaf.crl"))])
    subjects = [site.subject(), Subject(Target("two.example.test"), ((second.certificate, *site.chain[1:]),))]
    first = await source.poll(subjects, NOW)
    assert first.next_at == NOW + DAY
    idle = await source.poll(subjects, NOW + 23 * HOUR)
    assert (idle.state, idle.learned, idle.faults) == ({}, (), ())
    assert idle.next_at == NOW + DAY
    assert sorted(asked.path for asked in ca.asked) == ["leaf.crl", "root.crl"]
    await source.poll(subjects, NOW + DAY)
    assert len(ca.asked) == 4


@pytest.mark.parametrize(("announced", "pause"), [(6 * HOUR, 6 * HOUR), (timedelta(minutes=5), HOUR)])
async def test_a_list_is_fetched_when_the_next_one_is_due_but_never_within_the_hour(
    ca: CaServer, announced: timedelta, pause: timedelta
) -> None:
    """NextUpdate before the day is over is heeded."""
    site = Site(ca)
    ca.files["leaf.crl"] = revocation_list(site.intermediate, YESTERDAY, end=NOW + announced)
    assert (await polled().poll([site.subject()], NOW)).next_at == NOW + pause


async def test_a_list_that_is_not_newer_is_not_transferred_again(ca: CaServer) -> None:
    """The server says "not modified", and what was known stays known."""
    site, source = Site(ca), polled()
    site.revoke_leaf()
    await source.poll([site.subject()], NOW)
    ca.asked.clear()
    poll = await source.poll([site.subject(), site.subject("new.example.test")], NOW + DAY)
    assert all("if-none-match" in asked.headers for asked in ca.asked)
    assert len(ca.asked) == 2
    assert list(revoked(poll)) == ["new.example.test"]


async def test_a_certificate_that_is_new_has_its_list_read_at_once(ca: CaServer) -> None:
    """The list is not kept, so what it says of another certificate is only to be had with the whole list."""
    site, source = Site(ca), polled()
    await source.poll([site.subject()], NOW)
    ca.asked.clear()
    renewed = pki.issue(HOST, issuer=site.intermediate, names=[HOST], extra=[points(ca.url("leaf.crl"))])
    subject = Subject(Target(HOST), ((renewed.certificate, *site.chain[1:]),))
    await source.poll([subject], NOW + HOUR)
    assert [(asked.path, "if-none-match" in asked.headers) for asked in ca.asked] == [("leaf.crl", False)]


def _delta(site: Site) -> None:
    site.revoke_leaf(extra=[(x509.DeltaCRLIndicator(1), True)])


def _indirect(site: Site) -> None:
    site.revoke_leaf(extra=[scope(indirect_crl=True)])


def _other_point(site: Site) -> None:
    site.revoke_leaf(extra=[scope("http://elsewhere.test/leaf.crl")])


def _some_reasons(site: Site) -> None:
    site.revoke_leaf(extra=[scope(only_some_reasons=frozenset([ReasonFlags.key_compromise]))])


def _only_cas(site: Site) -> None:
    site.revoke_leaf(extra=[scope(only_contains_ca_certs=True)])


def _attributes(site: Site) -> None:
    site.revoke_leaf(extra=[scope(only_contains_attribute_certs=True)])


def _unknown_critical(site: Site) -> None:
    extension = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    site.revoke_leaf(extra=[(extension, True)])


def _unknown_critical_entry(site: Site) -> None:
    extension = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    entries = [revocation(7, YESTERDAY, extra=[(extension, True)]), revocation(site.leaf.certificate, YESTERDAY)]
    site.ca.files["leaf.crl"] = revocation_list(site.intermediate, YESTERDAY, *entries)


def _entry_of_another_issuer(site: Site) -> None:
    name = x509.DirectoryName(x509.load_der_x509_certificate(ROOT.certificate.der).subject)
    entry = revocation(site.leaf.certificate, YESTERDAY, extra=[(x509.CertificateIssuer([name]), True)])
    site.ca.files["leaf.crl"] = revocation_list(site.intermediate, YESTERDAY, entry)


def _taken_back(site: Site) -> None:
    entry = revocation(site.leaf.certificate, YESTERDAY, ReasonFlags.remove_from_crl)
    site.ca.files["leaf.crl"] = revocation_list(site.intermediate, YESTERDAY, entry)


def _other_key(site: Site) -> None:
    site.revoke_leaf(key=pki.new_key())


def _other_issuer(site: Site) -> None:
    site.ca.files["leaf.crl"] = revocation_list(ROOT, YESTERDAY, revocation(site.leaf.certificate, YESTERDAY))


def _expired(site: Site) -> None:
    site.revoke_leaf(end=NOW - timedelta(seconds=1))


def _of_the_future(site: Site) -> None:
    entry = revocation(site.leaf.certificate, YESTERDAY)
    site.ca.files["leaf.crl"] = revocation_list(site.intermediate, NOW + HOUR, entry)


def _endless(site: Site) -> None:
    site.ca.files["leaf.crl"] = raw_revocation_list(site.intermediate, utc_time(YESTERDAY))


def _garbage(site: Site) -> None:
    site.ca.files["leaf.crl"] = b"<html>not here</html>"


def _cut_off(site: Site) -> None:
    site.revoke_leaf()
    site.ca.files["leaf.crl"] = site.ca.files["leaf.crl"][:-40]


def _too_large(site: Site) -> None:
    site.ca.files["leaf.crl"] = b"\x30" * 5000


def _missing(site: Site) -> None:
    del site.ca.files["leaf.crl"]


def _not_modified_for_nothing(site: Site) -> None:
    site.ca.statuses["leaf.crl"] = 304


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (_delta, "is a delta, which tells only what changed"),
        (_indirect, "is indirect: it may speak of other issuers' certificates"),
        (_other_point, "says nothing about CN=api.example.test: it is for other certificates of the issuer"),
        (_some_reasons, "covers only some reasons of revocation"),
        (_only_cas, "says nothing about CN=api.example.test: it is for CA certificates only"),
        (_attributes, "is not for the certificates of servers or CAs"),
        (_unknown_critical, "has the critical extension 1.2.3.4, which monitord does not know"),
        (_unknown_critical_entry, "has entries with the critical extension 1.2.3.4, which monitord does not know"),
        (_entry_of_another_issuer, "is indirect: it speaks of other issuers' certificates"),
        (_taken_back, "takes revocations back, which only a delta may do"),
        (_other_key, "says nothing about CN=api.example.test: it is not signed by the key of CN=Test Issuer"),
        (_other_issuer, "says nothing about CN=api.example.test: it is of another issuer"),
        (_expired, "expired at 2026-03-01T11:59:59Z"),
        (_of_the_future, "is dated in the future, 2026-03-01T13:00:00Z"),
        (_endless, "does not say when the next one is due, as it must (RFC 5280 section 5.1.2.5)"),
        (_garbage, "cannot be read: "),
        (_cut_off, "cannot be read: the DER is cut off"),
        (_too_large, "answered with more than 4000 bytes"),
        (_missing, "cannot be had: status 404"),
        (_not_modified_for_nothing, "cannot be had: status 304"),
    ],
)
async def test_a_list_that_is_not_understood_is_a_fault_and_no_revocation(
    ca: CaServer, spoil: Any, complaint: str
) -> None:
    """Neither "revoked" nor "not revoked" may come of it; what the other list says is not touched."""
    site = Site(ca)
    spoil(site)
    entry = revocation(site.intermediate.certificate, YESTERDAY)
    ca.files["root.crl"] = revocation_list(ROOT, YESTERDAY, entry)
    poll = await polled(limit=4000).poll([site.subject()], NOW)
    assert [fact.certificate for fact in revoked(poll)[HOST]] == [site.intermediate.certificate.sha256]
    (fault,) = poll.faults
    assert complaint in fault
    assert f"{ca.origin} " in fault
    assert HOST in fault


async def test_a_list_for_this_very_place_counts(ca: CaServer) -> None:
    """As CAs do that publish their revocations in many small lists."""
    site = Site(ca)
    site.revoke_leaf(extra=[scope(ca.url("leaf.crl"), only_contains_user_certs=True)])
    assert HOST in revoked(await polled().poll([site.subject()], NOW))


async def test_an_issuer_whose_key_may_not_sign_lists_signs_none(ca: CaServer) -> None:
    """RFC 5280 section 6.3.3 step f."""
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    issuer = pki.issue("Test Issuer", issuer=ROOT, extra=[(usage, True)])
    leaf = pki.issue(HOST, issuer=issuer, names=[HOST], extra=[points(ca.url("leaf.crl"))])
    ca.files["leaf.crl"] = revocation_list(issuer, YESTERDAY, revocation(leaf.certificate, YESTERDAY))
    poll = await polled().poll([Subject(Target(HOST), ((leaf.certificate, issuer.certificate),))], NOW)
    assert poll.learned == ()
    assert "whose key may not sign lists" in poll.faults[0]


async def test_a_failure_is_tried_again_after_an_hour_then_less_often(ca: CaServer) -> None:
    """It is told each time, and not asked in between."""
    leaf = pki.issue(HOST, issuer=ROOT, names=[HOST], extra=[points(ca.url("leaf.crl"))])
    subject, source, now, pauses = Subject(Target(HOST), ((leaf.certificate,),)), polled(), NOW, []
    ca.statuses["leaf.crl"] = 503
    for _ in range(7):
        poll = await source.poll([subject], now)
        assert ["status 503" in fault for fault in poll.faults] == [True]
        pauses.append((poll.next_at - now) / HOUR)
        idle = await source.poll([subject], poll.next_at - timedelta(seconds=1))
        assert (idle.faults, idle.state) == ((), {})
        now = poll.next_at
    assert pauses == [1, 2, 4, 8, 16, 24, 24]
    assert len(ca.asked) == 7


async def test_a_list_that_fails_still_is_said_to_beside_one_that_was_read(ca: CaServer) -> None:
    """Else the one success would look as if the source were in order."""
    site, source = Site(ca), polled()
    ca.files["root.crl"] = revocation_list(ROOT, YESTERDAY, end=NOW + timedelta(minutes=90))
    ca.statuses["leaf.crl"] = 503
    for now in (NOW, NOW + HOUR):
        assert len((await source.poll([site.subject()], now)).faults) == 1
    ca.asked.clear()
    poll = await source.poll([site.subject()], NOW + timedelta(minutes=90))
    assert [asked.path for asked in ca.asked] == ["root.crl"]
    assert ["status 503" in fault for fault in poll.faults] == [True]
    del ca.statuses["leaf.crl"]
    ca.files["root.crl"] = revocation_list(ROOT, NOW)
    assert (await source.poll([site.subject()], NOW + 3 * HOUR)).faults == ()


async def test_a_server_that_cannot_be_reached_is_spared_its_other_lists() -> None:
    """One fault says so; another server is asked all the same."""
    async with CaServer() as dead, CaServer() as alive:
        site = Site(alive)
        leaves = [
            pki.issue(f"{n}.test", issuer=site.intermediate, names=[f"{n}.test"], extra=[points(dead.url(f"{n}.crl"))])
            for n in range(5)
        ]
    async with alive:
        chains = [(leaf.certificate, *site.chain[1:]) for leaf in leaves]
        subjects = [site.subject(), *(Subject(Target("many.test"), (chain,)) for chain in chains)]
        poll = await polled().poll(subjects, NOW)
        (fault,) = poll.faults
        assert f"{dead.origin} cannot be connected to" in fault
        assert "4 more questions to it wait" in fault
        assert {asked.path for asked in alive.asked} == {"leaf.crl", "root.crl"}
        assert poll.next_at == NOW + HOUR


async def test_the_next_place_is_tried_where_the_first_failed(ca: CaServer) -> None:
    """A certificate may name several places for the same list."""
    site = Site(ca, extra=[points(ca.url("gone.crl"), ca.url("leaf.crl"))])
    site.revoke_leaf()
    source = polled()
    assert (await source.poll([site.subject()], NOW)).learned == ()
    assert HOST in revoked(await source.poll([site.subject()], NOW + HOUR))


@pytest.mark.parametrize(
    "extension",
    [
        points("ldap://ldap.example.test/cn=ca"),
        points("https://ca.example.test/leaf.crl"),
        points(
            x509.DistributionPoint(
                [x509.UniformResourceIdentifier("http://ca.example.test/leaf.crl")],
                None,
                frozenset([ReasonFlags.key_compromise]),
                None,
            )
        ),
        points(
            x509.DistributionPoint(
                [x509.UniformResourceIdentifier("http://ca.example.test/leaf.crl")],
                None,
                None,
                [x509.DirectoryName(x509.load_der_x509_certificate(ROOT.certificate.der).subject)],
            )
        ),
        (x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.31"), b"\x04\x00"), False),
    ],
    ids=["ldap", "https", "some reasons", "another issuer", "malformed"],
)
async def test_places_that_are_no_use_are_a_fault_once_a_day(ca: CaServer, extension: Any) -> None:
    """Nothing is known then, and that is said without repeating it at every poll."""
    site, source = Site(ca, extra=[extension]), polled()
    first = await source.poll([site.subject()], NOW)
    assert [HOST in fault for fault in first.faults] == [True]
    assert (await source.poll([site.subject()], NOW + HOUR)).faults == ()
    assert len((await source.poll([site.subject()], NOW + DAY)).faults) == 1
    assert {asked.path for asked in ca.asked} == {"root.crl"}


async def test_a_certificate_without_places_is_no_fault(ca: CaServer) -> None:
    """Certificates of a few days have none, and need none."""
    site = Site(ca, extra=[])
    assert (await polled().poll([site.subject()], NOW)).faults == ()


async def test_a_large_list_is_read(ca: CaServer) -> None:
    """A hundred thousand entries, with the revoked one behind them, under a limit that just holds it."""
    site = Site(ca)
    moment = utc_time(YESTERDAY)
    numbers = [2**126 + n for n in range(100_000)] + [int.from_bytes(site.leaf.certificate.serial)]
    entries = b"".join(
        der.encode(der.SEQUENCE, der.encode(der.INTEGER, n.to_bytes(n.bit_length() // 8 + 1)) + moment) for n in numbers
    )
    ca.files["leaf.crl"] = raw_revocation_list(
        site.intermediate, moment, utc_time(NOW + DAY), der.encode(der.SEQUENCE, entries)
    )
    source = polled(limit=len(ca.files["leaf.crl"]))
    assert HOST in revoked(await source.poll([site.subject()], NOW))
    assert len(str(source.state)) < 2000, "the list must not be kept"


async def test_the_state_forgets_what_is_over(ca: CaServer) -> None:
    """Lists that nothing names, hosts that are not registered, certificates that have expired."""
    site, source = Site(ca, not_after=NOW + 10 * DAY), polled()
    site.revoke_leaf()
    await source.poll([site.subject(), site.subject("gone.example.test")], NOW)
    told = [key for key in source.state if key.startswith("told:")]
    assert len(told) == 2
    bare = Subject(Target(HOST))
    await source.poll([bare], NOW + HOUR)
    assert [key for key in source.state if key.startswith("told:")] == [key for key in told if HOST in key]
    assert len(source.state) == 3, "an endpoint that is silent for a while keeps its lists"
    await source.poll([bare], NOW + 3 * DAY)
    assert len(source.state) == 1
    await source.poll([bare], NOW + 11 * DAY)
    assert source.state == {}


async def test_a_revocation_that_was_taken_back_is_not_told_to_new_hosts(ca: CaServer) -> None:
    """As after a certificate was on hold."""
    site, source = Site(ca), polled()
    site.revoke_leaf()
    await source.poll([site.subject()], NOW)
    ca.files["leaf.crl"] = revocation_list(site.intermediate, NOW)
    poll = await source.poll([site.subject(), site.subject("new.example.test")], NOW + DAY)
    assert poll.learned == ()
