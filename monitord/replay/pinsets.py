"""The pin sets of a story as it tells them: at the beginning, and as its events change them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from monitord.config.document import MarkedDict, MarkedList
from monitord.config.faults import UnfitError, shown
from monitord.config.fields import parse_share
from monitord.config.wording import where
from monitord.pinning.pins import Client
from monitord.replay.section import Section, label, number, time
from monitord.replay.story import PinSetPlan, Unknown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from monitord.config.environment import Location
    from monitord.replay.section import Findings
    from monitord.replay.story import CertificatePlan, PinName

LISTS = ("pins", "leaf_pins", "ca_pins")
KEYS = ("name", "client", *LISTS, "trust", "expires", "share")
_MOST_UNKNOWN = 100
_WHAT = "write it like {name: app, client: okhttp, pins: [leaf-key]}"


def read_pinset(findings: Findings, at: Location, value: object) -> PinSetPlan:
    """An item of ``pinsets:``."""
    section = Section.of(findings, at, value, _WHAT)
    section.refuse_others(KEYS)
    return PinSetPlan(section.required("name", label, "")).changed(_given(section, optional=False))


def read_changes(findings: Findings, at: Location, value: object, known: Iterable[str]) -> tuple[str, dict[str, Any]]:
    """The value of ``pinset:`` of an event: the name of a set and its new fields; null takes a field away."""
    section = Section.of(findings, at, value, _WHAT)
    section.refuse_others(KEYS)
    name = section.required("name", label, "")
    if name and name not in (names := list(known)):
        findings.fault((*at, "name"), f"there is no pin set {shown(name)}; there are: {', '.join(names) or 'none'}")
    changes = _given(section, optional=True)
    if not changes and not set(section.content) - {"name"}:
        findings.fault(at, "nothing of the pin set is changed; give the keys that change")
    return name, changes


def _given(section: Section, *, optional: bool) -> dict[str, Any]:
    """The fields that the mapping gives; ``optional``: with null for those to be taken away."""
    found: dict[str, Any] = {}
    unknown = 0
    for key in section.content:
        if optional and key in (*LISTS, "trust", "expires", "share") and section.content[key] is None:
            found[key] = None
        elif key == "client":
            found[key] = section.optional(key, _client, Client.GENERIC)
        elif key == "expires":
            found[key] = section.optional(key, time, None)
        elif key == "share":
            found[key] = section.optional(key, parse_share, None)
        elif key == "trust":
            found[key] = section.items(key, label, single=True) or None
        elif key in LISTS:
            found[key] = _pins(section, key, unknown)
            unknown += sum(isinstance(pin, Unknown) for pin in found[key])
    return found


def _pins(section: Section, key: str, unknown: int) -> tuple[PinName, ...]:
    """The names in a list of pins; each ``{unknown: n}`` gives n pins, numbered on from ``unknown``."""
    at: Location = (*section.at, key)
    items = section.content[key]
    if not isinstance(items, MarkedList):
        section.fault(key, f"{where(at)} is not a list")
        return ()
    found: dict[PinName, None] = {}
    for index, item in enumerate(items):
        if isinstance(item, MarkedDict):
            inner = Section(section.findings, (*at, index), item)
            inner.refuse_others(("unknown",))
            for _ in range(inner.required("unknown", number(0, _MOST_UNKNOWN), 0)):
                unknown += 1
                found[Unknown(unknown)] = None
            continue
        try:
            found[label(item)] = None
        except UnfitError as error:
            section.findings.complain((*at, index), error)
    return tuple(found)


def _client(value: object) -> Client:
    if not isinstance(value, str) or value not in list(Client):
        raise UnfitError(value, f"is not known; write {' or '.join(Client)}")
    return Client(value)


@dataclass(slots=True)
class Evolution:
    """The pin sets as they come about, each version held against what its client takes and what the names stand for."""

    findings: Findings
    certificates: Mapping[str, CertificatePlan]
    now: dict[str, PinSetPlan] = field(default_factory=dict)

    def begin(self, at: Location, plan: PinSetPlan) -> None:
        """A set as ``pinsets:`` has it."""
        if plan.name in self.now:
            self.findings.fault((*at, "name"), f"pin set {shown(plan.name)} is defined a second time")
        self._check(at, plan, dict(plan.lists))

    def change(self, at: Location, name: str, changes: Mapping[str, Any]) -> None:
        """A set as an event changes it."""
        if name in self.now:
            plan = self.now[name].changed(changes)
            lists = dict(plan.lists)
            self._check(
                at, plan, lists if "client" in changes else {key: lists[key] for key in lists if key in changes}
            )

    def _check(self, at: Location, plan: PinSetPlan, lists: Mapping[str, tuple[PinName, ...]]) -> None:
        self.now[plan.name] = plan
        apple = plan.client is Client.APPLE
        separate = plan.leaf_pins is not None or plan.ca_pins is not None
        if plan.pins is None and not separate:
            self.findings.fault(at, "a pin set needs pins" + (", leaf_pins or ca_pins" if apple else ""))
        if separate and not apple:
            message = f"leaf_pins and ca_pins are for client apple; {plan.client} has one list: pins"
            self.findings.fault(at, message)
        keys = {certificate.key for certificate in self.certificates.values()}
        known = set(self.certificates) if plan.client is Client.CERTIFICATE else keys
        for key, pins in lists.items():
            for pin in pins:
                if isinstance(pin, str) and pin not in known:
                    self.findings.warn((*at, key), _unmatched(pin, plan.client))


def _unmatched(pin: str, client: Client) -> str:
    what = "no certificate is called" if client is Client.CERTIFICATE else "no certificate has the key"
    of = " (client certificate pins names of certificates)" if client is Client.CERTIFICATE else ""
    return f"{what} {shown(pin)}, so this pin matches nothing{of}; write {{unknown: 1}} if that is meant"
