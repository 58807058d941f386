"""The tables of the registry."""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, Integer, LargeBinary, MetaData, String, Table

metadata = MetaData()

checkpoint = Table(
    "checkpoint",
    metadata,
    Column("position", Integer, nullable=False),
    Column("payload", LargeBinary, nullable=False),
)

versions = Table(
    "versions",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("position", Integer, nullable=False),
    Column("at", Float, nullable=False),
    Column("facts", String, nullable=False),
    Column("payload", LargeBinary),
    Index("versions_position", "position"),
)

# Partial: a version is published every two seconds, and what is kept are some 150 of millions.
kept = versions.c.payload.is_not(None)
Index("versions_kept", versions.c.number, sqlite_where=kept, postgresql_where=kept)
