"""The intervals and their registry.

A new interval is one file in this folder, and its class in `INTERVALS`. The confidence sequence has a name in `NAMES`
but is no `Interval`, because it follows single rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from offline_eval.errors import NotAvailable
from offline_eval.estimators.base import Limits
from offline_eval.intervals.base import Bounds, Interval
from offline_eval.intervals.bernstein import Bernstein
from offline_eval.intervals.bootstrap import DRAWS, Bootstrap
from offline_eval.intervals.clopper_pearson import ClopperPearson
from offline_eval.intervals.normal import Normal
from offline_eval.intervals.obp_bootstrap import ObpBootstrap
from offline_eval.intervals.sequence import SEQUENCE

__all__ = [
    "INTERVALS",
    "NAMES",
    "Bernstein",
    "Bootstrap",
    "Bounds",
    "ClopperPearson",
    "Interval",
    "Normal",
    "ObpBootstrap",
    "make_interval",
]

INTERVALS: Mapping[str, type[Interval]] = MappingProxyType(
    {interval.name: interval for interval in (Normal, Bootstrap, ObpBootstrap, Bernstein, ClopperPearson)}
)
"""Name → class."""

NAMES = (*INTERVALS, SEQUENCE)
"""All intervals that an evaluation can be asked for."""


def make_interval(name: str, *, limits: Limits, draws: int = DRAWS, seed: int | None = None) -> Interval:
    """Make an interval by name.

    Raises
    ------
    NotAvailable
        When no interval has this name, or it does not exist for these limits.
    """
    interval = INTERVALS.get(name)
    if interval is None:
        raise NotAvailable(f"there is no interval {name!r}; known are {', '.join(NAMES)}")
    return interval.make(limits, draws, seed)
