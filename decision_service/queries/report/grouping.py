"""Grouping: which group of the report a decision belongs to."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal

import msgspec

from policies.records.rows import DecisionRow

By = Literal["channel", "message", "category", "trigger", "segment", "arm", "hour", "day"]
Group = str | int | None
"""A group's name: the hour of the day as a number, everything else as text; None where there is none."""


def _trigger(row: DecisionRow) -> Group:
    """Return the type of the trigger that the drawn send answers, else of the first trigger."""
    return row.triggers[row.drawn_trigger or 0].type if row.triggers else None


def _segment(row: DecisionRow) -> Group:
    segment = row.context.get("segment")
    return segment if segment is None or isinstance(segment, str) else msgspec.json.encode(segment).decode()


def _utc(row: DecisionRow) -> datetime:
    return datetime.fromtimestamp(row.at, UTC)


GROUPINGS: dict[By, Callable[[DecisionRow], Group]] = {
    "channel": lambda row: row.channel,
    "message": lambda row: row.message,
    "category": lambda row: row.category,
    "trigger": _trigger,
    "segment": _segment,
    "arm": lambda row: row.arm,
    "hour": lambda row: _utc(row).hour,
    "day": lambda row: _utc(row).date().isoformat(),
}
"""What a report can be by → the group of a decision.

Channel, message and category are those of the drawn send, also where it lost the race for its place; a
decision without one belongs to the group None.
"""


def in_order(group: Group) -> tuple[bool, int, str]:
    """Sort groups by number or name, None last.

    >>> sorted(["push", None, "email"], key=in_order)
    ['email', 'push', None]
    """
    return (group is None, group if isinstance(group, int) else 0, str(group))
