"""Summaries of a shopper's behaviour: small, bounded, and updated event by event.

A summary fades by halving: when it has counted enough, all its numbers are halved. So recent behaviour weighs more and
nothing grows without bound. This needs no clock, and every fold of the same rows gives the same summary.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import msgspec

HOURS = 24
HOUR_S = 3_600.0
_ACTIVITY_MEMORY = 200.0
_AFFINITY_MEMORY = 100.0
_MOST_NAMES = 16
_LONGEST_NAME = 100

POPULATION_BY_HOUR = (
    *(1.64, 0.72, 0.42, 0.24, 0.17, 0.25, 0.44, 0.66, 0.80, 0.88, 0.96, 0.98),
    *(1.27, 1.03, 0.97, 0.96, 0.95, 1.04, 1.13, 1.26, 1.60, 1.88, 1.94, 1.79),
)
"""Activity of all shoppers by local hour, mean 1: 60,000 impressions of the Open Bandit sample (ZOZOTOWN; Saito et al.,
2021)."""

_POPULATION_SHARE = tuple(hour / sum(POPULATION_BY_HOUR) for hour in POPULATION_BY_HOUR)
_POPULATION_WEIGHT = 12.0
"""Weight of the population's hours: a shopper's own hours show after a dozen of them (chosen by hand)."""

_DAYS_OF_WEEK, _WEEKDAY_OF_DAY_0, _SATURDAY = 7, 3, 5
"""1970-01-01 was a Thursday; Monday is 0."""


def is_on_weekend(hour: int) -> bool:
    """Return whether an hour, in hours since 1970, is on a Saturday or Sunday, UTC.

    >>> [is_on_weekend(24 * day) for day in range(7)]  # from a Thursday on
    [False, False, True, True, False, False, False]
    """
    return (hour // HOURS + _WEEKDAY_OF_DAY_0) % _DAYS_OF_WEEK >= _SATURDAY


class Activity(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The hours in which a shopper did something. An hour counts once, however many events it has.

    Parameters
    ----------
    by_hour
        The hours by UTC hour of the day.
    on_weekends
        How many of them are on a Saturday or Sunday, UTC.
    latest
        The hour that was counted last, in hours since 1970; None before the first one.

    References
    ----------
    The per-slot activity of TIM (Kuaishou, 2024, arXiv:2406.07067), with shrinkage instead of attention.
    """

    by_hour: tuple[float, ...] = (0.0,) * HOURS
    on_weekends: float = 0.0
    latest: int | None = None

    def plus(self, at: float) -> Activity:
        """Return the activity after one more event; ``at`` is in epoch seconds.

        Several events of an hour count once if they follow each other.

        >>> once = Activity().plus(1_800.0)
        >>> once.plus(3_599.0) == once, sum(once.plus(3_600.0).by_hour)
        (True, 2.0)
        """
        hour = int(at // HOUR_S)
        if hour == self.latest:
            return self
        hours, on_weekends = list(self.by_hour), self.on_weekends + is_on_weekend(hour)
        hours[hour % HOURS] += 1.0
        if sum(hours) > _ACTIVITY_MEMORY:
            hours, on_weekends = [count / 2 for count in hours], on_weekends / 2
        return Activity(tuple(hours), on_weekends, hour)

    def share(self, hour: int, utc_offset_h: float = 0.0) -> float:
        """Return the share of activity in a local hour, shrunk towards the population's share; the mean is 1/24.

        >>> busy = Activity()
        >>> for day in range(12):
        ...     busy = busy.plus((24 * day + 20) * 3600.0)
        >>> Activity().share(20) < busy.share(20) < 1
        True
        """
        events = self.by_hour[math.floor(hour - utc_offset_h) % HOURS]
        return (events + _POPULATION_WEIGHT * _POPULATION_SHARE[hour]) / (sum(self.by_hour) + _POPULATION_WEIGHT)


Affinities = dict[str, float]
"""The strength of a shopper's interest in products or categories, by name; only the strongest are kept."""


def short_name(name: str) -> str:
    """Return the name of a product or category as a state keeps it: a state is bounded, and so are its names."""
    return name[:_LONGEST_NAME]


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
    """What became of sends.

    Parameters
    ----------
    sends, clicks
        The number of sends that were sent, and the number that were clicked.
    expected_clicks
        The sum of the click probabilities that were predicted for sends whose attribution window has ended.
    compared_clicks
        How many of these sends were clicked.
    """

    sends: float = 0.0
    clicks: float = 0.0
    expected_clicks: float = 0.0
    compared_clicks: float = 0.0

    def rate(self) -> float:
        """Return the click rate, shrunk towards `PRIOR_CLICK_RATE`.

        >>> Responses().rate() == PRIOR_CLICK_RATE
        True
        """
        return (self.clicks + _PRIOR_SENDS * PRIOR_CLICK_RATE) / (self.sends + _PRIOR_SENDS)

    def surplus(self) -> float:
        """Return log((clicks + 1) ÷ (expected clicks + 1)): 0 is what was expected, or nothing known.

        >>> Responses().surplus(), Responses(9.0, 3.0, 0.5, 2.0).surplus() == math.log(2.0)
        (0.0, True)
        """
        return math.log((self.compared_clicks + 1.0) / (self.expected_clicks + 1.0))

    def plus(self, clicked: bool, p_click: float | None) -> Responses:
        """Return the counts after one more send; see `Response` for the arguments."""
        sends, clicks = self.sends + 1.0, self.clicks + clicked
        if p_click is None:
            return Responses(sends, clicks, self.expected_clicks, self.compared_clicks)
        return Responses(sends, clicks, self.expected_clicks + p_click, self.compared_clicks + clicked)


_NO_RESPONSES = Responses()

Response = tuple[bool, float | None]
"""Whether a send was clicked, and the click probability that counts for it: None while it counts for nothing."""


def count_responses(
    before: Mapping[str, Responses], names: Iterable[str], responses: Iterable[Response]
) -> dict[str, Responses]:
    """Return the counts after more sends; ``names`` and ``responses`` have one entry per send.

    New names are counted only while there are fewer than `_MOST_RESPONSES`.

    >>> count_responses({}, ["push", "push"], [(True, None), (False, 0.25)])
    {'push': Responses(sends=2.0, clicks=1.0, expected_clicks=0.25, compared_clicks=0.0)}
    """
    counts = dict(before)
    for name, (clicked, p_click) in zip(names, responses, strict=True):
        if name in counts or len(counts) < _MOST_RESPONSES:
            counts[name] = counts.get(name, _NO_RESPONSES).plus(clicked, p_click)
    return counts


def sum_of(responses: Iterable[Responses]) -> Responses:
    """Return the sum of counts.

    >>> sum_of([Responses(2.0, 1.0), Responses(1.0, 1.0, 0.5, 1.0)])
    Responses(sends=3.0, clicks=2.0, expected_clicks=0.5, compared_clicks=1.0)
    """
    sends = clicks = expected = compared = 0.0
    for one in responses:
        sends += one.sends
        clicks += one.clicks
        expected += one.expected_clicks
        compared += one.compared_clicks
    return Responses(sends, clicks, expected, compared)


_UNIT = 2.0**-30


def exact_probability(probability: float | None) -> float | None:
    """Return a probability as a multiple of 2⁻³⁰: sums of a million such numbers are exact, in any order.

    >>> sum(map(exact_probability, (0.1, 0.2))) == exact_probability(0.3)
    True
    """
    return None if probability is None else round(probability / _UNIT) * _UNIT


_MOST_RESPONSES = 64
"""Most channels or categories that are counted, over all versions of the catalogue."""

PRIOR_CLICK_RATE = 0.03
"""The click rate before anything is known: retail push opens of 2.97 % (Airship, vendor figure)."""

_PRIOR_SENDS = 10.0
