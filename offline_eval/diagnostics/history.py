"""History: whether earlier sends change the reward of a send, which a bandit estimator cannot see.

A bandit estimate is the reward of one decision in the contexts that the LOGGING policy produced. Where a target would
produce other contexts (more sends, more fatigue), the estimate is not the target's value.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import isfinite

import numpy as np

from offline_eval.diagnostics.verdict import DOUBTFUL_Z, Finding, Level
from offline_eval.logs.decisions import HOLD, LoggedDecision
from offline_eval.rounding import root, standard_errors
from offline_eval.units import ShopperTotals

FEATURE = "recent_sends"
"""The name in the context of the number of recent sends to the shopper: the history that the service logs."""

_MOST = 8
_AT_ONCE = 2_048


class HistoryCheck:
    """Tests, while decisions are read, whether the reward of a send depends on the sends before it; two can be added.

    Over all sends, the reward is regressed on the number of recent sends. A shopper's rewards resemble each other, and
    so do the shopper's numbers of recent sends, so the error is clustered by shopper. Memory grows with the shoppers,
    not with the log.

    References
    ----------
    Liang, Zeger (1986), Longitudinal Data Analysis Using Generalized Linear Models.
    """

    def __init__(self) -> None:
        self._shoppers = ShopperTotals(terms=4)  # Σx, Σx², Σr, Σxr: x recent sends, r reward
        self._waiting: list[tuple[str, int, float]] = []

    def watch(self, decisions: Iterable[LoggedDecision]) -> Iterator[LoggedDecision]:
        """Yield the decisions unchanged, and remember what the test needs."""
        for decision in decisions:
            sends = decision.context.get(FEATURE)
            if decision.action != HOLD and isinstance(sends, int | float) and isfinite(sends):
                self._waiting.append((decision.shopper_id, min(_MOST, max(0, int(sends))), decision.reward))
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

    def __add__(self, other: HistoryCheck) -> HistoryCheck:
        merged = HistoryCheck()
        for part in (self, other):
            part._sum_up()
            merged._shoppers.merge(part._shoppers)
        return merged

    def findings(self, *, is_logging: bool) -> list[Finding]:
        """Return a warning where history matters; none for the logging policy, which produced this history."""
        slope, error, size = self._slope()
        if is_logging or error <= 0 or abs(standard_errors(slope, error, size)) <= DOUBTFUL_Z:
            return []
        text = (
            f"a send earns {slope:+.4g} ± {error:.2g} with each recent send before it: a bandit estimate keeps the "
            "logging policy's fatigue, so a target that sends more or less is misjudged; use a sequential estimator"
        )
        return [Finding(Level.caution, "history", text)]

    def _slope(self) -> tuple[float, float, float]:
        """Return the slope of the reward by the number of recent sends, its standard error, and the mean reward."""
        self._sum_up()
        count = len(self._shoppers)
        if count < 3:
            return 0.0, 0.0, 0.0
        units = self._shoppers.units()
        rows, (x, xx, r, xr) = units.sizes, units.totals
        mean_x, mean_r = x.sum() / rows.sum(), r.sum() / rows.sum()
        # Sums of (x - mean)², and of (x - mean)(r - mean), of each shopper.
        squares, products = xx - 2 * mean_x * x + mean_x**2 * rows, xr - mean_x * r - mean_r * (x - mean_x * rows)
        if not squares.sum() > 0:
            return 0.0, 0.0, 0.0
        slope = products.sum() / squares.sum()
        scores = products - slope * squares
        error = root(float(scores @ scores) * count / (count - 1)) / float(squares.sum())
        return float(slope), error, abs(float(mean_r))
