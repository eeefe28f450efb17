"""What Alembic executes to migrate: it uses the connection, and the transaction, of the store that is being opened."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
