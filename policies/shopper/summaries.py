"""Summaries of a shopper's behaviour: small, bounded, and updated event by event.

A summary fades by halving: when it has counted enough, all its numbers are halved. So recent behaviour weighs more and
nothing grows without bound. This needs no clock, and every fold of the same rows gives the same summary.
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
"""Activity of all shoppers by local hour, mean 1: 60,000 impressions of the Open Bandit sample (ZOZOTOWN; Saito et al.,
2021)."""

_POPULATION_SHARE = tuple(hour / sum(POPULATION_BY_HOUR) for hour in POPULATION_BY_HOUR)
_POPULATION_WEIGHT = 12.0
"""Weight of the population's hours, in events: a shopper's own hours show after a dozen events (chosen by hand)."""


class Activity(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A shopper's events counted by UTC hour of the day.

    References
    ----------
    The per-slot activity of TIM (Kuaishou, 2024, arXiv:2406.07067), with shrinkage instead of attention.
    """

    by_hour: tuple[float, ...] = (0.0,) * HOURS

    def plus(self, at: float) -> Activity:
        """Return the activity after one more event; ``at`` is in epoch seconds."""
        hours = list(self.by_hour)
        hours[int(at // 3600) % HOURS] += 1.0
        if sum(hours) > _ACTIVITY_MEMORY:
            hours = [hour / 2 for hour in hours]
        return Activity(tuple(hours))

    def share(self, hour: int, utc_offset_h: float = 0.0) -> float:
        """Return the share of activity in a local hour, shrunk towards the population's share; the mean is 1/24.

        >>> busy = Activity()
        >>> for _ in range(12):
        ...     busy = busy.plus(20 * 3600.0)
        >>> Activity().share(20) < busy.share(20) < 1
        True
        """
        events = self.by_hour[math.floor(hour - utc_offset_h) % HOURS]
        return (events + _POPULATION_WEIGHT * _POPULATION_SHARE[hour]) / (sum(self.by_hour) + _POPULATION_WEIGHT)


Affinities = dict[str, float]
"""The strength of a shopper's interest in products or categories, by name; only the strongest are kept."""


def add_affinity(affinities: Mapping[str, float], name: str, weight: float) -> Affinities:
    """Return the affinities after one more event of a weight.

    >>> add_affinity({"shoes": 1.0}, "shoes", 3.0)
    {'shoes': 4.0}
    """
    counted = {**affinities, name: affinities.get(name, 0.0) + weight}
    if sum(counted.values()) > _AFFINITY_MEMORY:
        counted = {other: value / 2 for other, value in counted.items()}
    if len(counted) > _MOST_NAMES:
        weakest = min((other for other in counted if other != name), key=lambda other: (counted[other], other))
        del counted[weakest]
    return counted


def favourite(affinities: Mapping[str, float]) -> str | None:
    """Return the name of the strongest affinity; among equals, the first by name."""
    if not affinities:
        return None
    strongest = max(affinities.values())
    return min(name for name, strength in affinities.items() if strength == strongest)


class Responses(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The number of sends that were sent, and the number that were clicked."""

    sends: float = 0.0
    clicks: float = 0.0

    def rate(self) -> float:
        """Return the click rate, shrunk towards `PRIOR_CLICK_RATE`.

        >>> Responses().rate() == PRIOR_CLICK_RATE
        True
        """
        return (self.clicks + _PRIOR_SENDS * PRIOR_CLICK_RATE) / (self.sends + _PRIOR_SENDS)


_NO_RESPONSES = Responses()


def count_responses(before: Mapping[str, Responses], sends: Iterable[tuple[str, bool]]) -> dict[str, Responses]:
    """Return the counts after more sends; ``sends`` has the name of each send, and whether the send was clicked.

    New names are counted only while there are fewer than `_MOST_RESPONSES`.

    >>> count_responses({}, [("push", True), ("push", False)])
    {'push': Responses(sends=2.0, clicks=1.0)}
    """
    counts = dict(before)
    for name, clicked in sends:
        if name in counts or len(counts) < _MOST_RESPONSES:
            old = counts.get(name, _NO_RESPONSES)
            counts[name] = Responses(old.sends + 1.0, old.clicks + clicked)
    return counts


_MOST_RESPONSES = 64
"""Most channels or categories that are counted, over all versions of the catalogue."""

PRIOR_CLICK_RATE = 0.03
"""The click rate before anything is known: retail push opens of 2.97 % (Airship, vendor figure)."""

_PRIOR_SENDS = 10.0
