from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from monitord import pki
from monitord.config.faults import UnfitError
from monitord.pinning.evidence import DnsAnswer
from monitord.pinning.target import ConnectAddress, Proxy, Target
from monitord.signals.caa import CaaRecord, permitted
from monitord.signals.dns import DnsSource
from monitord.signals.source import SourceName, Subject
from tests.support.dnsserver import DnsServer
from tests.support.polling import Polled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from monitord.signals.source import Poll

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
HOST = "api.example.test"
A = {"A": ["192.0.2.1"]}


@pytest.fixture
async def server() -> AsyncIterator[DnsServer]:
    """A resolver that knows the host, which is no alias and has no CAA."""
    async with DnsServer({HOST: A}) as running:
        yield running


def polled(server: DnsServer, **options: float) -> Polled:
    """A source that asks this resolver."""
    return Polled(DnsSource(resolvers=[server.address], **{"timeout": 5.0, **options}))  # type: ignore[arg-type]


def subject(host: str = HOST, *leaf_names: str) -> Subject:
    """An endpoint, and a leaf with these names if there are any."""
    chains = ((pki.issue(host, names=leaf_names, ca=False).certificate,),) if leaf_names else ()
    return Subject(Target(host), chains)


def answers(poll: Poll) -> dict[str, DnsAnswer]:
    """What was learned, by host."""
    found = {one.host: one.fact for one in poll.learned if isinstance(one.fact, DnsAnswer)}
    assert len(found) == len(poll.learned)
    return found


async def test_the_first_answer_is_told_then_only_what_changed(server: DnsServer) -> None:
    """The order of records is no change, nor is a restart."""
    server.zone[HOST] = {"CNAME": ["edge.cdn.test."]}
    server.zone |= {"edge.cdn.test": {"CNAME": ["Pop7.CDN.test."]}, "pop7.cdn.test": A}
    server.zone["example.test"] = {"CAA": ['0 issue "ca.test"', '0 issue "Other.test; policy=ev"']}
    source = polled(server)
    assert source.source.name is SourceName.DNS
    first = await source.poll([subject()], NOW)
    assert answers(first) == {HOST: DnsAnswer(NOW, ("edge.cdn.test", "pop7.cdn.test"), ("ca.test", "other.test"))}
    assert (first.next_at, first.faults) == (NOW + QUARTER, ())
    server.zone["example.test"]["CAA"].reverse()
    assert (await source.poll([subject()], NOW + QUARTER)).learned == ()
    server.zone[HOST] = A
    moved = await source.poll([subject()], NOW + 2 * QUARTER)
    assert answers(moved) == {HOST: DnsAnswer(NOW + 2 * QUARTER, (), ("ca.test", "other.test"))}
    del server.zone["example.test"]
    freed = await source.poll([subject()], NOW + 3 * QUARTER)
    assert answers(freed)[HOST].caa is None


async def test_names_that_the_probe_does_not_look_up_are_not_asked_for(server: DnsServer) -> None:
    """Addresses, fixed addresses and proxies."""
    targets = [
        Target("192.0.2.1"),
        Target("2001:db8::1"),
        Target(HOST, connect_to=(ConnectAddress("192.0.2.1"),)),
        Target(HOST, proxy=Proxy("proxy.test", 3128)),
    ]
    poll = await polled(server).poll([Subject(target) for target in targets], NOW)
    assert (poll.learned, poll.faults, server.asked) == ((), (), [])


async def test_a_host_with_several_ports_is_asked_for_once(server: DnsServer) -> None:
    """One host, one answer; and what several names have in common is looked up once."""
    server.zone["www.example.test"] = A
    subjects = [Subject(Target(HOST, port)) for port in (443, 8443)] + [subject("www.example.test")]
    poll = await polled(server).poll(subjects, NOW)
    assert set(answers(poll)) == {HOST, "www.example.test"}
    assert sorted(server.asked) == [
        f"{HOST}/A",
        f"{HOST}/CAA",
        "example.test/CAA",
        "test/CAA",
        "www.example.test/A",
        "www.example.test/CAA",
    ]


async def test_caa_of_the_name_hides_that_of_its_parents(server: DnsServer) -> None:
    """The nearest name that has any decides, also if it restricts nothing (RFC 8659 section 3)."""
    server.zone["example.test"] = {"CAA": ['0 issue "parent.test"']}
    server.zone[HOST] = {**A, "CAA": ['0 issue "own.test"']}
    source = polled(server)
    assert answers(await source.poll([subject()], NOW))[HOST].caa == ("own.test",)
    server.zone[HOST]["CAA"] = ['0 iodef "mailto:ca@example.test"']
    assert answers(await source.poll([subject()], NOW + QUARTER))[HOST].caa is None
    del server.zone[HOST]["CAA"]
    assert answers(await source.poll([subject()], NOW + 2 * QUARTER))[HOST].caa == ("parent.test",)


async def test_caa_is_that_of_what_the_name_is_an_alias_of(server: DnsServer) -> None:
    """Aliases are followed at each name, and the parents are those of the name itself."""
    server.zone[HOST] = {"CNAME": ["edge.cdn.test."]}
    server.zone |= {
        "edge.cdn.test": {**A, "CAA": ['0 issue "cdn-ca.test"']},
        "cdn.test": {"CAA": ['0 issue "no.test"']},
    }
    assert answers(await polled(server).poll([subject()], NOW))[HOST].caa == ("cdn-ca.test",)
    assert "cdn.test/CAA" not in server.asked


async def test_a_wildcard_certificate_is_issued_by_issuewild_of_the_parent(server: DnsServer) -> None:
    """What the served leaf is named tells which records its renewal is bound by."""
    server.zone["example.test"] = {"CAA": ['0 issue "plain.test"', '0 issuewild "wild.test"']}
    server.zone["one.example.test"] = A
    source = polled(server)
    poll = await source.poll([subject(HOST, "*.example.test", "other.test"), subject("one.example.test", HOST)], NOW)
    assert answers(poll)[HOST].caa == ("wild.test",)
    assert answers(poll)["one.example.test"].caa == ("plain.test",), "a leaf for other names says nothing"
    both = await source.poll([subject(HOST, "*.example.test"), subject(HOST, HOST)], NOW + QUARTER)
    assert answers(both)[HOST].caa == ("plain.test", "wild.test")


async def test_the_certificates_name_decides_about_caa(server: DnsServer) -> None:
    """A server_name that differs from the host is what certificates are issued for."""
    server.zone["public.test"] = {"CAA": ['0 issue "ca.test"']}
    target = Target(HOST, server_name="public.test")
    assert answers(await polled(server).poll([Subject(target)], NOW))[HOST] == DnsAnswer(NOW, (), ("ca.test",))
    poll = await polled(server).poll([Subject(Target(HOST, server_name="192.0.2.1"))], NOW)
    assert answers(poll)[HOST].caa is None


@pytest.mark.parametrize(
    ("spoilt", "reason"),
    [
        (f"{HOST}/A", "every resolver refused or failed"),
        (f"{HOST}/CAA", "every resolver refused or failed"),
        ("example.test/CAA", "every resolver refused or failed"),
    ],
)
async def test_a_failure_is_no_answer_and_a_fault_when_it_lasts(server: DnsServer, spoilt: str, reason: str) -> None:
    """What was known stays, "no CAA" is not concluded, and the way back is no news."""
    server.zone["example.test"] = {"CAA": ['0 issue "ca.test"']}
    server.zone["two.test"] = A
    source, subjects = polled(server), [subject(), subject("two.test")]
    await source.poll(subjects, NOW)
    server.failing.add(spoilt)
    polls = [await source.poll(subjects, NOW + n * QUARTER) for n in range(1, 5)]
    assert [poll.learned for poll in polls] == [()] * 4
    assert [len(poll.faults) for poll in polls] == [0, 0, 1, 1]
    assert polls[3].faults == (f"DNS gave no answer about {HOST} 4 times in a row: {reason}",)
    server.failing.clear()
    back = await source.poll(subjects, NOW + 5 * QUARTER)
    assert (back.learned, back.faults) == ((), ())
    server.failing.add(spoilt)
    assert (await source.poll(subjects, NOW + 6 * QUARTER)).faults == ()


async def test_a_name_that_does_not_exist_is_no_answer(server: DnsServer) -> None:
    """It is not "no alias any more": the probe may know it from elsewhere."""
    source = polled(server)
    polls = [await source.poll([subject("gone.test")], NOW + n * QUARTER) for n in range(3)]
    assert [poll.learned for poll in polls] == [()] * 3
    assert polls[2].faults == ("DNS gave no answer about gone.test 3 times in a row: there is no such name",)


async def test_a_resolver_that_is_silent_is_given_up_in_time(server: DnsServer) -> None:
    """Each lookup has its deadline."""
    server.silent.add(HOST)
    source = polled(server, timeout=0.2)
    polls = [await source.poll([subject()], NOW + n * QUARTER) for n in range(3)]
    assert polls[2].faults == (f"DNS gave no answer about {HOST} 3 times in a row: it did not answer in time",)


async def test_many_failures_are_one_handful_of_sentences(server: DnsServer) -> None:
    """However many names there are."""
    source, subjects = polled(server), [subject(f"gone{n}.test") for n in range(20)]
    polls = [await source.poll(subjects, NOW + n * QUARTER) for n in range(3)]
    assert len(polls[2].faults) == 4
    assert polls[2].faults[-1] == "and 17 more like this"


async def test_a_long_answer_is_fetched_by_tcp(server: DnsServer) -> None:
    """As resolvers tell by truncating it."""
    server.zone["example.test"] = {"CAA": [f'0 issue "ca{n}.test"' for n in range(80)]}
    server.truncating = True
    assert len(answers(await polled(server).poll([subject()], NOW))[HOST].caa or ()) == 80


async def test_names_that_lead_nowhere_are_failures(server: DnsServer) -> None:
    """Aliases of each other, and names that cannot be asked for."""
    server.zone |= {"one.test": {"CNAME": ["two.test."]}, "two.test": {"CNAME": ["one.test."]}}
    names = ["one.test", "a" * 70 + ".test", "double..dot.test"]
    source = polled(server)
    polls = [await source.poll([subject(name) for name in names], NOW + n * QUARTER) for n in range(3)]
    assert len(polls[2].faults) == 3
    assert all(poll.learned == () for poll in polls)


async def test_hosts_that_are_no_longer_registered_are_forgotten(server: DnsServer) -> None:
    """And told anew if they come back."""
    source = polled(server)
    await source.poll([subject()], NOW)
    await source.poll([], NOW + QUARTER)
    assert [key for key in source.state if HOST in key] == []
    assert HOST in answers(await source.poll([subject()], NOW + 2 * QUARTER))


async def test_the_systems_resolver_is_used_where_none_is_named() -> None:
    """Nothing is asked here: there are no names."""
    poll = await Polled(DnsSource()).poll([], NOW)
    assert (poll.faults, poll.next_at) == ((), NOW + QUARTER)


def test_a_resolver_must_be_an_address() -> None:
    """Its name could not be looked up."""
    with pytest.raises(UnfitError, match="is not an IP address"):
        DnsSource(resolvers=["dns.example.test"])


@pytest.mark.parametrize(
    ("records", "wildcard", "issuers"),
    [
        ([], False, None),
        ([(0, "issue", b"ca.test")], False, ("ca.test",)),
        ([(0, "issue", b"ca.test")], True, ("ca.test",)),
        ([(0, "issuewild", b"ca.test")], False, None),
        ([(0, "issuewild", b"ca.test"), (0, "issue", b"other.test")], False, ("other.test",)),
        ([(0, "issue", b";")], False, ()),
        ([(0, "issue", b"")], False, ()),
        ([(0, "issue", b" ca.test ; account=230123")], False, ("ca.test",)),
        ([(0, "issue", b"%%%%%")], False, ()),
        ([(0, "issue", b"ca1.example.net; policy = ev=1 \xff")], False, ("ca1.example.net",)),
        ([(0, "issue", b";"), (0, "issue", b"ca.test")], False, ("ca.test",)),
        ([(0, "iodef", b"mailto:a@b.test")], False, None),
        ([(128, "iodef", b"mailto:a@b.test")], False, None),
        ([(128, "tbs", b"Unknown")], False, ()),
        ([(128, "tbs", b"Unknown"), (0, "issue", b"ca.test")], False, ()),
        ([(0, "tbs", b"Unknown")], False, None),
    ],
)
def test_who_may_issue(records: list[tuple[int, str, bytes]], wildcard: bool, issuers: tuple[str, ...] | None) -> None:
    """The cases of RFC 8659 section 4."""
    assert permitted([CaaRecord(*record) for record in records], wildcard=wildcard) == issuers
