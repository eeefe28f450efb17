"""Silences as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from monitord.pinning.incident import IncidentKind
from monitord.pinning.quiet import Scope, Silence
from monitord.store.schema import silence
from monitord.store.upsert import replace_rows

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection


def write(connection: Connection, one: Silence) -> None:
    """Write a silence, in the place of what was written of it before."""
    scope = {
        "hosts": list(one.scope.hosts),
        "match": dict(one.scope.match),
        "kinds": sorted(kind.value for kind in one.scope.kinds),
    }
    row = {
        "id": one.id,
        "scope": scope,
        "starts_at": one.starts_at,
        "ends_at": one.ends_at,
        "reason": one.reason,
        "made_by": one.by,
    }
    replace_rows(connection, silence, [row])


def load(connection: Connection, after: datetime | None) -> list[Silence]:
    """The silences that end later than that, or all, those that end first first."""
    found = select(silence).order_by(silence.c.ends_at, silence.c.id)
    if after is not None:
        found = found.where(silence.c.ends_at > after)
    return [
        Silence(
            row.id,
            Scope(
                tuple(row.scope["hosts"]),
                row.scope["match"],
                frozenset(IncidentKind(kind) for kind in row.scope["kinds"]),
            ),
            row.starts_at,
            row.ends_at,
            row.reason,
            row.made_by,
        )
        for row in connection.execute(found)
    ]
