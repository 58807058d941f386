"""The width of the family: how differently policies do in its worlds, and how wrong their reports are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil, floor, sqrt

from benchmarks.page import number, with_interval
from benchmarks.worlds.measuring import WorldFigures
from decision_service.cli.measurements import Measured
from simulators.experiments.contender import RULE, UNIFORM
from simulators.shops.planner import PLANNER

_SHARES = (0.1, 0.5, 0.9)
"""Of worlds, for the quantiles."""


def to_measurements(worlds: Sequence[WorldFigures], stationary: WorldFigures) -> list[Measured]:
    """Return the width over the worlds; intervals of quantiles are by order statistics."""
    ratios = [ratio for world in worlds if (ratio := world.planner_to_rule) is not None]
    shares = [share for world in worlds if (share := world.anyway) is not None]
    other = f"another channel than {stationary.best_channel}, the best in stationary"
    return [
        *(_quantile("worlds.planner_to_rule", share, ratios, "ratio, where the rule earns") for share in _SHARES),
        _count("worlds.rule_below_no_send", worlds, lambda world: world.planner_to_rule is None, ""),
        _count("worlds.rule_below_uniform_or_no_send", worlds, lambda world: world.rule_is_below, ""),
        _count("worlds.other_best_channel", worlds, lambda world: world.best_channel != stationary.best_channel, other),
        *(_quantile("worlds.credited_anyway", share, shares, "of credited orders") for share in _SHARES),
        Measured("worlds.credited_anyway.least", min(shares), unit="of credited orders"),
        Measured("worlds.credited_anyway.most", max(shares), unit="of credited orders"),
        _count("worlds.daily_email_tires", worlds, lambda world: world.sweep.is_inside, "the best beats 7 a week"),
    ]


def _count(name: str, worlds: Sequence[WorldFigures], holds: Callable[[WorldFigures], bool], what: str) -> Measured:
    unit = f"of {len(worlds)} worlds"
    return Measured(name, float(sum(map(holds, worlds))), unit=f"{unit}: {what}" if what else unit)


def _quantile(name: str, share: float, values: Sequence[float], unit: str) -> Measured:
    """Return a quantile with its 95 % interval.

    >>> one = _quantile("a", 0.5, [float(number) for number in range(101)], "ratio")
    >>> one.name, one.value, one.low, one.high
    ('a.q50', 50.0, 40.0, 60.0)
    """
    ordered, last = sorted(values), len(values) - 1
    reach = 1.96 * sqrt(len(values) * share * (1 - share))
    low, middle, high = floor(last * share - reach), round(last * share), ceil(last * share + reach)
    bounds = ordered[max(low, 0)], ordered[min(high, last)]
    return Measured(f"{name}.q{100 * share:.0f}", ordered[middle], *bounds, unit)


def to_table(worlds: Sequence[WorldFigures]) -> str:
    """Return Markdown: the figures of every world."""
    return "\n".join(
        [
            "Value per shopper: expected incremental margin minus the worth of lost consents. In brackets: 95 %",
            "intervals of paired differences over the shoppers of all runs. *Anyway*: credited orders that no message",
            "caused.",
            "",
            "| world | planner | rule | uniform | planner minus rule | best channel alone | best e-mails a week "
            "| best minus daily | anyway |",
            "|---|--:|--:|--:|---|---|--:|---|--:|",
            *map(_row, worlds),
            "",
        ]
    )


def _row(world: WorldFigures) -> str:
    cells = (
        world.name,
        *(number(world.value(contender)) for contender in (PLANNER, RULE, UNIFORM)),
        with_interval(world.planner_minus_rule),
        world.best_channel,
        str(world.sweep.best),
        with_interval(world.sweep.more_than_daily),
        "–" if world.anyway is None else number(world.anyway),
    )
    return f"| {' | '.join(cells)} |"
