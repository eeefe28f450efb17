"""Judgements that are told together, and which certificates the pins of a set are of."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from monitord.pinning.pins import Client

if TYPE_CHECKING:
    from collections.abc import Iterable

    from monitord.pinning.certificate import Certificate
    from monitord.pinning.pins import PinSet
    from monitord.pinning.verdict import Judgement


class Match(StrEnum):
    """What the pins of a set have to do with a certificate."""

    PINNED = "pinned"
    """A pin is of it, and counts."""
    IN_VAIN = "in_vain"
    """A pin is of it, but the client does not look for that pin there."""
    NONE = "none"


def alike(judgements: Iterable[Judgement]) -> list[list[Judgement]]:
    """Judgements that differ in nothing but the address, together."""
    found: dict[object, list[Judgement]] = {}
    for judgement in judgements:
        seen = judgement.observation
        same = (judgement.trust, judgement.verdict, judgement.reason, judgement.path, seen.chain, seen.tls_version)
        found.setdefault((*same, seen.failure), []).append(judgement)
    return list(found.values())


def match_of(certificate: Certificate, judgement: Judgement, pinset: PinSet) -> Match:
    """What the pins of a set have to do with a certificate that was sent or is on the path."""
    pin = certificate.certificate_pin if pinset.client is Client.CERTIFICATE else certificate.pin
    if pin in judgement.matched and certificate in judgement.path:
        return Match.PINNED
    in_vain = bool(judgement.path) and pin in pinset.all_pins and pin not in judgement.matched
    return Match.IN_VAIN if in_vain else Match.NONE
