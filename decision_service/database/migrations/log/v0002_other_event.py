"""The index of events leaves out the decisions: a decision is found by its key, which holds its event id.

A decision wrote one random page for its key and one for its event id. Now it writes one of them.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "log_0002"
down_revision = "log_0001"

_OTHER_KEY = "event_id IS NOT NULL AND key IS NOT 'decision' || char(31) || event_id"


def upgrade() -> None:
    """Replace the index."""
    op.drop_index("log_event", if_exists=True)
    op.create_index("log_other_event", "log", ["event_id"], sqlite_where=sa.text(_OTHER_KEY), if_not_exists=True)
