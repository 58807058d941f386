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

# A partial index: of millions of versions, one every two seconds, only about 150 keep their payload.
has_payload = versions.c.payload.is_not(None)
Index("versions_kept", versions.c.number, sqlite_where=has_payload, postgresql_where=has_payload)
