"""The tables of the log."""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, Integer, LargeBinary, MetaData, String, Table

metadata = MetaData()

log = Table(
    "log",
    metadata,
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(16), nullable=False),
    Column("at", Float, nullable=False),
    Column("watermark", Float, nullable=False),
    Column("incarnation", Integer, nullable=False),
    Column("event_id", String(255)),
    Column("shopper_id", String(255)),
    Column("key", String, unique=True),
    Column("body", LargeBinary, nullable=False),
    Index("log_event", "event_id"),
    Index("log_shopper", "shopper_id", "position"),
    Index("log_kind", "kind", "position"),
    Index("log_watermark", "watermark"),
)

facts = Table("facts", metadata, Column("name", String(64), primary_key=True), Column("value", String, nullable=False))
