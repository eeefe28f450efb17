"""The events of a story: what happens, at which time, where."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitord.config.faults import UnfitError
from monitord.pinning.certificate import KeyType
from monitord.replay.pinsets import read_changes
from monitord.replay.section import Section, flag, host, label, one_of, text, time, time_or_never
from monitord.replay.story import (
    RSA_PREFIX,
    Distrusted,
    Event,
    Logged,
    Reachability,
    Repinned,
    Resolved,
    Revoked,
    Served,
    Staged,
    Suggested,
    Trusted,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime
    from typing import Any

    from monitord.config.document import MarkedList
    from monitord.config.environment import Location
    from monitord.replay.section import Findings
    from monitord.replay.story import CertificatePlan, Happening

    Take = Callable[["EventReader", Section], Happening | None]

_CERTIFICATE = "the name of a certificate"
_SCOPES = {"address": ("serve", "unreachable"), "key_type": ("serve", "unreachable"), "store": ("trust",)}


class EventReader:
    """Reads the events of one story, which may name these certificates and pin sets."""

    def __init__(
        self, findings: Findings, certificates: Mapping[str, CertificatePlan], pinsets: tuple[str, ...]
    ) -> None:
        """A reader whose faults go to ``findings``."""
        self.findings = findings
        self.certificates = certificates
        self.pinsets = pinsets
        self.certificate = one_of(certificates, _CERTIFICATE)

    def read(self, events: MarkedList, missing: datetime) -> Iterator[Event]:
        """Every event that makes sense; ``missing`` stands for a time that cannot be read."""
        for position, value in enumerate(events):
            at: Location = ("events", position)
            section = Section.of(self.findings, at, value, "write it like {at: 2027-01-01, serve: [leaf, inter]}")
            section.refuse_others(("at", *_SCOPES, *_TAKERS))
            when = section.required("at", time, missing)
            takers = [_TAKERS[key] for key in section.content if key in _TAKERS]
            if not takers and section.content:
                self.findings.fault(at, f"nothing happens here; an event has one of {', '.join(_TAKERS)}")
            for scope, actions in _SCOPES.items():
                if scope in section and takers and not any(action in section for action in actions):
                    section.fault(scope, f"{scope} stands beside {' or '.join(actions)}, which this event has not")
            found = [take(self, section) for take in takers]
            yield Event(when, position, tuple(happening for happening in found if happening))

    def serve(self, section: Section) -> Served | None:
        """``serve:``."""
        chain = section.items("serve", self.certificate, single=True)
        if section.content["serve"] == []:
            section.fault("serve", "serve is empty; a server presents a certificate, or is unreachable: true")
        address, key_type = _place(section)
        if chain and key_type and key_type is not self._key_type(chain[0]):
            kind = self._key_type(chain[0])
            message = (
                f"the key of {chain[0]} is {kind}, not {key_type}: keys whose name begins with {RSA_PREFIX} are RSA"
            )
            self.findings.warn((*section.at, "key_type"), message)
        return Served(chain, address, key_type) if chain else None

    def unreachable(self, section: Section) -> Reachability:
        """``unreachable:``."""
        return Reachability(section.optional("unreachable", flag, instead=True), *_place(section))

    def trust(self, section: Section) -> Trusted:
        """``trust:``."""
        return Trusted(section.items("trust", self.certificate, single=True), section.optional("store", label, None))

    def logged(self, section: Section) -> Logged | None:
        """``ct:``."""
        name = section.optional("ct", self.certificate, "")
        return Logged(name) if name else None

    def window(self, section: Section) -> Suggested | None:
        """``ari:``."""
        inner = self._inner(section, "ari", ("certificate", "start", "end", "explanation"))
        name = inner.required("certificate", self.certificate, "")
        start, end = inner.required("start", time, None), inner.required("end", time, None)
        explanation = inner.optional("explanation", _text_or_nothing, None)
        if not name or start is None or end is None:
            return None
        if end <= start:
            message = "the window does not end after its start, which clients take for no window (RFC 9773)"
            self.findings.warn((*inner.at, "end"), message)
            return None
        return Suggested(name, start, end, explanation)

    def distrusted(self, section: Section) -> Distrusted | None:
        """``distrust:``."""
        inner = self._inner(section, "distrust", ("root", "not_before_after"))
        name = inner.required("root", self.certificate, "")
        return Distrusted(name, inner.required("not_before_after", time_or_never, None)) if name else None

    def pinset(self, section: Section) -> Repinned:
        """``pinset:``."""
        name, changes = read_changes(self.findings, (*section.at, "pinset"), section.content["pinset"], self.pinsets)
        return Repinned(name, changes)

    def revoked(self, section: Section) -> Revoked | None:
        """``revoke:``."""
        name = section.optional("revoke", self.certificate, "")
        return Revoked(name) if name else None

    def dns(self, section: Section) -> Resolved:
        """``dns:``."""
        inner = self._inner(section, "dns", ("cname", "caa"))
        changes: dict[str, Any] = {}
        if "cname" in inner:
            given = inner.content["cname"]
            changes["cname"] = () if given is None else inner.items("cname", host, single=True)
        if "caa" in inner:
            given = inner.content["caa"]
            changes["caa"] = None if given is None else inner.items("caa", text, single=True)
        return Resolved(changes)

    def staged(self, section: Section) -> Staged | None:
        """``staged:``."""
        chain = section.items("staged", self.certificate, single=True)
        if section.content["staged"] == []:
            section.fault("staged", "staged is empty; name the chain that was seen, leaf first")
        return Staged(chain) if chain else None

    def _inner(self, section: Section, key: str, known: tuple[str, ...]) -> Section:
        inner = Section.of(self.findings, (*section.at, key), section.content[key], f"its keys are {', '.join(known)}")
        inner.refuse_others(known)
        return inner

    def _key_type(self, name: str) -> KeyType:
        return KeyType.RSA if self.certificates[name].key.startswith(RSA_PREFIX) else KeyType.ECDSA


_TAKERS: Mapping[str, Take] = {
    "serve": EventReader.serve,
    "unreachable": EventReader.unreachable,
    "trust": EventReader.trust,
    "ct": EventReader.logged,
    "ari": EventReader.window,
    "distrust": EventReader.distrusted,
    "pinset": EventReader.pinset,
    "revoke": EventReader.revoked,
    "dns": EventReader.dns,
    "staged": EventReader.staged,
}

ACTIONS = tuple(_TAKERS)
"""What may happen in an event."""


def _place(section: Section) -> tuple[str | None, KeyType | None]:
    return section.optional("address", label, None), section.optional("key_type", _key_type, None)


def _key_type(value: object) -> KeyType:
    if not isinstance(value, str) or value not in (KeyType.RSA, KeyType.ECDSA):
        raise UnfitError(value, f"is not known; write {KeyType.RSA} or {KeyType.ECDSA}")
    return KeyType(value)


def _text_or_nothing(value: object) -> str | None:
    return None if value is None else text(value)
