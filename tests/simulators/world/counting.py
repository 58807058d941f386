"""Counts outcomes of the world."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from simulators.world.tick import Tick


def count_outcomes(ticks: Iterable[Tick]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for tick in ticks:
        for outcomes in tick.outcomes:
            counts[outcomes.kind] += len(outcomes.tickets)
    return counts
