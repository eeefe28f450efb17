"""What happened to an endpoint, read back as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from monitord.pinning.certificate import KeyType, parse_certificate
from monitord.pinning.history import ChangePoint, Seen
from monitord.pinning.observation import Failure, FailureReason
from monitord.pinning.verdict import Verdict
from monitord.store.schema import certificate, chain_certificate, endpoint, observation, verdict

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from monitord.pinning.certificate import Certificate


@dataclass(frozen=True, slots=True)
class VerdictChange:
    """The verdict of a pin set since then, and why it changed; None where it is no longer judged."""

    since: datetime
    pinset: str
    verdict: Verdict | None
    reason: str | None


def change_points(connection: Connection, host: str, port: int) -> list[ChangePoint]:
    """Every change of every address, oldest first."""
    rows = connection.execute(
        select(observation)
        .join(endpoint)
        .where(endpoint.c.host == host, endpoint.c.port == port)
        .order_by(
            observation.c.since,
            observation.c.address,
            observation.c.port,
            observation.c.number,
            observation.c.position,
        )
    ).all()
    chains = {digest: _chain(connection, digest) for digest in {row.chain for row in rows} - {None}}
    points: dict[tuple[str, int, int], ChangePoint] = {}
    for row in rows:
        key = (row.address, row.port, row.number)
        point = points.get(key, ChangePoint(row.since, row.address, row.port, ()))
        if not row.gone:
            failure = Failure(FailureReason(row.failure_reason), row.failure_detail) if row.failure_reason else None
            key_type = KeyType(row.key_type) if row.key_type else None
            seen = Seen(key_type, chains.get(row.chain, ()), row.tls_version, failure)
            point = ChangePoint(row.since, row.address, row.port, (*point.seen, seen))
        points[key] = point
    return list(points.values())


def verdict_changes(connection: Connection, host: str, port: int) -> list[VerdictChange]:
    """Every change of the verdict of every pin set, oldest first."""
    rows = connection.execute(
        select(verdict)
        .join(endpoint)
        .where(endpoint.c.host == host, endpoint.c.port == port)
        .order_by(verdict.c.since, verdict.c.pinset, verdict.c.number)
    )
    return [
        VerdictChange(row.since, row.pinset, Verdict(row.verdict) if row.verdict else None, row.reason) for row in rows
    ]


def _chain(connection: Connection, digest: bytes) -> tuple[Certificate, ...]:
    ders = connection.execute(
        select(certificate.c.der)
        .join(chain_certificate)
        .where(chain_certificate.c.chain == digest)
        .order_by(chain_certificate.c.position)
    ).scalars()
    return tuple(parse_certificate(der) for der in ders)
