"""The learner's checkpoint and the model versions.

``if_not_exists``: databases of the days before migrations have these tables already.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "registry_0001"
down_revision = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "checkpoint",
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "versions",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("facts", sa.String, nullable=False),
        sa.Column("payload", sa.LargeBinary),
        if_not_exists=True,
    )
    op.create_index("versions_position", "versions", ["position"], if_not_exists=True)
    kept = sa.text("payload IS NOT NULL")
    op.create_index(
        "versions_kept", "versions", ["number"], sqlite_where=kept, postgresql_where=kept, if_not_exists=True
    )
