"""Grouping: which group of the report a decision belongs to."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

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


_OF_TIME: dict[By, Callable[[datetime], Group]] = {
    "hour": lambda time: time.hour,
    "day": lambda time: time.date().isoformat(),
}


def grouping_in_zone(by: By, time_zone: str) -> Callable[[DecisionRow], Group]:
    """Return the group of a decision, hours and days by the clock of a time zone."""
    if by not in _OF_TIME:
        return GROUPINGS[by]
    of_time, zone = _OF_TIME[by], ZoneInfo(time_zone)
    return lambda row: of_time(datetime.fromtimestamp(row.at, zone))


GROUPINGS: dict[By, Callable[[DecisionRow], Group]] = {
    "channel": lambda row: row.channel,
    "message": lambda row: row.message,
    "category": lambda row: row.category,
    "trigger": _trigger,
    "segment": _segment,
    "arm": lambda row: row.arm,
    "hour": grouping_in_zone("hour", "UTC"),
    "day": grouping_in_zone("day", "UTC"),
}
"""What a report can be by → the group of a decision, hours and days in UTC.

Channel, message and category are those of the drawn send, also where it lost the race for its place; a
decision without one belongs to the group None.
"""


def in_order(group: Group) -> tuple[bool, int, str]:
    """Sort groups by number or name, None last.

    >>> sorted(["push", None, "email"], key=in_order)
    ['email', 'push', None]
    """
    return (group is None, group if isinstance(group, int) else 0, str(group))
