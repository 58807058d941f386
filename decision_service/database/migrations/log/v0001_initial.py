"""The log and the facts stored with it.

``if_not_exists``: databases of the days before migrations have these tables already.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "log_0001"
down_revision = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "log",
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("watermark", sa.Float, nullable=False),
        sa.Column("incarnation", sa.Integer, nullable=False),
        sa.Column("event_id", sa.String(255)),
        sa.Column("shopper_id", sa.String(255)),
        sa.Column("key", sa.String, unique=True),
        sa.Column("body", sa.LargeBinary, nullable=False),
        if_not_exists=True,
    )
    op.create_index("log_event", "log", ["event_id"], if_not_exists=True)
    op.create_index("log_shopper", "log", ["shopper_id", "position"], if_not_exists=True)
    op.create_index("log_kind", "log", ["kind", "position"], if_not_exists=True)
    op.create_index("log_watermark", "log", ["watermark"], if_not_exists=True)
    op.create_table(
        "facts",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("value", sa.String, nullable=False),
        if_not_exists=True,
    )
