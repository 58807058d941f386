"""The honest search: which of several policies to keep, by a rule that is stated before.

The candidates are named from the simplest to the most elaborate. In each round they run in more worlds. After every
round but the last, the better half of the challengers goes on, by the mean of their differences to the simplest
candidate. The simplest one goes on always.

After the last round, the choice begins with the simplest candidate. Each challenger in turn is compared with the choice
so far, world by world. It takes its place only if the mean of the paired differences lies above 0 by a one-sided 90 %
bound (Student's t over the worlds). Otherwise the simpler one stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, inf, sqrt

from simulators.arrays import FloatArray
from simulators.experiments.mean_estimate import t_quantile

BOUND = 0.9
"""Confidence of the one-sided bound."""

_PARTS = (4, 2, 1)
"""The rounds run in a quarter of the worlds, in half of them, and in all."""

Measure = Callable[[Sequence[str], Sequence[int]], Mapping[str, FloatArray]]
"""Takes candidates and worlds, and returns the values of each candidate by world, as shares of the planner's value."""


class SearchRefused(ValueError):
    """Nothing can be chosen among these candidates in these worlds; the text says why."""


@dataclass(frozen=True)
class Round:
    """A round of the search: in how many worlds, and the mean difference of each challenger to the simplest."""

    worlds: int
    differences: Mapping[str, float]


@dataclass(frozen=True)
class Comparison:
    """A challenger against the choice so far: the mean paired difference, and its lower one-sided 90 % bound."""

    challenger: str
    choice: str
    difference: float
    bound: float

    @property
    def is_kept(self) -> bool:
        """Whether the challenger takes the place of the choice."""
        return self.bound > 0.0


@dataclass(frozen=True)
class SearchResult:
    """What a search found."""

    rounds: Sequence[Round]
    comparisons: Sequence[Comparison]
    choice: str


def search(candidates: Sequence[str], worlds: Sequence[int], measure: Measure) -> SearchResult:
    """Search the candidates, from the simplest to the most elaborate.

    Raises
    ------
    SearchRefused
        When there are fewer than two different candidates or two worlds.
    """
    if len({*candidates}) < 2 or len({*candidates}) < len(candidates):
        raise SearchRefused("name two or more different policies, from the simplest to the most elaborate")
    if len(worlds) < 2:
        raise SearchRefused("a search needs two worlds or more")
    simplest, *challengers = candidates
    rounds = list[Round]()
    for part in _PARTS if len(challengers) > 1 else _PARTS[-1:]:
        chosen = worlds[: max(2, ceil(len(worlds) / part))]
        shares = measure([simplest, *challengers], chosen)
        differences = {name: float((shares[name] - shares[simplest]).mean()) for name in challengers}
        rounds.append(Round(len(chosen), differences))
        if part > 1:
            challengers = _better_half(challengers, differences)
    comparisons = list(_compare(simplest, challengers, shares))
    kept = [one.challenger for one in comparisons if one.is_kept]
    return SearchResult(rounds, comparisons, kept[-1] if kept else simplest)


def _better_half(challengers: Sequence[str], differences: Mapping[str, float]) -> list[str]:
    """Return the better half, rounded up, in the order of the challengers; of equal ones the simpler."""
    best = sorted(challengers, key=lambda name: -differences[name])[: ceil(len(challengers) / 2)]
    return [name for name in challengers if name in best]


def _compare(simplest: str, challengers: Sequence[str], shares: Mapping[str, FloatArray]) -> Iterator[Comparison]:
    choice = simplest
    for challenger in challengers:
        differences = shares[challenger] - shares[choice]
        one = Comparison(challenger, choice, float(differences.mean()), lower_bound(differences))
        yield one
        if one.is_kept:
            choice = challenger


def lower_bound(differences: FloatArray) -> float:
    """Return the lower one-sided 90 % bound of a mean, by Student's t; -∞ for one difference.

    >>> import numpy as np
    >>> round(lower_bound(np.array([1.0, 2.0, 3.0])), 3)
    0.911
    """
    degrees = len(differences) - 1
    if degrees < 1:
        return -inf
    error = float(differences.std(ddof=1)) / sqrt(len(differences))
    return float(differences.mean()) - t_quantile(degrees, BOUND) * error
