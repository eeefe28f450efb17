"""Messages that are told together, when each was first tried, and receivers that asked to be left alone."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the columns, their indices and the table."""
    op.add_column("outbox", sa.Column("group_key", sa.Text))
    op.add_column("outbox", sa.Column("batch", sa.Text))
    op.add_column("outbox", sa.Column("begun_at", sa.BigInteger))
    grouped, batched = sa.text("group_key IS NOT NULL"), sa.text("batch IS NOT NULL")
    op.create_index(
        "ix_outbox_group",
        "outbox",
        ["receiver", "group_key", "begun_at"],
        sqlite_where=grouped,
        postgresql_where=grouped,
    )
    op.create_index("ix_outbox_batch", "outbox", ["batch"], sqlite_where=batched, postgresql_where=batched)
    op.create_table(
        "receiver_hold",
        sa.Column("receiver", sa.Text, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("receiver", name="pk_receiver_hold"),
    )
