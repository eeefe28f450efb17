"""Which revision of the schema a database has, and the way from there to the newest one."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

if TYPE_CHECKING:
    from sqlalchemy import Connection

_MIGRATIONS = Path(__file__).parent / "migrations"


class Age(Enum):
    """How the schema of a database relates to the newest one that this monitord knows."""

    EMPTY = "empty"
    OLDER = "older"
    CURRENT = "current"
    NEWER = "newer"
    FOREIGN = "foreign"


def age_of_schema(connection: Connection) -> Age:
    """The age of the schema; a revision that is not known here is newer, tables without a revision are foreign."""
    revision = MigrationContext.configure(connection).get_current_revision()
    if revision is None:
        return Age.FOREIGN if inspect(connection).get_table_names() else Age.EMPTY
    scripts = ScriptDirectory.from_config(_config())
    if revision == scripts.get_current_head():
        return Age.CURRENT
    return Age.OLDER if revision in {script.revision for script in scripts.walk_revisions()} else Age.NEWER


def migrate(connection: Connection) -> None:
    """Bring the schema to the newest revision, inside the transaction of this connection."""
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config
