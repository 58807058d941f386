"""The tables of the log."""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, Integer, LargeBinary, MetaData, String, Table, text

OTHER_KEY = "event_id IS NOT NULL AND key IS NOT 'decision' || char(31) || event_id"
"""Of a row that is about an event: whether its key is another one than that of the event's decision, or none.

The decision is found by its key, so its event id is in no index: two indexes of random ids would be two random pages
written for each decision.
"""

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
    Index("log_other_event", "event_id", sqlite_where=text(OTHER_KEY)),
    Index("log_shopper", "shopper_id", "position"),
    Index("log_kind", "kind", "position"),
    Index("log_watermark", "watermark"),
)

facts = Table("facts", metadata, Column("name", String(64), primary_key=True), Column("value", String, nullable=False))
