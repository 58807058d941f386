"""Retention: which versions' bytes are forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

LATEST_KEPT = 50
DAYS_KEPT = 90
_DAY_S = 86_400.0


class Published(NamedTuple):
    """A version whose bytes are kept, and its time."""

    number: int
    at: float


def prunable(kept: Sequence[Published]) -> list[int]:
    """Give the versions to forget, of those still kept, in the order of their numbers.

    The latest 50 stay, and the last of each UTC day for 90 days before the latest. It is enough to look at
    what is kept: the last version of a recent day is never forgotten, so it is among them.

    Examples
    --------
    >>> prunable([Published(number, at=0.0) for number in range(1, 53)])
    [1, 2]
    """
    last_of_day = {published.at // _DAY_S: published.number for published in kept}
    oldest = kept[-1].at - DAYS_KEPT * _DAY_S if kept else 0.0
    return [
        published.number
        for published in kept[:-LATEST_KEPT]
        if published.at <= oldest or last_of_day[published.at // _DAY_S] != published.number
    ]
