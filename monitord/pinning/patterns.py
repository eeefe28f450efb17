"""Which of an app's pin entries hold for a host: every client library reads host patterns in its own way.

Sources: OkHttp ``CertificatePinner.Pin.matchesHostname``; AOSP ``NetworkSecurityConfig``; Apple ``SecPolicy.c``;
TrustKit ``parse_configuration.m``; Chromium ``transport_security_state.cc``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitord.pinning.pins import Client, PinSet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from monitord.pinning.pins import Pin


@dataclass(frozen=True, slots=True)
class PinEntry:
    """One entry of an app's own pin configuration.

    ``host`` is as written there: a name, for OkHttp perhaps with ``*.`` or ``**.`` in front. ``excluded`` takes a host
    out of its parent's pins (TrustKit's kTSKExcludeSubdomainFromParentPolicy).
    """

    host: str
    pins: tuple[Pin, ...] = ()
    leaf_pins: tuple[Pin, ...] | None = None
    ca_pins: tuple[Pin, ...] | None = None
    include_subdomains: bool = False
    excluded: bool = False
    expires: datetime | None = None
    enforced: bool = True


def select(client: Client, entries: Sequence[PinEntry], host: str, *, name: str = "default") -> PinSet | None:
    """The pins that the app enforces for ``host``, as a pin set of this name; None if it pins nothing there."""
    wanted = _normal(host)
    chosen = _SELECTORS.get(client, _exact)(entries, wanted)
    if not chosen:
        return None
    return PinSet(
        name=name,
        client=client,
        pins=_unite(entry.pins for entry in chosen) or (),
        leaf_pins=_unite(entry.leaf_pins for entry in chosen),
        ca_pins=_unite(entry.ca_pins for entry in chosen),
        expires=min((entry.expires for entry in chosen if entry.expires), default=None),
        enforced=any(entry.enforced for entry in chosen),
    )


def okhttp_pattern_matches(pattern: str, host: str) -> bool:
    """Whether an OkHttp pattern covers the host: ``*.`` is exactly one label, ``**.`` any number of them, or none."""
    pattern, host = pattern.lower(), host.lower()
    if pattern.startswith("**."):
        return host == pattern[3:] or host.endswith(pattern[2:])
    if pattern.startswith("*."):
        return host.endswith(pattern[1:]) and "." not in host[: -len(pattern[1:])] and host != pattern[1:]
    return host == pattern


def _normal(host: str) -> str:
    return host.lower().removesuffix(".")


def _unite(lists: Iterable[tuple[Pin, ...] | None]) -> tuple[Pin, ...] | None:
    """All pins of the lists that are there; None if none is."""
    there = [pins for pins in lists if pins is not None]
    return tuple(dict.fromkeys(pin for pins in there for pin in pins)) if there else None


def _exact(entries: Sequence[PinEntry], host: str) -> list[PinEntry]:
    return [entry for entry in entries if _normal(entry.host) == host]


def _okhttp(entries: Sequence[PinEntry], host: str) -> list[PinEntry]:
    """All matching patterns, united."""
    return [entry for entry in entries if okhttp_pattern_matches(entry.host, host)]


def _nearest(entries: Sequence[PinEntry], host: str) -> list[PinEntry]:
    """Android and TrustKit: the host itself, else its nearest parent that includes subdomains, at any depth."""
    exact = _exact(entries, host)
    if exact:
        return [entry for entry in exact if not entry.excluded]
    above = [entry for entry in entries if entry.include_subdomains and host.endswith("." + _normal(entry.host))]
    longest = max((len(_normal(entry.host)) for entry in above), default=0)
    return [entry for entry in above if len(_normal(entry.host)) == longest and not entry.excluded]


def _apple(entries: Sequence[PinEntry], host: str) -> list[PinEntry]:
    """The host itself, and its immediate parent if that includes subdomains: one label and no more; united."""
    parent = host.partition(".")[2]
    return [
        entry
        for entry in entries
        if _normal(entry.host) == host or (entry.include_subdomains and _normal(entry.host) == parent)
    ]


def _cronet(entries: Sequence[PinEntry], host: str) -> list[PinEntry]:
    """The most specific entry ends the search, also when it does not include subdomains and so does not hold."""
    name = host
    while name:
        found = _exact(entries, name)
        if found:
            return [entry for entry in found if name == host or entry.include_subdomains]
        name = name.partition(".")[2]
    return []


_SELECTORS: Mapping[Client, Callable[[Sequence[PinEntry], str], list[PinEntry]]] = {
    Client.OKHTTP: _okhttp,
    Client.ANDROID: _nearest,
    Client.TRUSTKIT_IOS: _nearest,
    Client.TRUSTKIT_ANDROID: _nearest,
    Client.APPLE: _apple,
    Client.CRONET: _cronet,
}
