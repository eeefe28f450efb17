"""Entries of ``domains:`` to targets, over all files: each endpoint once, each pin set with its trust stores."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from monitord.config.faults import shown
from monitord.pinning.pins import PinSet
from monitord.pinning.target import Target, format_endpoint

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from monitord.config.environment import Location
    from monitord.config.faults import Findings, Place
    from monitord.config.reading import DomainFile, Files
    from monitord.config.schema import DomainEntry, PinSetEntry
    from monitord.pinning.pins import Pin

DEFAULT_PINSET = "default"


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

    def add_all(self, files: Files, findings: Findings) -> None:
        """Add the entries of every file; faults and warnings go to ``findings``."""
        for file in files.with_domains:
            for index, entry in enumerate(file.content.domains):
                self._add(file, index, entry, findings)

    def _add(self, file: DomainFile, index: int, entry: DomainEntry, findings: Findings) -> None:
        at: Location = ("domains", index)
        endpoint, name = (entry.host, entry.port), format_endpoint(entry.host, entry.port)
        if endpoint in self.sources:
            message = f"{name} is registered a second time; the first is at {self.sources[endpoint]}"
            findings.faults.append(file.fault((*at, "host"), message))
            return
        self.sources[endpoint] = file.place(*at, "host")
        trust = self._stores(file, (*at, "trust"), entry.trust) or (self.default_trust,)
        target = Target(
            host=entry.host,
            port=entry.port,
            server_name=entry.server_name,
            connect_to=tuple(entry.connect_to),
            interval=entry.interval or self.interval,
            labels=entry.labels,
            pinsets=self._pinsets(file, at, entry, trust, findings),
            trust=trust,
        )
        self.targets.append(target)
        if not target.pinsets:
            message = f"{name} has no pins, so only its chain is judged"
            findings.warnings.append(file.fault((*at, "host"), message))
        if entry.interval is not None and entry.interval <= self.timeout:
            message = f"the interval of {name} is not longer than the timeout, so rounds may be late"
            findings.warnings.append(file.fault((*at, "interval"), message))

    def _pinsets(
        self, file: DomainFile, at: Location, entry: DomainEntry, trust: tuple[str, ...], findings: Findings
    ) -> tuple[PinSet, ...]:
        if entry.pins is not None:
            _warn_about_pins(file, (*at, "pins"), entry.pins, findings)
            return (PinSet(DEFAULT_PINSET, pins=tuple(dict.fromkeys(entry.pins)), trust=trust),)
        found: list[PinSet] = []
        lines: dict[str, int] = {}
        for number, item in enumerate(entry.pinsets or ()):
            here: Location = (*at, "pinsets", number)
            if item.name in lines:
                message = (
                    f"pin set {shown(item.name)} is defined a second time; the first is on line {lines[item.name]}"
                )
                findings.faults.append(file.fault((*here, "name"), message))
            lines.setdefault(item.name, file.place(*here, "name").line)
            _warn_about_pins(file, (*here, "pins"), item.pins, findings)
            own = self._stores(file, (*here, "trust"), item.trust)
            found.append(_pinset(item, own or trust))
        return tuple(found)

    def _stores(self, file: DomainFile, at: Location, names: Sequence[str] | None) -> tuple[str, ...]:
        for name in names or ():
            self.used_stores.setdefault(name, file.place(*at))
        return tuple(names or ())


def _pinset(entry: PinSetEntry, trust: tuple[str, ...]) -> PinSet:
    return PinSet(
        name=entry.name,
        client=entry.client,
        pins=tuple(dict.fromkeys(entry.pins)),
        trust=trust,
        expires=entry.expires,
        share=entry.share,
    )


def _warn_about_pins(file: DomainFile, at: Location, pins: Sequence[Pin], findings: Findings) -> None:
    count = Counter(pins)
    if len(count) == 1:
        message = "there is only one pin: without a spare, the apps fail when its key is replaced"
        findings.warnings.append(file.fault(at, message))
    if len(count) < len(pins):
        seen: set[Pin] = set()
        for index, pin in enumerate(pins):
            if pin in seen:
                findings.warnings.append(file.fault((*at, index), f"the pin {pin} is given twice"))
            seen.add(pin)
