"""Entries of ``domains:`` to targets, over all files: each endpoint once, each pin set with its trust stores."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar, cast

from monitord.config.faults import shown
from monitord.pinning.pins import Client, PinSet
from monitord.pinning.target import DEFAULT_PORT, StagingEndpoint, Target, format_endpoint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import timedelta

    from monitord.config.environment import Location
    from monitord.config.faults import Findings, Place
    from monitord.config.pinsetschema import PinSetEntry
    from monitord.config.reading import DomainFile, Files, Parsed
    from monitord.config.schema import DomainEntry, MainFile
    from monitord.pinning.pins import Pin

T = TypeVar("T")
DEFAULT_PINSET = "default"
_WITHOUT_EXPIRY = (Client.OKHTTP, Client.APPLE, Client.CURL)
_WANT_TWO = (Client.TRUSTKIT_IOS, Client.TRUSTKIT_ANDROID)


@dataclass(slots=True)
class Registered:
    """The targets of a configuration, being built.

    ``default_trust``, ``interval`` and ``timeout`` are the configuration's. ``sources`` says where each endpoint is
    registered, ``used_stores`` where a trust store is first named.
    """

    default_trust: str
    interval: timedelta
    timeout: timedelta
    targets: list[Target] = field(default_factory=list)
    sources: dict[tuple[str, int], Place] = field(default_factory=dict)
    used_stores: dict[str, Place] = field(default_factory=dict)
    _same: dict[object, object] = field(default_factory=dict)

    def add_all(self, files: Files, findings: Findings) -> None:
        """Add the entries of every file; faults and warnings go to ``findings``."""
        for file in files.with_domains:
            for index, entry in enumerate(file.content.domains):
                self._add(file, index, entry, findings)

    def _add(self, file: DomainFile, index: int, entry: DomainEntry, findings: Findings) -> None:
        at: Location = ("domains", index)
        endpoint = (entry.host, entry.port)
        if endpoint in self.sources:
            name, first = format_endpoint(*endpoint), self.sources[endpoint]
            message = f"{name} is registered a second time; the first is at {first}"
            findings.faults.append(file.fault((*at, "host"), message))
            return
        target = self.target(file, index, entry, findings)
        self.sources[target.key] = file.place(*at, "host")
        self.targets.append(target)

    def target(self, file: DomainFile, index: int, entry: DomainEntry, findings: Findings) -> Target:
        """The target of an entry; faults and warnings go to ``findings``."""
        at: Location = ("domains", index)
        name = format_endpoint(entry.host, entry.port)
        trust = self._shared(self._stores(file, (*at, "trust"), entry.trust) or (self.default_trust,))
        target = Target(
            host=entry.host,
            port=entry.port,
            server_name=entry.server_name,
            connect_to=self._shared(tuple(entry.connect_to)),
            interval=entry.interval or self.interval,
            labels=self._labels(entry.labels),
            pinsets=self._shared(self._pinsets(file, at, entry, trust, findings)),
            trust=trust,
            starttls=entry.starttls,
            proxy=entry.way(),
            client_certificate=entry.client_certificate.value() if entry.client_certificate else None,
            send_server_name=entry.sni,
            staging=_staging(entry),
        )
        if not target.pinsets:
            message = f"{name} has no pins, so only its chain is judged"
            findings.warnings.append(file.fault((*at, "host"), message))
        if entry.starttls is not None and entry.port == DEFAULT_PORT:
            message = f"{entry.starttls} at port {DEFAULT_PORT} is unusual; is port missing?"
            findings.warnings.append(file.fault((*at, "starttls"), message))
        if entry.interval is not None and entry.interval <= self.timeout:
            message = f"the interval of {name} is not longer than the timeout, so rounds may be late"
            findings.warnings.append(file.fault((*at, "interval"), message))
        return target

    def _shared(self, value: T) -> T:
        """The first of all values that equal this one: most endpoints differ in little, and there may be very many."""
        return cast("T", self._same.setdefault(value, value))

    def _labels(self, labels: Mapping[str, str]) -> Mapping[str, str]:
        return cast("Mapping[str, str]", self._same.setdefault(("labels", *sorted(labels.items())), labels))

    def add_pinsets(self, main: Parsed[MainFile], findings: Findings) -> None:
        """Take in the pin sets that discovered endpoints refer to."""
        lines: dict[str, int] = {}
        for number, item in enumerate(main.content.discovery.pinsets):
            self._take_pinset(main, ("discovery", "pinsets", number), item, lines, findings)

    def _pinsets(
        self, file: DomainFile, at: Location, entry: DomainEntry, trust: tuple[str, ...], findings: Findings
    ) -> tuple[PinSet, ...]:
        if entry.pins is not None:
            _warn_about_pins(file, (*at, "pins"), entry.pins, findings)
            return (PinSet(DEFAULT_PINSET, pins=tuple(dict.fromkeys(entry.pins)), trust=trust),)
        found: list[PinSet] = []
        lines: dict[str, int] = {}
        for number, item in enumerate(entry.pinsets or ()):
            own = self._take_pinset(file, (*at, "pinsets", number), item, lines, findings)
            found.append(_pinset(item, own or trust))
        return tuple(found)

    def _take_pinset(
        self, file: DomainFile, at: Location, item: PinSetEntry, lines: dict[str, int], findings: Findings
    ) -> tuple[str, ...]:
        """Note a pin set among those of its list, whose names are on these ``lines``; the stores that it names."""
        if item.name in lines:
            message = f"pin set {shown(item.name)} is defined a second time; the first is on line {lines[item.name]}"
            findings.faults.append(file.fault((*at, "name"), message))
        lines.setdefault(item.name, file.place(*at, "name").line)
        _warn_about_pinset(file, at, item, findings)
        return self._stores(file, (*at, "trust"), item.trust)

    def _stores(self, file: DomainFile, at: Location, names: Sequence[str] | None) -> tuple[str, ...]:
        for name in names or ():
            self.used_stores.setdefault(name, file.place(*at))
        return tuple(names or ())


def _staging(entry: DomainEntry) -> StagingEndpoint | None:
    if entry.staging is None:
        return None
    host, port = entry.staging
    return StagingEndpoint(host, port or entry.port)


def _pinset(entry: PinSetEntry, trust: tuple[str, ...]) -> PinSet:
    return PinSet(
        name=entry.name,
        client=entry.client,
        pins=_once(entry.pins) or (),
        leaf_pins=_once(entry.leaf_pins),
        ca_pins=_once(entry.ca_pins),
        trust=trust,
        expires=entry.expires,
        share=entry.share,
    )


def _once(pins: Sequence[Pin] | None) -> tuple[Pin, ...] | None:
    return None if pins is None else tuple(dict.fromkeys(pins))


def _warn_about_pinset(file: DomainFile, at: Location, entry: PinSetEntry, findings: Findings) -> None:
    """What a client makes of a pin set that its owner may not expect."""
    lists = {"pins": entry.pins, "leaf_pins": entry.leaf_pins, "ca_pins": entry.ca_pins}
    given = {key: pins for key, pins in lists.items() if pins is not None}
    for key, pins in given.items():
        _warn_about_pins(file, (*at, key), pins, findings, alone=len(given) == 1)
        if not pins and key != "pins":
            message = f"an empty {key} matches nothing, so it blocks every connection; leave it out for none"
            findings.warnings.append(file.fault((*at, key), message))
    if entry.expires is not None and entry.client in _WITHOUT_EXPIRY:
        message = f"client {entry.client} knows no expiry, so expires is ignored"
        findings.warnings.append(file.fault((*at, "expires"), message))
    count = len({pin for pins in given.values() for pin in pins})
    if entry.client in _WANT_TWO and count < 2:  # noqa: PLR2004 - TrustKit's minimum
        message = f"client {entry.client} takes no pin set of fewer than two pins: the app would crash at launch"
        findings.warnings.append(file.fault((*at, "name"), message))


def _warn_about_pins(
    file: DomainFile, at: Location, pins: Sequence[Pin], findings: Findings, *, alone: bool = True
) -> None:
    count = Counter(pins)
    if not count and alone:
        findings.warnings.append(file.fault(at, "there are no pins, so only the chain is judged"))
    if len(count) == 1 and alone:
        message = "there is only one pin: without a spare, the apps fail when its key is replaced"
        findings.warnings.append(file.fault(at, message))
    if len(count) < len(pins):
        seen: set[Pin] = set()
        for index, pin in enumerate(pins):
            if pin in seen:
                findings.warnings.append(file.fault((*at, index), f"the pin {pin} is given twice"))
            seen.add(pin)
