"""The steps from each schema revision to the next, run by Alembic when the store is opened."""
