"""What the sources of signals have learned, and what they keep for themselves."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the two tables."""
    op.create_table(
        "signal_fact",
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("identity", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("learned_at", sa.BigInteger, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("host", "identity", name="pk_signal_fact"),
    )
    op.create_table(
        "signal_state",
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("source", "key", name="pk_signal_state"),
    )
