"""DNS: the chain of aliases of each registered name, and the CAs that its CAA records permit.

A name that becomes an alias of something else is a move to another CDN or host, and usually to another certificate. CAA
that no longer permits a CA says that the next certificate comes from another one.

A failure is not an answer: it changes nothing, and becomes a fault when it lasts. So does a name that DNS does not
have, since the probe may know it from elsewhere (a hosts file, another view of the zone).
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import dns.asyncresolver
import dns.exception
import dns.name
import dns.nameserver
import dns.rdatatype
import dns.resolver

from monitord.config.hosts import parse_connect_address
from monitord.pinning.evidence import DnsAnswer
from monitord.pinning.extensions import read_profile
from monitord.signals.asking import PATIENCE_SECONDS, join
from monitord.signals.caa import CaaRecord, permitted
from monitord.signals.source import Learned, Poll, SourceName

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from monitord.pinning.target import ConnectAddress
    from monitord.signals.source import Subject

REPEATED = 3
"""After this many failures in a row, a name that cannot be looked up is a fault."""
_AT_ONCE = 16
_PORT = 53
_PAYLOAD = 1232  # bytes of an answer by UDP that no network has to cut up (as of DNS flag day 2020)
_HOST, _CHECKED = "host:", "checked"


@dataclass(frozen=True, slots=True)
class _Form:
    """A name in a certificate; ``wildcard``: the one below which it is for every name."""

    name: str
    wildcard: bool = False


class DnsSource:
    """The aliases and the CAA records of every registered name that the probe looks up in DNS."""

    name = SourceName.DNS

    def __init__(
        self, *, resolvers: Sequence[str] = (), every: timedelta = timedelta(minutes=15), timeout: float = 5.0
    ) -> None:
        """``resolvers`` are addresses, with a port or without; none: the system's. ``timeout``: seconds for a lookup.

        Raises UnfitError for an address that is none.
        """
        self._resolvers = tuple(parse_connect_address(text) for text in resolvers)
        self._every = every
        self._timeout = timeout

    async def poll(self, subjects: Sequence[Subject], state: Mapping[str, Any], now: datetime) -> Poll:
        """Look up every name, and tell the answers that are new."""
        wanted = _wanted(subjects)
        gone = {key: None for key in state if key.startswith(_HOST) and key.removeprefix(_HOST) not in wanted}
        next_at = now + self._every
        if not wanted:
            return Poll(next_at, state=gone)
        try:
            lookups = _Lookups(_resolver(self._resolvers, self._timeout))
        except dns.exception.DNSException as error:
            return Poll(next_at, state=gone, faults=(f"the system names no DNS resolver: {_explain(error)}",))
        learned: list[Learned] = []
        notes: dict[str, Any] = {_CHECKED: now.isoformat(), **gone}
        faults: list[str] = []
        for host, answer in (await lookups.answers(wanted)).items():
            noted = state.get(_HOST + host, {})
            if isinstance(answer, dns.exception.DNSException):
                failures = noted.get("failures", 0) + 1
                notes[_HOST + host] = {**noted, "failures": failures}
                if failures >= REPEATED:
                    faults.append(f"DNS gave no answer about {host} {failures} times in a row: {_explain(answer)}")
                continue
            found = {"cname": answer.cname, "caa": answer.caa, "failures": 0}
            if found != noted:
                notes[_HOST + host] = found
            if any(found[key] != noted.get(key, ...) for key in ("cname", "caa")):
                caa = None if answer.caa is None else tuple(answer.caa)
                learned.append(Learned(host, DnsAnswer(now, tuple(answer.cname), caa)))
        return Poll(next_at, tuple(learned), notes, join(faults))


@dataclass(frozen=True, slots=True)
class _Answer:
    """What DNS says of a host; lists, as JSON has them."""

    cname: list[str]
    caa: list[str] | None


class _Lookups:
    """The lookups of one poll; what several names have in common, such as their parents, is looked up once."""

    def __init__(self, resolver: dns.asyncresolver.Resolver) -> None:
        self._resolver = resolver
        self._records: dict[dns.name.Name, tuple[CaaRecord, ...] | dns.exception.DNSException] = {}
        self._locks: dict[dns.name.Name, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self._end = asyncio.get_running_loop().time() + PATIENCE_SECONDS

    async def answers(self, wanted: Mapping[str, frozenset[_Form]]) -> dict[str, _Answer | dns.exception.DNSException]:
        """What was found about each host; nothing about those whose turn did not come."""
        found = await asyncio.gather(*(self._look(host, forms) for host, forms in wanted.items()))
        return {host: answer for host, answer in zip(wanted, found, strict=True) if answer is not None}

    async def _look(self, host: str, forms: frozenset[_Form]) -> _Answer | dns.exception.DNSException | None:
        async with self._turn:
            if asyncio.get_running_loop().time() > self._end:
                return None
            try:
                aliases = await self._aliases(dns.name.from_text(host))
                return _Answer(aliases, await self._permitted(forms))
            except dns.exception.DNSException as error:
                return error

    async def _aliases(self, name: dns.name.Name) -> list[str]:
        """Where the name leads, one alias after the other; empty where it is none."""
        answer = await self._resolver.resolve(name, dns.rdatatype.A, raise_on_no_answer=False, search=False)
        return [_text(record.target) for records in answer.chaining_result.cnames for record in records]

    async def _permitted(self, forms: frozenset[_Form]) -> list[str] | None:
        """The CAs that may issue in any of these forms; None: any CA may in one of them, or there is no name."""
        issuers: set[str] = set()
        if not forms:
            return None
        for form in forms:
            found = permitted(await self._relevant(dns.name.from_text(form.name)), wildcard=form.wildcard)
            if found is None:
                return None
            issuers.update(found)
        return sorted(issuers)

    async def _relevant(self, name: dns.name.Name) -> Sequence[CaaRecord]:
        """The records of the name, or of the nearest parent that has any (RFC 8659 section 3)."""
        while name != dns.name.root:
            async with self._locks[name]:
                if name not in self._records:
                    self._records[name] = await self._caa(name)
            records = self._records[name]
            if isinstance(records, dns.exception.DNSException):
                raise records
            if records:
                return records
            name = name.parent()
        return ()

    async def _caa(self, name: dns.name.Name) -> tuple[CaaRecord, ...] | dns.exception.DNSException:
        """The records of exactly this name, or of what it is an alias of; none where there is no such name."""
        try:
            answer = await self._resolver.resolve(name, dns.rdatatype.CAA, raise_on_no_answer=False, search=False)
        except dns.resolver.NXDOMAIN:
            return ()
        except dns.exception.DNSException as error:
            return error
        return tuple(
            CaaRecord(record.flags, record.tag.decode("ascii", "replace").lower(), record.value)
            for record in answer.rrset or ()
        )


def _wanted(subjects: Sequence[Subject]) -> dict[str, frozenset[_Form]]:
    """The hosts that the probe looks up in DNS, and the names for which certificates are issued to them."""
    wanted: dict[str, set[_Form]] = defaultdict(set)
    for subject in subjects:
        target = subject.target
        if not (target.connect_to or target.proxy or _is_address(target.host)):
            wanted[target.host].update(_forms(subject))
    return {host: frozenset(forms) for host, forms in wanted.items()}


def _forms(subject: Subject) -> Iterator[_Form]:
    """How the served certificates name the host: as it is, or by a wildcard; as it is where that is not known."""
    name = subject.target.name.lower()
    if _is_address(name):
        return
    parent = name.partition(".")[2]
    found: set[_Form] = set()
    for chain in subject.chains:
        names = {one.text.lower() for one in read_profile(chain[0]).alternative_names or () if one.kind == "dns"}
        if name in names:
            found.add(_Form(name))
        elif f"*.{parent}" in names:
            found.add(_Form(parent, wildcard=True))
    yield from found or {_Form(name)}


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _resolver(addresses: Sequence[ConnectAddress], timeout: float) -> dns.asyncresolver.Resolver:
    """A resolver anew for each poll, since the system's file may change. Raises DNSException if that names none."""
    resolver = dns.asyncresolver.Resolver(configure=not addresses)
    if addresses:
        resolver.nameservers = [dns.nameserver.Do53Nameserver(one.address, one.port or _PORT) for one in addresses]
    resolver.lifetime = timeout
    resolver.use_edns(0, 0, _PAYLOAD)
    return resolver


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower()


def _explain(error: dns.exception.DNSException) -> str:
    match error:
        case dns.resolver.NXDOMAIN():
            return "there is no such name"
        case dns.resolver.LifetimeTimeout():
            return "it did not answer in time"
        case dns.resolver.NoNameservers():
            return "every resolver refused or failed"
        case dns.resolver.NoResolverConfiguration():
            return "/etc/resolv.conf cannot be read"
        case _:
            return type(error).__name__
