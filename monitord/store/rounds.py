"""Change points: written when a round saw something new, read back when the store is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select, update

from monitord.pinning.certificate import KeyType
from monitord.pinning.observation import FailureReason
from monitord.pinning.outcome import Streaks
from monitord.pinning.verdict import Verdict
from monitord.store.memory import Address, Remembered, Sighting, address_of, sighting_of
from monitord.store.schema import certificate, chain, chain_certificate, endpoint, observation, verdict
from monitord.store.upsert import insert_missing

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from typing import Any

    from sqlalchemy import Connection

    from monitord.pinning.observation import Observation
    from monitord.pinning.outcome import Outcome


def write_round(connection: Connection, outcome: Outcome, before: Remembered, after: Remembered) -> None:
    """Write what the round changed."""
    number, is_new = _endpoint(connection, outcome, after.streaks)
    changed = [address for address, sightings in after.seen.items() if before.seen.get(address) != sightings]
    for address in changed:
        _write_sightings(connection, _address_row(connection, number, address, is_new=is_new), address, outcome)
    for address in before.seen.keys() - after.seen.keys():
        last = _address_row(connection, number, address, is_new=is_new)
        row = {**last, "position": 0, "since": outcome.at, "gone": True}
        connection.execute(observation.insert(), row)
    _write_verdicts(connection, number, outcome, before, after, is_new=is_new)


def load_endpoints(connection: Connection) -> dict[tuple[str, int], Remembered]:
    """Every endpoint as it was last written."""
    seen: dict[int, dict[Address, set[Sighting]]] = {}
    for row in connection.execute(select(observation).where(_is_last(observation, "endpoint", "address", "port"))):
        if not row.gone:
            addresses = seen.setdefault(row.endpoint, {})
            addresses.setdefault(Address(row.address, row.port), set()).add(
                Sighting(
                    KeyType(row.key_type) if row.key_type else None,
                    row.chain,
                    row.tls_version,
                    FailureReason(row.failure_reason) if row.failure_reason else None,
                )
            )
    verdicts: dict[int, dict[str, Verdict]] = {}
    for row in connection.execute(select(verdict).where(_is_last(verdict, "endpoint", "pinset"))):
        if row.verdict is not None:
            verdicts.setdefault(row.endpoint, {})[row.pinset] = Verdict(row.verdict)
    return {
        (row.host, row.port): Remembered(
            _streaks(row.streaks),
            {address: frozenset(sightings) for address, sightings in seen.get(row.id, {}).items()},
            verdicts.get(row.id, {}),
        )
        for row in connection.execute(select(endpoint))
    }


def load_streaks(connection: Connection) -> dict[tuple[str, int], Streaks]:
    """The streaks of every endpoint."""
    return {(row.host, row.port): _streaks(row.streaks) for row in connection.execute(select(endpoint))}


def _streaks(stored: Any) -> Streaks:  # noqa: ANN401 - JSON
    return Streaks(stored["endpoint"], stored["addresses"])


def _is_last(table: Any, *keys: str) -> Any:  # noqa: ANN401 - a SQL expression
    """Whether a row belongs to the newest change point of what ``keys`` name."""
    other = table.alias()
    same = [other.c[key] == table.c[key] for key in keys]
    return table.c.number == select(func.max(other.c.number)).where(*same).scalar_subquery()


def _endpoint(connection: Connection, outcome: Outcome, streaks: Streaks) -> tuple[int, bool]:
    """The endpoint's id, and whether nothing about it can be there yet; its row is made or brought up to date."""
    stored = {"endpoint": streaks.endpoint, "addresses": dict(streaks.addresses)}
    here = (endpoint.c.host == outcome.target.host) & (endpoint.c.port == outcome.target.port)
    found = connection.execute(select(endpoint.c.id).where(here)).scalar()
    if found is not None:
        connection.execute(update(endpoint).where(endpoint.c.id == found).values(streaks=stored))
        return int(found), False
    row = {"host": outcome.target.host, "port": outcome.target.port, "first_seen": outcome.at, "streaks": stored}
    return int(connection.execute(endpoint.insert().values(row).returning(endpoint.c.id)).scalar_one()), True


def _address_row(connection: Connection, number: int, address: Address, *, is_new: bool) -> dict[str, Any]:
    """The key of the next change point of an address; that of the first one, where the endpoint is new."""
    newest = select(func.max(observation.c.number)).where(
        observation.c.endpoint == number,
        observation.c.address == address.address,
        observation.c.port == address.port,
    )
    last = 0 if is_new else connection.execute(newest).scalar() or 0
    return {"endpoint": number, "address": address.address, "port": address.port, "number": last + 1}


def _write_sightings(connection: Connection, row: dict[str, Any], address: Address, outcome: Outcome) -> None:
    """Write the change point with the key in ``row``."""
    distinct = {sighting_of(seen): seen for seen in reversed(outcome.observations) if address_of(seen) == address}
    _write_chains(connection, distinct.values(), outcome.at)
    connection.execute(
        observation.insert(),
        [
            {
                **row,
                "position": position,
                "since": outcome.at,
                "gone": False,
                "key_type": sighting.key_type.value if sighting.key_type else None,
                "chain": sighting.chain,
                "tls_version": sighting.tls_version,
                "failure_reason": sighting.failure.value if sighting.failure else None,
                "failure_detail": seen.failure.detail if seen.failure else None,
            }
            for position, (sighting, seen) in enumerate(distinct.items())
        ],
    )


def _write_chains(connection: Connection, observations: Iterable[Observation], at: datetime) -> None:
    for seen in observations:
        if not seen.chain:
            continue
        digest = seen.chain_sha256
        if connection.execute(select(chain.c.sha256).where(chain.c.sha256 == digest)).first():
            continue  # it came whole, with its certificates
        insert_missing(
            connection, certificate, [{"sha256": one.sha256, "der": one.der, "first_seen": at} for one in seen.chain]
        )
        insert_missing(connection, chain, [{"sha256": digest}])
        insert_missing(
            connection,
            chain_certificate,
            [
                {"chain": digest, "position": position, "certificate": one.sha256}
                for position, one in enumerate(seen.chain)
            ],
        )


def _write_verdicts(
    connection: Connection, number: int, outcome: Outcome, before: Remembered, after: Remembered, *, is_new: bool
) -> None:
    reasons = {judged.pinset.name: judged.reason for judged in outcome.verdicts}
    for pinset in sorted(before.verdicts.keys() | after.verdicts.keys()):
        found = after.verdicts.get(pinset)
        if before.verdicts.get(pinset) is found:
            continue
        newest = select(func.max(verdict.c.number)).where(verdict.c.endpoint == number, verdict.c.pinset == pinset)
        last = 0 if is_new else connection.execute(newest).scalar() or 0
        row = {
            "endpoint": number,
            "pinset": pinset,
            "number": last + 1,
            "since": outcome.at,
            "verdict": found.value if found else None,
            "reason": reasons.get(pinset),
        }
        connection.execute(verdict.insert(), row)
