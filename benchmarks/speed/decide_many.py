"""The benchmark of `decide_many` in process: rounds of groups of requests, in turns with an older version if wanted."""

from __future__ import annotations

from pathlib import Path

from benchmarks.speed.ranges import median
from benchmarks.speed.turns import group_timer
from benchmarks.speed.turns.other_checkout import OtherCheckout
from decision_service.cli.measurements import Measured


class GroupRounds:
    """Times groups of requests in rounds, and keeps the measurements.

    Parameters
    ----------
    actions
        The number of joint actions.
    """

    def __init__(self, actions: int) -> None:
        self._actions = actions
        self._timer = group_timer.GroupTimer(actions)
        self._timer.measure()
        self._rounds: list[list[float]] = []

    def measure(self) -> list[float]:
        """Measure one round, and return it."""
        self._rounds.append(self._timer.measure())
        return self._rounds[-1]

    def results(self, name: str) -> list[Measured]:
        """Return the median for each size of group; ``name`` is the beginning of their names."""
        known = f"{self._actions} joint actions, {group_timer.KNOWN_SENDS} known sends"
        unit = f"CPU µs per decision, row and answer included; {known}"
        return [
            median(f"{name}.{size}.us", values, unit)
            for size, values in zip(group_timer.GROUPS, zip(*self._rounds, strict=True), strict=True)
        ]


def measure(rounds: int, against: Path | None) -> list[Measured]:
    """Measure groups of requests with 240 joint actions, beside an older version if there is one."""
    ours = GroupRounds(240)
    if against is None:
        for _ in range(rounds):
            ours.measure()
        return ours.results("policy.decide_many")
    with OtherCheckout(against, group_timer.__file__, "240") as other:
        pairs = [(ours.measure(), other.measure()) for _ in range(rounds)]
    ratios = [[old / new for new, old in zip(*pair, strict=True)] for pair in pairs]
    return ours.results("policy.decide_many") + [
        median(f"policy.decide_many.{size}.ratio_to_old", values, "CPU of the older version's decide ÷ this one's")
        for size, values in zip(group_timer.GROUPS, zip(*ratios, strict=True), strict=True)
    ]
