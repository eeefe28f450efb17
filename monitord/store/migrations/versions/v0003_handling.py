"""How people are told of incidents: acknowledged, silenced, flapping; and the silences."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the two tables."""
    op.create_table(
        "handling",
        sa.Column("incident", sa.Text, nullable=False),
        sa.Column("transitions", sa.Integer, nullable=False),
        sa.Column("acknowledged_at", sa.BigInteger),
        sa.Column("acknowledged_by", sa.Text),
        sa.Column("acknowledged_reason", sa.Text),
        sa.Column("silenced_by", sa.Text),
        sa.Column("owed", sa.Boolean, nullable=False),
        sa.Column("flapping_since", sa.BigInteger),
        sa.Column("turned_at", sa.BigInteger),
        sa.Column("holds", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("incident", name="pk_handling"),
        sa.ForeignKeyConstraint(["incident"], ["incident.id"], name="fk_handling_incident"),
    )
    op.create_table(
        "silence",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("scope", sa.JSON, nullable=False),
        sa.Column("starts_at", sa.BigInteger, nullable=False),
        sa.Column("ends_at", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("made_by", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_silence"),
    )
