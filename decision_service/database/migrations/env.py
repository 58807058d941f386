"""Alembic's environment: it migrates over the connection, and within the transaction, that it is handed."""

from __future__ import annotations

from alembic import context

from decision_service.database.migrations import version_table

context.configure(
    connection=context.config.attributes["connection"],
    version_table=version_table(context.config.attributes["database"]),
)
context.run_migrations()
