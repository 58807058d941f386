"""History: whether what was decided before changes what is decided now, which a bandit estimator cannot see.

A bandit estimate asks what one decision would have earned in the contexts that the LOGGING policy brought about.
Where a target would bring about other contexts (more sends, more fatigue), that is not its value.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import isfinite, sqrt

import numpy as np

from offline_eval.diagnostics.verdict import DOUBTFUL_Z, Finding, Level
from offline_eval.logs.decisions import HOLD, LoggedDecision
from offline_eval.units import Shoppers

FEATURE = "recent_sends"
"""The context's name for how often the shopper was sent to lately: the history that the service logs."""

_MOST = 8
_AT_ONCE = 2_048


class History:
    """Watches decisions go by and tests whether the reward of a send depends on the sends before it; mergeable.

    Within sends, the mean reward is compared between many and few recent sends, by regression of the reward on the
    number of recent sends. A shopper's rewards resemble each other, and so do their recent sends: the error is
    clustered by shopper. Memory grows with the shoppers, not with the log.

    References
    ----------
    Liang, Zeger (1986), Longitudinal Data Analysis Using Generalized Linear Models.
    """

    def __init__(self) -> None:
        self._shoppers = Shoppers(terms=4)  # Σx, Σx², Σr, Σxr: x recent sends, r reward
        self._waiting: list[tuple[str, int, float]] = []

    def watched(self, decisions: Iterable[LoggedDecision]) -> Iterator[LoggedDecision]:
        """Pass decisions on."""
        for decision in decisions:
            told = decision.context.get(FEATURE)
            if decision.action != HOLD and isinstance(told, int | float) and isfinite(told):
                self._waiting.append((decision.shopper_id, min(_MOST, max(0, int(told))), decision.reward))
            if len(self._waiting) >= _AT_ONCE:
                self._sum_up()
            yield decision

    def _sum_up(self) -> None:
        if not self._waiting:
            return
        shoppers, sends, rewards = zip(*self._waiting, strict=True)
        x, r = np.array(sends, dtype=np.float64), np.array(rewards, dtype=np.float64)
        self._shoppers.add(np.array(shoppers), np.stack([x, x * x, r, x * r]))
        self._waiting = []

    def __add__(self, other: History) -> History:
        """Merge."""
        merged = History()
        for part in (self, other):
            part._sum_up()
            merged._shoppers.merge(part._shoppers)
        return merged

    def findings(self, *, is_logging: bool) -> list[Finding]:
        """Warn where history matters; the logging policy itself brought about what it met."""
        slope, error = self._slope()
        if is_logging or error <= 0 or abs(slope) <= DOUBTFUL_Z * error:
            return []
        text = (
            f"a send earns {slope:+.4g} ± {error:.2g} with each recent send before it: a bandit estimate keeps the "
            "logging policy's fatigue, so a target that sends more or less is misjudged; use a sequential estimator"
        )
        return [Finding(Level.caution, "history", text)]

    def _slope(self) -> tuple[float, float]:
        """Regress the reward on the number of recent sends; give the slope and its standard error."""
        self._sum_up()
        count = len(self._shoppers)
        if count < 3:
            return 0.0, 0.0
        units = self._shoppers.units()
        rows, (x, xx, r, xr) = units.sizes, units.totals
        mean_x, mean_r = x.sum() / rows.sum(), r.sum() / rows.sum()
        # Sums of (x - mean)², and of (x - mean)(r - mean), of each shopper.
        squares, products = xx - 2 * mean_x * x + mean_x**2 * rows, xr - mean_x * r - mean_r * (x - mean_x * rows)
        if not squares.sum() > 0:
            return 0.0, 0.0
        slope = products.sum() / squares.sum()
        scores = products - slope * squares
        return float(slope), sqrt(float(scores @ scores) * count / (count - 1)) / float(squares.sum())
