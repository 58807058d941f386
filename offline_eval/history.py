"""History: whether what was decided before changes what is decided now, which a bandit estimator cannot see.

A bandit estimate asks what one decision would have earned in the contexts that the LOGGING policy brought about.
Where a target would bring about other contexts (more sends, more fatigue), that is not its value.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import sqrt

import numpy as np

from offline_eval.decisions import HOLD, Decision
from offline_eval.diagnostics.verdict import DOUBTFUL_Z, Level, Reason
from offline_eval.rows import FloatArray

FEATURE = "recent_sends"
"""The context's name for how often the shopper was sent to lately: the history that the service logs."""

_MOST = 8


class History:
    """Watches decisions go by and tests whether the reward of a send depends on the sends before it; mergeable sums.

    Within sends, the mean reward is compared between shoppers with many and with few recent sends, by regression
    of the reward on the number of recent sends.
    """

    def __init__(self) -> None:
        self._seen = 0
        self._sums = np.zeros((_MOST + 1, 3))  # by recent sends: count, Σr, Σr²

    def watched(self, decisions: Iterable[Decision]) -> Iterator[Decision]:
        """Pass decisions on."""
        for decision in decisions:
            told = decision.context.get(FEATURE)
            if decision.action != HOLD and isinstance(told, int | float) and not isinstance(told, bool):
                self._sums[min(_MOST, max(0, int(told)))] += (1.0, decision.reward, decision.reward**2)
            yield decision

    def __add__(self, other: History) -> History:
        """Merge."""
        merged = History()
        merged._sums = self._sums + other._sums
        return merged

    def findings(self, *, is_logging: bool) -> list[Reason]:
        """Warn where history matters; the logging policy itself brought about what it met."""
        slope, error = self._slope()
        if is_logging or error <= 0 or abs(slope) <= DOUBTFUL_Z * error:
            return []
        text = (
            f"a send earns {slope:+.4g} ± {error:.2g} with each recent send before it: a bandit estimate keeps the "
            "logging policy's fatigue, so a target that sends more or less is misjudged; use a sequential estimator"
        )
        return [Reason(Level.caution, "history", text)]

    def _slope(self) -> tuple[float, float]:
        """Regress the reward on the number of recent sends; give the slope and its standard error."""
        counts, totals, squares = self._sums.T
        rows = float(counts.sum())
        if rows < 3:
            return 0.0, 0.0
        level = np.arange(_MOST + 1.0)
        mean_level, mean = float(counts @ level) / rows, float(totals.sum()) / rows
        spread = float(counts @ (level - mean_level) ** 2)
        if spread <= 0:
            return 0.0, 0.0
        slope = float((level - mean_level) @ totals) / spread
        return slope, _error(slope, level - mean_level, mean, (counts, totals, squares), spread)


def _error(
    slope: float, level: FloatArray, mean: float, sums: tuple[FloatArray, FloatArray, FloatArray], spread: float
) -> float:
    counts, totals, squares = sums
    fitted = mean + slope * level
    left = float((squares - 2 * fitted * totals + counts * fitted**2).sum())
    return sqrt(max(0.0, left) / (float(counts.sum()) - 2) / spread)
