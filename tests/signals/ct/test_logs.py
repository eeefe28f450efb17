from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509

from monitord import pki
from monitord.config.signals import CtLogKind
from monitord.pinning.target import Target
from monitord.signals.ct.log import Limits
from monitord.signals.ct.logs import LogSource
from monitord.signals.fetch import Fetcher
from monitord.signals.ledger import Ledger
from monitord.signals.source import SourceName, Subject
from tests.signals.ct.conftest import HOST, ISSUER, ISSUERS, NOW, ROOT, facts, issued, logged, watching
from tests.support.acmeserver import say
from tests.support.ctentries import certificate_entry, filler, precertificate_entry, unknown_entry
from tests.support.ctlogs import Rfc6962Log
from tests.support.merkle import Tree, hash_of_leaf
from tests.support.polling import Polled

if TYPE_CHECKING:
    from datetime import datetime

    from monitord.signals.source import Poll
    from tests.support.ctentries import Entry
    from tests.support.ctlogs import LocalLog

MINUTES, HOUR, DAY = timedelta(minutes=5), timedelta(hours=1), timedelta(days=1)
NO_PROOF = "its entries do not hash to the root that it gives; they are not used, and will be read again"


class Watch(Polled):
    """A source for these logs, and its memory; each poll is five minutes after the one before, or as said."""

    def __init__(self, *logs: LocalLog, **options: Any) -> None:
        self.logs = logs
        self.now = NOW - MINUTES
        self.options = {"logs": [one.log for one in logs]} | options
        super().__init__(LogSource(Fetcher(timeout=5), **self.options))

    async def next(self, *hosts: str, after: timedelta = MINUTES, at: datetime | None = None) -> Poll:
        """The next poll, for these hosts."""
        self.now = at or self.now + after
        for one in self.logs:
            one.now = max(one.now, self.now)
        return await self.poll(watching(*hosts), self.now)

    def restarted(self) -> Watch:
        """The same after a restart: nothing but the state is left."""
        fresh = Watch(*self.logs, **self.options)
        fresh.now, fresh.state = self.now, self.state
        return fresh


async def test_a_certificate_is_told_at_the_poll_after_it_was_logged(log: LocalLog) -> None:
    """With its issuers, and where it was found; the log is asked again after the interval."""
    watch, one = Watch(log), issued()
    assert watch.source.name is SourceName.CT_LOG
    assert logged(await watch.next()) == []
    log.entries += [filler(3), one.logged_first, filler(4)]
    poll = await watch.next()
    assert logged(poll) == [(HOST, (one.precertificate, *ISSUERS))]
    (fact,) = facts(poll)
    assert (fact.source, fact.learned_at) == ("Certificate Transparency log Test Log, entry 4", watch.now)
    assert (poll.faults, poll.next_at) == ((), watch.now + MINUTES)
    assert (await watch.next()).learned == ()


async def test_precertificate_and_certificate_are_one_fact(log: LocalLog) -> None:
    """Whichever comes first; the certificate is kept, since it is what will be served."""
    watch, one, other = Watch(log), issued(), issued()
    await watch.next()
    log.entries += [one.logged_first, other.logged_later]
    ledger = Ledger()
    assert len(ledger.take_in("ct_log", (await watch.next()).learned).noted) == 2
    log.entries += [one.logged_later, other.logged_first]
    ledger.take_in("ct_log", (await watch.next()).learned)
    known = ledger.signals_for(Target(HOST)).logged
    assert {fact.chain for fact in known} == {(one.certificate, *ISSUERS), (other.certificate, *ISSUERS)}
    assert {fact.learned_at for fact in known} == {watch.now - MINUTES}


async def test_only_registered_names_are_told(log: LocalLog) -> None:
    """A wildcard covers one label; who is covered by one certificate learns of it each."""
    watch = Watch(log)
    hosts = (HOST, "www.example.test", "192.0.2.7")
    await watch.next(*hosts)
    both = issued("*.example.test")
    log.entries += [
        issued("example.test").logged_first,
        issued("deep.api.example.test").logged_first,
        issued("api.example.test.evil.test").logged_later,
        both.logged_first,
    ]
    poll = await watch.next(*hosts)
    chain = (both.precertificate, *ISSUERS)
    assert logged(poll) == [(HOST, chain), ("www.example.test", chain)]
    address, upper = issued("192.0.2.7", "other.test"), issued("API.Example.TEST")
    log.entries += [address.logged_later, upper.logged_later]
    poll = await watch.next(*hosts)
    assert [(host, chain[0]) for host, chain in logged(poll)] == [
        ("192.0.2.7", address.certificate),
        (HOST, upper.certificate),
    ]


async def test_the_name_is_the_one_that_the_certificate_must_carry(log: LocalLog) -> None:
    """An endpoint with a server name of its own learns under its host."""
    watch, one = Watch(log), issued("cdn.example.test")
    subjects = [Subject(Target("origin.example.test", server_name="cdn.example.test"))]
    await watch.poll(subjects, NOW)
    log.entries += [one.logged_first]
    assert [host for host, _ in logged(await watch.poll(subjects, NOW + MINUTES))] == ["origin.example.test"]


async def test_what_has_expired_is_no_news(log: LocalLog) -> None:
    """Somebody logs old certificates now and then."""
    watch = Watch(log)
    await watch.next()
    log.entries += [issued(not_before=NOW - 90 * DAY, not_after=NOW - HOUR).logged_later]
    poll = await watch.next()
    assert (poll.learned, poll.faults) == ((), ())


async def test_nothing_is_asked_when_nothing_is_registered(log: LocalLog) -> None:
    """And the state stays as it is."""
    watch = Watch(log)
    poll = await watch.poll([], NOW)
    assert (poll.learned, poll.state, log.calls) == ((), {}, [])
    assert poll.next_at == NOW + MINUTES


async def test_a_log_may_be_empty_at_first(log: LocalLog) -> None:
    """Then the first entry is new."""
    log.entries.clear()
    watch, one = Watch(log), issued()
    assert (await watch.next()).faults == ()
    log.entries.append(one.logged_first)
    assert [host for host, _ in logged(await watch.next())] == [HOST]


async def test_lookback_reads_the_last_entries_of_a_new_log(log: LocalLog) -> None:
    """As many as it says, also if there are fewer."""
    old, new = issued(), issued()
    log.entries += [old.logged_first, new.logged_first]
    poll = await Watch(log, limits=Limits(lookback=1)).next()
    assert [chain[0] for _, chain in logged(poll)] == [new.precertificate]
    poll = await Watch(log, limits=Limits(lookback=100)).next()
    assert ([chain[0] for _, chain in logged(poll)], poll.faults) == ([old.precertificate, new.precertificate], ())


def log_of(entries: list[Entry]) -> Tree:
    """The tree over these entries."""
    return Tree([hash_of_leaf(entry.leaf) for entry in entries])


class TestRestart:
    """What is kept between polls is all that a restart leaves."""

    async def test_reading_goes_on_where_it_stopped(self, log: LocalLog) -> None:
        """What was logged meanwhile is told, and nothing is asked for twice."""
        watch, one = Watch(log), issued()
        await watch.next()
        log.entries += [one.logged_first, *map(filler, range(300))]
        log.calls.clear()
        poll = await watch.restarted().next()
        assert [chain[0] for _, chain in logged(poll)] == [one.precertificate]
        assert poll.faults == ()
        assert not [call for call in log.calls if "start=0" in call or "proof" in call or call.startswith("tile/0")]

    async def test_a_log_is_not_asked_before_its_time(self, log: LocalLog) -> None:
        """Unless the clock was set back by more than any server may ask to wait."""
        watch = Watch(log)
        await watch.next()
        log.calls.clear()
        poll = await watch.restarted().next(after=MINUTES / 2)
        assert (log.calls, poll.next_at, dict(poll.state)) == ([], NOW + MINUTES, {})
        await watch.restarted().next(at=NOW - 30 * DAY)
        assert log.calls

    @pytest.mark.parametrize(
        "broken",
        [
            None,
            "junk",
            [],
            {"due": "yesterday"},
            {"due": "2026-03-01T12:00:00"},
            {"position": 5},
            {"position": -1},
            {"position": True},
            {"head": [3, "00", 1]},
            {"tree": [3]},
            {"tree": [2, "00" * 32]},
            {"proven": [4, "00" * 32]},
            {"faults": 7},
        ],
    )
    async def test_a_place_that_cannot_be_understood_is_given_up(self, log: LocalLog, broken: Any) -> None:
        """And it is said that something may have been missed."""
        watch = Watch(log)
        await watch.next()
        (key,) = watch.state
        watch.state[key] = watch.state[key] | broken if isinstance(broken, dict) else broken
        log.entries.append(issued().logged_first)
        poll = await watch.next()
        assert poll.learned == ()
        if broken is not None:
            assert "where its reading stood cannot be understood; it begins anew at its end" in poll.faults[0]
        log.entries.append(issued().logged_first)
        assert len((await watch.next()).learned) == 1

    async def test_a_log_that_is_no_longer_named_is_forgotten(self, log: LocalLog) -> None:
        """One that is named again begins at its end."""
        watch = Watch(log)
        await watch.next()
        watch.source = LogSource(Fetcher(timeout=5))
        await watch.next()
        assert watch.state == {}


class TestLies:
    """What an honest log does not do."""

    async def test_a_tree_head_that_its_key_did_not_sign_is_not_believed(self, log: LocalLog) -> None:
        """It is not read any further; what it had to tell is told once it signs again."""
        watch, one = Watch(log), issued()
        await watch.next()
        log.entries.append(one.logged_first)
        log.signer = pki.new_key()
        poll = await watch.next()
        what = "checkpoint" if log.kind is CtLogKind.TILED else "tree head"
        assert poll.faults == (f"Test Log: the signature of the {what} is not that of the log's key",)
        assert poll.learned == ()
        log.signer = log.key
        poll = await watch.next()
        assert (len(poll.learned), poll.faults) == (1, ())

    async def test_signatures_are_not_checked_without_a_key(self, log: LocalLog) -> None:
        """What can be seen without one still counts: growth and the root."""
        watch, one = Watch(log, logs=[replace(log.log, key=None)]), issued()
        log.signer = pki.new_key()
        await watch.next()
        log.entries.append(one.logged_first)
        poll = await watch.next()
        assert (len(poll.learned), poll.faults) == (1, ())
        log.published = 2
        assert "its tree has shrunk from 4 to 2 entries" in (await watch.next()).faults[0]

    async def test_a_key_that_is_none_is_a_fault(self, log: LocalLog) -> None:
        """The configuration refuses it; here it ends in a sentence too."""
        poll = await Watch(log, logs=[replace(log.log, key=b"junk")]).next()
        assert "not a public key" in poll.faults[0]

    async def test_two_trees_of_one_size(self, log: LocalLog) -> None:
        """Each signed: the log has forked."""
        watch = Watch(log)
        await watch.next()
        log.entries = [*log.entries[:-1], issued().logged_first]
        poll = await watch.next()
        assert poll.faults == ("Test Log: it gives two different roots for 3 entries, which no honest log does",)
        assert poll.learned == ()

    async def test_a_tree_that_grew_out_of_another(self, log: LocalLog) -> None:
        """What was read before is not in it, so nothing of it is used."""
        watch, one = Watch(log), issued()
        await watch.next()
        before = log.entries
        log.entries = [filler(99), *before[1:], one.logged_first]
        for _ in range(2):
            poll = await watch.next()
            assert (poll.learned, poll.faults) == ((), (f"Test Log: {NO_PROOF}",))
        log.entries = [*before, one.logged_first]
        poll = await watch.next()
        assert (len(poll.learned), poll.faults) == (1, ())

    async def test_a_tree_that_shrinks(self, log: LocalLog) -> None:
        """Signed later than the larger one."""
        watch = Watch(log)
        await watch.next()
        log.published = 2
        poll = await watch.next()
        sentence = "its tree has shrunk from 3 to 2 entries, which no honest log's does"
        assert poll.faults == (f"Test Log: {sentence}",)

    async def test_an_earlier_tree_head_is_no_shrinking(self, log: LocalLog) -> None:
        """A cache may show it; what stood before goes on to count."""
        watch, one = Watch(log), issued()
        await watch.next()
        log.entries.append(one.logged_first)
        await watch.next()
        log.published = 2
        log.now = NOW - HOUR
        log.answers = {log.head_path: say(body=log.head())}
        log.published = None
        poll = await watch.next()
        assert (poll.learned, poll.faults) == ((), ())
        log.answers.clear()
        two = issued()
        log.entries.append(two.logged_first)
        assert [chain[0] for _, chain in logged(await watch.next())] == [two.precertificate]

    async def test_entries_that_are_not_in_the_tree(self, log: LocalLog) -> None:
        """The signed root is another one: nothing is used until the root fits."""
        watch, one = Watch(log), issued()
        await watch.next()
        log.entries += [one.logged_first, filler(7)]
        log.root = bytes(32)
        poll = await watch.next()
        assert (poll.learned, poll.faults) == ((), (f"Test Log: {NO_PROOF}",))
        log.root = None
        log.entries.append(filler(8))
        poll = await watch.next()
        assert ([chain[0] for _, chain in logged(poll)], poll.faults) == ([one.precertificate], ())

    async def test_a_lie_in_a_backlog_is_found_at_its_end(self, log: LocalLog) -> None:
        """And all of the backlog is read again, from the last place that was confirmed."""
        watch, one, forged = Watch(log, limits=Limits(entries=100)), issued(), issued()
        await watch.next()
        true = [*log.entries, one.logged_first, *map(filler, range(150))]
        log.entries, log.root = [*log.entries, forged.logged_first, *true[4:]], log_of(true).root()
        poll = await watch.next()
        assert ([chain[0] for _, chain in logged(poll)], poll.faults) == ([forged.precertificate], ())
        log.entries, log.root = true, None
        assert (await watch.next()).faults == (f"Test Log: {NO_PROOF}",)
        poll = await watch.next()
        assert ([chain[0] for _, chain in logged(poll)], poll.faults) == ([one.precertificate], ())
        assert (await watch.next()).faults == ()

    async def test_a_log_whose_root_is_wrong_from_the_start(self, log: LocalLog) -> None:
        """Nothing is read until it is right, and then from its end on."""
        watch, one = Watch(log), issued()
        log.root = bytes(32)
        assert (await watch.next()).faults == (f"Test Log: {NO_PROOF}",)
        log.entries.append(one.logged_first)
        assert (await watch.next()).faults == (f"Test Log: {NO_PROOF}",)
        log.root = None
        poll = await watch.next()
        assert (poll.learned, poll.faults) == ((), ())

    async def test_a_log_that_signs_nothing_new_is_told(self, log: LocalLog) -> None:
        """Within its maximum merge delay it has to; after two days it is a fault, unless it is known to be frozen."""
        watch, frozen_log = Watch(log), Watch(log, logs=[replace(log.log, frozen=True)])
        await watch.poll(watching(), NOW)
        assert (await watch.poll(watching(), NOW + 2 * DAY)).faults == ()
        poll = await watch.poll(watching(), NOW + 2 * DAY + HOUR)
        assert poll.faults == ("Test Log: it has signed no tree head since 2026-03-01 12:00 UTC",)
        assert (await frozen_log.poll(watching(), NOW + 9 * DAY)).faults == ()


class TestTrouble:
    """What a server may answer instead."""

    @pytest.mark.parametrize(
        ("status", "body", "sentence"),
        [
            (500, b"", "answered with status 500"),
            (404, b"<html>", "answered with status 404"),
            (200, b"<html>", "cannot be read"),
            (200, b"x" * 300_000, "answered with more than"),
        ],
    )
    async def test_its_tree_head(self, log: LocalLog, status: int, body: bytes, sentence: str) -> None:
        """One sentence that stays the same; the log is asked again as usual, and nothing was lost."""
        watch, one = Watch(log), issued()
        await watch.next()
        log.entries.append(one.logged_first)
        log.answers = {log.head_path: say(status, body)}
        first, second = await watch.next(), await watch.next()
        assert sentence in first.faults[0]
        assert first.faults == second.faults
        assert (second.learned, second.next_at) == ((), watch.now + MINUTES)
        log.answers.clear()
        poll = await watch.next()
        assert ([chain[0] for _, chain in logged(poll)], poll.faults) == ([one.precertificate], ())

    @pytest.mark.parametrize(
        ("status", "body", "sentence"),
        [
            (500, b"", "answered with status 500"),
            (200, b"<html>", "cannot be read"),
            (200, b'{"entries": [{}]}', "cannot be read"),
            (200, b"x" * (33 * 1024 * 1024), "answered with more than"),
        ],
    )
    async def test_its_entries(self, log: LocalLog, status: int, body: bytes, sentence: str) -> None:
        """They are read again at the next poll."""
        watch, one = Watch(log), issued()
        await watch.next()
        log.entries.append(one.logged_first)
        log.answers = {log.entries_path: say(status, body)}
        poll = await watch.next()
        assert sentence in poll.faults[0]
        assert poll.learned == ()
        log.answers.clear()
        poll = await watch.next()
        assert ([chain[0] for _, chain in logged(poll)], poll.faults) == ([one.precertificate], ())

    async def test_a_log_that_wants_to_be_left_alone_is(self, log: LocalLog) -> None:
        """For as long as it says, and a day at most; meanwhile its fault is told on."""
        watch = Watch(log)
        log.answers = {log.head_path: say(429, headers={"Retry-After": "3600"})}
        poll = await watch.next()
        origin = log.url.removesuffix("/2026/")
        assert (poll.faults, poll.next_at) == ((f"Test Log: {origin} answered with status 429",), NOW + HOUR)
        log.calls.clear()
        again = await watch.restarted().next(after=HOUR / 2)
        assert (again.faults, log.calls) == (poll.faults, [])
        log.answers = {log.head_path: say(503, headers={"Retry-After": "999999999999"})}
        assert (await watch.next(at=NOW + HOUR)).next_at == NOW + HOUR + DAY
        log.answers.clear()
        assert (await watch.next(at=NOW + HOUR + DAY)).faults == ()

    async def test_a_log_that_cannot_be_reached(self, log: LocalLog) -> None:
        """Another one beside it is read as ever, and the fault stays while only that one is due."""
        one = issued()
        async with Rfc6962Log(NOW) as other:
            named = replace(other.log, name="Other Log")
            watch = Watch(other, log, logs=[log.log, named], limits=Limits(entries=2))
            await watch.next()
            await log.__aexit__()
            other.entries += [*map(filler, range(3)), one.logged_first]
            poll = await watch.next()
            assert "cannot be connected to" in poll.faults[0]
            assert poll.next_at == watch.now + timedelta(seconds=15)
            again = await watch.next(after=timedelta(seconds=15))
            assert [chain[0] for _, chain in logged(again)] == [one.precertificate]
            assert again.faults == poll.faults

    async def test_one_fault_for_each_log_up_to_ten(self) -> None:
        """The rest is counted."""
        nowhere = Rfc6962Log(NOW)
        nowhere.port = 1
        logs = [replace(nowhere.log, url=f"http://127.0.0.1:1/{number}") for number in range(30)]
        poll = await Watch(logs=logs).next()
        assert len(poll.faults) == 11
        assert poll.faults[-1] == "and 20 more like this"


class TestAmount:
    """How much is read at a time."""

    async def test_a_backlog_is_read_up_in_portions(self, log: LocalLog) -> None:
        """Soon after one another; what is found counts at once."""
        watch = Watch(log, limits=Limits(entries=100))
        await watch.next()
        first, last = issued(), issued()
        log.entries += [first.logged_first, *map(filler, range(340)), last.logged_first]
        found, soon = [], timedelta(seconds=15)
        for after in (MINUTES, soon, soon, soon):
            poll = await watch.next(after=after)
            assert poll.faults == ()
            found.append([chain[0] for _, chain in logged(poll)])
        assert found == [[first.precertificate], [], [], [last.precertificate]]
        assert poll.next_at == watch.now + MINUTES

    async def test_a_hopeless_backlog_is_skipped(self, log: LocalLog) -> None:
        """It is said how much nobody looks at; the end is read and proven."""
        watch = Watch(log, limits=Limits(entries=50, backlog=500))
        await watch.next()
        lost, found = issued(), issued()
        log.entries += [lost.logged_first, *map(filler, range(600)), found.logged_first]
        poll = await watch.next()
        assert [chain[0] for _, chain in logged(poll)] == [found.precertificate]
        (fault,) = poll.faults
        assert fault.startswith("Test Log: 602 entries behind, more than can be read up; 552 of them are skipped, and ")
        log.entries.append(filler(1))
        assert (await watch.next()).faults == ()
        log.root = bytes(32)
        log.entries.append(filler(2))
        assert (await watch.next()).faults == (f"Test Log: {NO_PROOF}",)

    async def test_what_there_is_no_time_for_is_left_over(self, log: LocalLog) -> None:
        """It is due at once, and nothing is asked after the time of the poll is used up."""
        watch = Watch(log)
        await watch.next()
        log.calls.clear()
        hurried = Watch(log, limits=Limits(seconds=-1))
        hurried.state, hurried.now = watch.state, watch.now
        poll = await hurried.next()
        assert (log.calls, poll.next_at, poll.faults) == ([], NOW + MINUTES, ())
        log.entries.append(issued().logged_first)
        watch.state = hurried.state
        assert len((await watch.next()).learned) == 1


class TestEntries:
    """What entries may hold."""

    async def faults_of(self, log: LocalLog, *entries: Entry) -> tuple[str, ...]:
        """What is said of these entries, before a good one that is found in any case."""
        watch, good = Watch(log), issued()
        await watch.next()
        log.entries += [*entries, good.logged_first]
        poll = await watch.next()
        assert [chain[0] for _, chain in logged(poll)] == [good.precertificate]
        assert (await watch.next()).faults == ()
        return poll.faults

    async def test_certificates_of_others_may_be_broken(self, log: LocalLog) -> None:
        """Nobody here has to read them."""
        assert await self.faults_of(log, filler(9), certificate_entry(b""), certificate_entry(b"\xff" * 40)) == ()

    async def test_a_certificate_for_a_registered_name_that_cannot_be_read(self, log: LocalLog) -> None:
        """It is told, for it might matter; several are one sentence."""
        one = issued()
        broken = precertificate_entry(b"junk", one.tbs, *one.issuers)
        (fault,) = await self.faults_of(log, broken, filler(5), broken)
        assert fault.startswith("Test Log: entry 3 cannot be used: not a readable certificate: ")
        assert fault.endswith(", and 1 more like it")

    async def test_another_precertificate_beside_the_one_in_the_tree(self, log: LocalLog) -> None:
        """A log could put anything there."""
        one, other = issued(), issued()
        swapped = precertificate_entry(other.precertificate, one.tbs, *one.issuers)
        elsewhere = precertificate_entry(issued("other.test").precertificate, one.tbs, *one.issuers)
        sentence = "cannot be used: the precertificate beside the entry is not the one in the log's tree"
        assert await self.faults_of(log, swapped) == (f"Test Log: entry 3 {sentence}",)
        assert await self.faults_of(log, elsewhere) == (f"Test Log: entry 5 {sentence}",)

    async def test_another_issuer_beside_the_one_in_the_tree(self, log: LocalLog) -> None:
        """The chain would be judged by it."""
        one, wrong = issued(), pki.issue("Test Issuer", issuer=ROOT)
        entry = precertificate_entry(one.precertificate, one.tbs, *one.issuers)
        swapped = replace(entry, issuers=(wrong.certificate.der,))
        (fault,) = await self.faults_of(log, swapped)
        assert fault.endswith("the issuer beside the entry is not the one in the log's tree")

    async def test_a_precertificate_that_another_ca_has_signed(self, log: LocalLog) -> None:
        """Its issuer is not that of the certificate, so the certificate is waited for."""
        usage = x509.ExtendedKeyUsage([x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.4")])
        signer = pki.issue("Precertificate Signing", issuer=ISSUER, ca=True, extra=[(usage, False)])
        key, serial = pki.new_key(), x509.random_serial_number()
        common: dict[str, Any] = {"key": key, "names": [HOST], "serial": serial, "not_after": NOW + 90 * DAY}
        submitted = pki.issue(HOST, issuer=signer, extra=[(x509.PrecertPoison(), True)], **common).certificate
        entry = replace(
            precertificate_entry(submitted, issued().tbs, *ISSUERS),
            issuers=(signer.certificate.der, *(one.der for one in ISSUERS)),
        )
        (fault,) = await self.faults_of(log, entry)
        assert fault.endswith("the certificate itself counts once it is logged")

    async def test_issuers_that_cannot_be_read_are_left_out(self, log: LocalLog) -> None:
        """The certificate counts all the same."""
        watch, one = Watch(log), issued()
        await watch.next()
        log.entries.append(replace(one.logged_later, issuers=(ISSUER.certificate.der, b"junk", ROOT.certificate.der)))
        assert logged(await watch.next()) == [(HOST, (one.certificate, ISSUER.certificate))]

    async def test_an_entry_of_a_kind_that_is_new(self) -> None:
        """By RFC 6962 it is one that is told and passed over; the tree holds it nevertheless."""
        async with Rfc6962Log(NOW, *map(filler, range(3))) as log:
            faults = await self.faults_of(log, unknown_entry())
        assert faults == ("Test Log: entry 3 cannot be used: its type of entry is 32639, which RFC 6962 does not know",)
