"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make every table."""
    op.create_table(
        "certificate",
        sa.Column("sha256", sa.LargeBinary(32), nullable=False),
        sa.Column("der", sa.LargeBinary, nullable=False),
        sa.Column("first_seen", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("sha256", name="pk_certificate"),
    )
    op.create_table(
        "chain",
        sa.Column("sha256", sa.LargeBinary(32), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name="pk_chain"),
    )
    op.create_table(
        "chain_certificate",
        sa.Column("chain", sa.LargeBinary(32), nullable=False),
        sa.Column("position", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("certificate", sa.LargeBinary(32), nullable=False),
        sa.PrimaryKeyConstraint("chain", "position", name="pk_chain_certificate"),
        sa.ForeignKeyConstraint(["chain"], ["chain.sha256"], name="fk_chain_certificate_chain"),
        sa.ForeignKeyConstraint(["certificate"], ["certificate.sha256"], name="fk_chain_certificate_certificate"),
    )
    op.create_table(
        "endpoint",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("port", sa.Integer, nullable=False),
        sa.Column("first_seen", sa.BigInteger, nullable=False),
        sa.Column("streaks", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_endpoint"),
        sa.UniqueConstraint("host", "port", name="uq_endpoint_host_port"),
    )
    op.create_table(
        "observation",
        sa.Column("endpoint", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("port", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("position", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("gone", sa.Boolean, nullable=False),
        sa.Column("key_type", sa.Text),
        sa.Column("chain", sa.LargeBinary(32)),
        sa.Column("tls_version", sa.Text),
        sa.Column("failure_reason", sa.Text),
        sa.Column("failure_detail", sa.Text),
        sa.PrimaryKeyConstraint("endpoint", "address", "port", "number", "position", name="pk_observation"),
        sa.ForeignKeyConstraint(["endpoint"], ["endpoint.id"], name="fk_observation_endpoint"),
        sa.ForeignKeyConstraint(["chain"], ["chain.sha256"], name="fk_observation_chain"),
    )
    op.create_table(
        "verdict",
        sa.Column("endpoint", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("pinset", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("verdict", sa.Text),
        sa.Column("reason", sa.Text),
        sa.PrimaryKeyConstraint("endpoint", "pinset", "number", name="pk_verdict"),
        sa.ForeignKeyConstraint(["endpoint"], ["endpoint.id"], name="fk_verdict_endpoint"),
    )
    _alerts()
    op.create_table(
        "write_check",
        sa.Column("id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_write_check"),
    )


def _alerts() -> None:
    op.create_table(
        "incident",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("port", sa.Integer, nullable=False),
        sa.Column("pinset", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("last_notified_at", sa.BigInteger, nullable=False),
        sa.Column("transitions", sa.Integer, nullable=False),
        sa.Column("resolved_at", sa.BigInteger),
        sa.Column("facts", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_incident"),
        sa.CheckConstraint("state IN ('firing', 'resolved')", name="ck_incident_state"),
    )
    op.create_index(
        "uq_incident_open",
        "incident",
        ["host", "port", "pinset", "kind"],
        unique=True,
        sqlite_where=sa.text("state = 'firing'"),
        postgresql_where=sa.text("state = 'firing'"),
    )
    op.create_table(
        "transition",
        sa.Column("incident", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("notify", sa.Boolean, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("facts", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("incident", "number", name="pk_transition"),
        sa.ForeignKeyConstraint(["incident"], ["incident.id"], name="fk_transition_incident"),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("incident", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("receiver", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("next_attempt_at", sa.BigInteger, nullable=False),
        sa.Column("lease_until", sa.BigInteger),
        sa.Column("delivered_at", sa.BigInteger),
        sa.Column("last_error", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
        sa.ForeignKeyConstraint(
            ["incident", "number"], ["transition.incident", "transition.number"], name="fk_outbox_incident_number"
        ),
        sa.UniqueConstraint("incident", "receiver", "number", name="uq_outbox_incident_receiver_number"),
        sa.CheckConstraint("state IN ('pending', 'delivered', 'dead', 'skipped')", name="ck_outbox_state"),
    )
    op.create_index(
        "ix_outbox_pending",
        "outbox",
        ["receiver", "created_at"],
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )
