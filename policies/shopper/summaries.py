"""Behaviour: small bounded summaries of what a shopper does, folded event by event.

Memory fades by halving: when a summary has counted enough, everything in it is halved, so recent behaviour
weighs more and nothing grows without bound. That needs no clock and gives the same in every fold.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import msgspec

HOURS = 24
_ACTIVITY_MEMORY = 200.0
_AFFINITY_MEMORY = 100.0
_MOST_NAMES = 16

POPULATION_BY_HOUR = (
    *(1.64, 0.72, 0.42, 0.24, 0.17, 0.25, 0.44, 0.66, 0.80, 0.88, 0.96, 0.98),
    *(1.27, 1.03, 0.97, 0.96, 0.95, 1.04, 1.13, 1.26, 1.60, 1.88, 1.94, 1.79),
)
"""How many shoppers are there in each local hour, mean 1: 60,000 impressions of the Open Bandit sample (ZOZOTOWN;
Saito et al., 2021)."""

_POPULATION_SHARE = tuple(hour / sum(POPULATION_BY_HOUR) for hour in POPULATION_BY_HOUR)
_POPULATION_WEIGHT = 12.0
"""Events that the population's profile counts for: a shopper's own hours show after a dozen events (judgement)."""


class Activity(msgspec.Struct, frozen=True, array_like=True):
    """When a shopper is active: events counted by UTC hour of the day.

    References
    ----------
    The per-slot activity of TIM (Kuaishou, 2024, arXiv:2406.07067), with shrinkage instead of attention.
    """

    by_hour: tuple[float, ...] = (0.0,) * HOURS

    def plus(self, at: float) -> Activity:
        """Count an event at a time (epoch seconds)."""
        hours = list(self.by_hour)
        hours[int(at // 3600) % HOURS] += 1.0
        scale = 0.5 if sum(hours) > _ACTIVITY_MEMORY else 1.0
        return Activity(tuple(hour * scale for hour in hours))

    def share(self, hour: int, utc_offset_h: float = 0.0) -> float:
        """Give the share of activity in a local hour, shrunk towards the population's; 1/24 is the mean.

        >>> busy = Activity()
        >>> for _ in range(12):
        ...     busy = busy.plus(20 * 3600.0)
        >>> Activity().share(20) < busy.share(20) < 1
        True
        """
        own = self.by_hour[math.floor(hour - utc_offset_h) % HOURS]
        return (own + _POPULATION_WEIGHT * _POPULATION_SHARE[hour]) / (sum(self.by_hour) + _POPULATION_WEIGHT)


Affinities = dict[str, float]
"""How much a shopper has to do with products or categories, by name; the strongest are kept."""


def add_affinity(affinities: Mapping[str, float], name: str, weight: float) -> Affinities:
    """Give affinities after one more event of some weight.

    >>> add_affinity({"shoes": 1.0}, "shoes", 3.0)
    {'shoes': 4.0}
    """
    counted = {**affinities, name: affinities.get(name, 0.0) + weight}
    if sum(counted.values()) > _AFFINITY_MEMORY:
        counted = {each: value / 2 for each, value in counted.items()}
    if len(counted) > _MOST_NAMES:
        weakest = min((each for each in counted if each != name), key=lambda each: (counted[each], each))
        del counted[weakest]
    return counted


def favourite(affinities: Mapping[str, float]) -> str | None:
    """Name the strongest affinity; the first by name among equals."""
    return min(affinities, key=lambda name: (-affinities[name], name), default=None)


class Responses(msgspec.Struct, frozen=True, array_like=True):
    """What became of sends: how many left, how many were clicked."""

    sends: float = 0.0
    clicks: float = 0.0

    def plus(self, *, clicked: bool) -> Responses:
        """Count one send."""
        return Responses(self.sends + 1.0, self.clicks + clicked)

    def rate(self) -> float:
        """Give the click rate, shrunk towards `PRIOR_CLICK_RATE`.

        >>> Responses().rate() == PRIOR_CLICK_RATE
        True
        """
        return (self.clicks + _PRIOR_SENDS * PRIOR_CLICK_RATE) / (self.sends + _PRIOR_SENDS)


def count_responses(before: Mapping[str, Responses], sends: Iterable[tuple[str, bool]]) -> dict[str, Responses]:
    """Count more sends, each a name and whether it was clicked; new names only while there are few.

    >>> count_responses({}, [("push", True), ("push", False)])
    {'push': Responses(sends=2.0, clicks=1.0)}
    """
    counted = dict(before)
    for name, clicked in sends:
        if name in counted or len(counted) < _MOST_RESPONSES:
            counted[name] = counted.get(name, Responses()).plus(clicked=clicked)
    return counted


_MOST_RESPONSES = 64
"""Channels or categories that are counted, over all versions of the catalogue."""

PRIOR_CLICK_RATE = 0.03
"""What a send's click rate is before anything is known: retail push opens of 2.97 % (Airship, vendor figure)."""

_PRIOR_SENDS = 10.0
