"""The migrations of the databases: one folder of Alembic revisions each, run when a database is opened."""

from __future__ import annotations

import threading
from functools import cache
from pathlib import Path
from typing import Literal

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine

from decision_service.database.engine import write

Database = Literal["log", "registry"]

_HERE = Path(__file__).parent
_turn = threading.Lock()
"""Alembic's ``op`` and ``context`` stand for one migration per process."""


class SchemaMismatch(Exception):
    """The database's schema is not one that this version of the service knows."""


def upgrade(engine: Engine, database: Database) -> None:
    """Bring a database to the newest schema, all steps in one transaction.

    Of several processes that open a new database at once, one creates it while the others wait for its lock.

    Raises
    ------
    SchemaMismatch
        When a newer version of the service has written the database.
    """
    with engine.connect() as connection:
        if _revision(connection, database) == _newest_revision(database):
            return
    config = _config(database)
    with _turn, write(engine) as connection:
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            revision = _revision(connection, database)
            raise SchemaMismatch(
                f"the {database} is at schema {revision!r}, which this version of the service does not know:"
                " it was written by a newer one"
            ) from error


def version_table(database: str) -> str:
    """Name the table that holds the schema's revision: of its own, should two databases ever share one."""
    return f"{database}_schema"


@cache
def _newest_revision(database: Database) -> str | None:
    return ScriptDirectory.from_config(_config(database)).get_current_head()


def _revision(connection: Connection, database: Database) -> str | None:
    context = MigrationContext.configure(connection, opts={"version_table": version_table(database)})
    return context.get_current_revision()


def _config(database: Database) -> Config:
    config = Config()
    # Alembic's options interpolate: a % in a path must be doubled.
    config.set_main_option("script_location", str(_HERE).replace("%", "%%"))
    config.set_main_option("version_locations", str(_HERE / database).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    config.attributes["database"] = database
    return config
