"""The tables.

Every instant is an integer: microseconds since 1970-01-01 UTC, so that it compares, sorts and survives exactly in
every database. Certificates and chains are kept once, by hash. ``observation`` and ``verdict`` hold change points:
what a row says holds until the next ``number``; the order is that of ``number``, since a clock may be set back.

A change here needs a new module in ``migrations/versions``; a test compares the two.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)

if TYPE_CHECKING:
    from sqlalchemy import Dialect

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Instant(TypeDecorator[datetime]):
    """A UTC instant, kept as microseconds since 1970."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        """The integer for the database."""
        return None if value is None else (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """The instant for Python."""
        return None if value is None else _EPOCH + value * _MICROSECOND


class Sentence(TypeDecorator[str]):
    """Text that may quote a server: what no database takes (lone surrogates, NUL) is kept as an escape."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Text that every database takes."""
        return None if value is None else value.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


def _required(name: str, kind: Any, *constraints: Any, **options: Any) -> Column[Any]:  # noqa: ANN401 - as Column takes
    return Column(name, kind, *constraints, nullable=False, **options)


certificate = Table(
    "certificate",
    metadata,
    Column("sha256", LargeBinary(32), primary_key=True),
    _required("der", LargeBinary),
    _required("first_seen", Instant),
)

chain = Table("chain", metadata, Column("sha256", LargeBinary(32), primary_key=True))

chain_certificate = Table(
    "chain_certificate",
    metadata,
    Column("chain", LargeBinary(32), ForeignKey("chain.sha256"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    _required("certificate", LargeBinary(32), ForeignKey("certificate.sha256")),
)

endpoint = Table(
    "endpoint",
    metadata,
    Column("id", Integer, primary_key=True),
    _required("host", Text),
    _required("port", Integer),
    _required("first_seen", Instant),
    _required("streaks", JSON),
    UniqueConstraint("host", "port"),
)

# One change point of an address is all rows with its number: a server may show several chains, one a key type.
# A single row with ``gone`` says that the address is no longer one of the endpoint's.
observation = Table(
    "observation",
    metadata,
    Column("endpoint", Integer, ForeignKey("endpoint.id"), primary_key=True, autoincrement=False),
    Column("address", Text, primary_key=True),
    Column("port", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    _required("since", Instant),
    _required("gone", Boolean),
    Column("key_type", Text),
    Column("chain", LargeBinary(32), ForeignKey("chain.sha256")),
    Column("tls_version", Text),
    Column("failure_reason", Text),
    Column("failure_detail", Sentence),
)

# A row without a verdict says that the pin set is no longer judged.
verdict = Table(
    "verdict",
    metadata,
    Column("endpoint", Integer, ForeignKey("endpoint.id"), primary_key=True, autoincrement=False),
    Column("pinset", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    _required("since", Instant),
    Column("verdict", Text),
    Column("reason", Sentence),
)

incident = Table(
    "incident",
    metadata,
    Column("id", Text, primary_key=True),
    _required("host", Text),
    _required("port", Integer),
    _required("pinset", Text),
    _required("kind", Text),
    _required("state", Text),
    _required("severity", Text),
    _required("since", Instant),
    _required("last_notified_at", Instant),
    _required("transitions", Integer),
    Column("resolved_at", Instant),
    _required("facts", JSON),
    CheckConstraint("state IN ('firing', 'resolved')", name="state"),
)

Index(
    "uq_incident_open",
    incident.c.host,
    incident.c.port,
    incident.c.pinset,
    incident.c.kind,
    unique=True,
    sqlite_where=text("state = 'firing'"),
    postgresql_where=text("state = 'firing'"),
)

# How people are told of an incident, where that is not the ordinary way: somebody acknowledged it, something keeps it
# quiet, it comes and goes. No row: nothing of that.
handling = Table(
    "handling",
    metadata,
    Column("incident", Text, ForeignKey("incident.id"), primary_key=True),
    _required("transitions", Integer),
    Column("acknowledged_at", Instant),
    Column("acknowledged_by", Sentence),
    Column("acknowledged_reason", Sentence),
    Column("silenced_by", Text),
    _required("owed", Boolean),
    Column("flapping_since", Instant),
    Column("turned_at", Instant),
    _required("holds", Boolean),
)

transition = Table(
    "transition",
    metadata,
    Column("incident", Text, ForeignKey("incident.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    _required("at", Instant),
    _required("reason", Text),
    _required("notify", Boolean),
    _required("state", Text),
    _required("severity", Text),
    _required("facts", JSON),
)

# Messages of one ``group_key`` may be told as one; those that were are a ``batch``. ``begun_at``: first tried.
outbox = Table(
    "outbox",
    metadata,
    Column("id", Text, primary_key=True),
    _required("incident", Text),
    _required("number", Integer),
    _required("receiver", Text),
    _required("state", Text),
    _required("body", JSON),
    _required("attempts", Integer),
    _required("created_at", Instant),
    _required("next_attempt_at", Instant),
    Column("lease_until", Instant),
    Column("delivered_at", Instant),
    Column("last_error", Sentence),
    Column("group_key", Text),
    Column("batch", Text),
    Column("begun_at", Instant),
    ForeignKeyConstraint(["incident", "number"], ["transition.incident", "transition.number"]),
    UniqueConstraint("incident", "receiver", "number"),
    CheckConstraint("state IN ('pending', 'delivered', 'dead', 'skipped')", name="state"),
)

Index(
    "ix_outbox_pending",
    outbox.c.receiver,
    outbox.c.created_at,
    sqlite_where=text("state = 'pending'"),
    postgresql_where=text("state = 'pending'"),
)

# Silences that somebody asked for; one that is over is kept, for people who ask later why they heard nothing. ``scope``
# has hosts, match and kinds.
silence = Table(
    "silence",
    metadata,
    Column("id", Text, primary_key=True),
    _required("scope", JSON),
    _required("starts_at", Instant),
    _required("ends_at", Instant),
    _required("reason", Sentence),
    _required("made_by", Sentence),
)

Index(
    "ix_outbox_group",
    outbox.c.receiver,
    outbox.c.group_key,
    outbox.c.begun_at,
    sqlite_where=text("group_key IS NOT NULL"),
    postgresql_where=text("group_key IS NOT NULL"),
)

Index(
    "ix_outbox_batch",
    outbox.c.batch,
    sqlite_where=text("batch IS NOT NULL"),
    postgresql_where=text("batch IS NOT NULL"),
)

# A receiver that asked to be left alone.
receiver_hold = Table(
    "receiver_hold",
    metadata,
    Column("receiver", Text, primary_key=True),
    _required("since", Instant),
    _required("until", Instant),
)

# What outside sources told about a host, "" for what concerns every endpoint. Bodies and values are JSON that only the
# sources' side reads.
signal_fact = Table(
    "signal_fact",
    metadata,
    Column("host", Text, primary_key=True),
    Column("identity", Text, primary_key=True),
    _required("source", Text),
    _required("learned_at", Instant),
    _required("body", Text),
)

signal_state = Table(
    "signal_state",
    metadata,
    Column("source", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    _required("value", Text),
)

# One row that is rewritten to find out whether the store can be written.
write_check = Table(
    "write_check",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    _required("count", Integer),
)
