"""Facts as JSON and back, for the store: one table for both ways.

The store outlives versions. A key that is not known is passed over, one that is missing has its default, and a text
that cannot be read costs that fact alone.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from monitord.pinning.certificate import CertificateUnreadable, parse_certificate
from monitord.pinning.evidence import DnsAnswer, LoggedCertificate, RenewalWindow, Revocation, StagedChain, StoreChange
from monitord.signals.source import SignalFault

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from monitord.pinning.certificate import Certificate
    from monitord.signals.source import Fact

_DIGEST_BYTES = 32


@dataclass(frozen=True, slots=True)
class _Spelling:
    """How a kind of value is written as JSON, and read again; ``read`` raises ValueError or TypeError."""

    write: Callable[[Any], Any]
    read: Callable[[Any], Any]


def _read_text(value: Any) -> str:  # noqa: ANN401 - JSON
    if not isinstance(value, str):
        raise TypeError("a text is missing")
    return value


def _read_time(value: Any) -> datetime:  # noqa: ANN401 - JSON
    found = datetime.fromisoformat(_read_text(value))
    if found.tzinfo is None:
        raise ValueError("a time has no zone")
    return found.astimezone(UTC)


def _read_digest(value: Any) -> bytes:  # noqa: ANN401 - JSON
    found = bytes.fromhex(_read_text(value))
    if len(found) != _DIGEST_BYTES:
        raise ValueError("a digest has not 32 bytes")
    return found


def _read_certificate(value: Any) -> Certificate:  # noqa: ANN401 - JSON
    return parse_certificate(base64.b64decode(_read_text(value), validate=True))


def _optional(spelling: _Spelling) -> _Spelling:
    return _Spelling(
        lambda value: None if value is None else spelling.write(value),
        lambda value: None if value is None else spelling.read(value),
    )


def _several(spelling: _Spelling, *, least: int = 0) -> _Spelling:
    def read(value: Any) -> tuple[Any, ...]:  # noqa: ANN401 - JSON
        if not isinstance(value, list) or len(value) < least:
            raise TypeError("a list is missing or too short")
        return tuple(spelling.read(item) for item in value)

    return _Spelling(lambda values: [spelling.write(value) for value in values], read)


_TEXT = _Spelling(str, _read_text)
_TIME = _Spelling(lambda value: value.isoformat(), _read_time)
_DIGEST = _Spelling(bytes.hex, _read_digest)
_CERTIFICATE = _Spelling(lambda value: base64.b64encode(value.der).decode("ascii"), _read_certificate)
_CHAIN = _several(_CERTIFICATE, least=1)

_KINDS: dict[str, tuple[type, Mapping[str, _Spelling]]] = {
    "renewal_window": (
        RenewalWindow,
        {
            "certificate": _DIGEST,
            "start": _TIME,
            "end": _TIME,
            "learned_at": _TIME,
            "explanation": _optional(_TEXT),
            "previous_start": _optional(_TIME),
        },
    ),
    "logged_certificate": (LoggedCertificate, {"chain": _CHAIN, "learned_at": _TIME, "source": _TEXT}),
    "staged_chain": (StagedChain, {"chain": _CHAIN, "learned_at": _TIME, "source": _TEXT}),
    "revocation": (
        Revocation,
        {
            "certificate": _DIGEST,
            "learned_at": _TIME,
            "revoked_at": _optional(_TIME),
            "reason": _optional(_TEXT),
            "source": _TEXT,
        },
    ),
    "dns_answer": (
        DnsAnswer,
        {"learned_at": _TIME, "cname": _several(_TEXT), "caa": _optional(_several(_TEXT))},
    ),
    "store_change": (
        StoreChange,
        {
            "store": _TEXT,
            "learned_at": _TIME,
            "added": _several(_CERTIFICATE),
            "removed": _several(_CERTIFICATE),
        },
    ),
}
_NAMES = {kind: name for name, (kind, _) in _KINDS.items()}


def encode(fact: Fact) -> str:
    """The fact as JSON text; certificates are base64 of their DER."""
    name = _NAMES[type(fact)]
    fields = _KINDS[name][1]
    return json.dumps({"kind": name, **{key: fields[key].write(getattr(fact, key)) for key in fields}})


def decode(text: str) -> Fact:
    """The fact in a text that ``encode`` wrote, in this version or another.

    Raises SignalFault, which says why and quotes nothing, for a kind that is not known and for anything broken.
    """
    try:
        body = json.loads(text)
        kind, fields = _KINDS[body["kind"]]
        fact: Fact = kind(**{key: spelling.read(body[key]) for key, spelling in fields.items() if key in body})
    except (LookupError, TypeError, ValueError, OverflowError, RecursionError, CertificateUnreadable) as error:
        raise SignalFault(f"it is not a fact that this version can read ({type(error).__name__})") from None
    return fact
