"""One generated situation: what a server presents, what a client trusts and which pins its app holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitord.pinning.extensions import read_profile
from monitord.pinning.patterns import PinEntry, select
from monitord.pinning.pins import Client

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from monitord.pinning.certificate import Certificate
    from monitord.pinning.extensions import GeneralName
    from monitord.pinning.pins import Pin
    from monitord.pki import Issued


@dataclass(frozen=True, slots=True)
class Case:
    """``chain`` is presented in this order, the leaf first; ``key_names`` name the keys for people, by pin.

    ``patterns`` are the host patterns of an OkHttp pinner, each with its pins; ``pins`` are all of them, which is
    what curl gets, as it knows no patterns. ``number`` and ``situation`` tell where the case comes from.
    """

    number: int
    situation: str
    host: str
    leaf: Issued
    chain: tuple[Certificate, ...]
    anchors: tuple[Certificate, ...]
    patterns: tuple[tuple[str, tuple[Pin, ...]], ...]
    key_names: dict[Pin, str]

    @property
    def title(self) -> str:
        """Its number and kind, by which it can be had again."""
        return f"case {self.number} ({self.situation})"

    @property
    def pins(self) -> tuple[Pin, ...]:
        """Every pin once."""
        return tuple(dict.fromkeys(pin for _, pins in self.patterns for pin in pins))

    def pins_for(self, client: Client) -> tuple[Pin, ...]:
        """The pins that hold for the host: OkHttp unites those of all patterns that cover it."""
        if client is not Client.OKHTTP:
            return self.pins
        selected = select(client, [PinEntry(pattern, pins) for pattern, pins in self.patterns], self.host)
        return selected.pins if selected else ()


def describe(case: Case, now: datetime) -> str:
    """The case for people, a line for each certificate; keys have names, so that equal keys are seen at once."""
    lines = [f"{case.title}, host {case.host}", "  presented:"]
    lines += [f"    {line}" for line in _certificates(case.chain, case, now)]
    lines += ["  trusted:", *(f"    {line}" for line in _certificates(case.anchors, case, now)), "  pins:"]
    for pattern, pins in case.patterns:
        named = ", ".join(case.key_names.get(pin, "a key of nobody") for pin in pins)
        lines.append(f"    {pattern}: {named}")
    return "\n".join(lines)


def _certificates(certificates: Sequence[Certificate], case: Case, now: datetime) -> Iterator[str]:
    for certificate in certificates:
        names = f"{certificate.display_subject} <- {certificate.display_issuer}"
        yield "; ".join((names, case.key_names[certificate.pin], *_facts(certificate, now)))


def _facts(certificate: Certificate, now: datetime) -> Iterator[str]:
    profile = read_profile(certificate)
    basic = profile.basic_constraints
    if basic is None:
        yield "no basic constraints"
    elif basic.ca:
        yield "CA" if basic.path_length is None else f"CA, path length {basic.path_length}"
    if profile.key_cert_sign is False and basic and basic.ca:
        yield "may not sign"
    if not certificate.valid_at(now):
        yield "NOT YET VALID" if now < certificate.not_before else "EXPIRED"
    if profile.alternative_names is not None:
        yield "names " + " ".join(_shown(name) for name in profile.alternative_names)
    if profile.extended_key_usage is not None:
        yield "for " + " ".join(sorted(profile.extended_key_usage))
    if profile.name_constraints is not None:
        permitted, excluded = profile.name_constraints.permitted, profile.name_constraints.excluded
        yield f"permits {[_shown(name) for name in permitted]}, excludes {[_shown(name) for name in excluded]}"
    yield f"SKI {_short(profile.subject_key_identifier)}, AKI {_short(profile.authority_key_identifier)}"
    yield f"SHA-256 {_short(certificate.sha256)}"


def _shown(name: GeneralName) -> str:
    return name.text if name.kind == "dns" else f"{name.kind} {name.value.hex()}"


def _short(identifier: bytes | None) -> str:
    return identifier.hex()[:6] if identifier else "none"
