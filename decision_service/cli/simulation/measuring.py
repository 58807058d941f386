"""The measurements of a simulation, as the file of results has them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isfinite

from decision_service.cli.measurements import Measured
from decision_service.cli.simulation.comparisons import compare_with, group_by_contender
from decision_service.cli.simulation.statistics import MARGIN, STATISTICS
from simulators.experiments.contender import RULE
from simulators.experiments.mean_estimate import MeanEstimate
from simulators.experiments.result import Result
from simulators.shops.planner import PLANNER


def measure(results: Sequence[Result]) -> list[Measured]:
    """Return every number with its interval over seeds; the names are ``simulate.<contender>.<number>``.

    With one seed only the paired differences have intervals: over the shoppers of this seed.
    """
    return [*_statistics(results), *_differences_to_rule(results), *_shares_of_planner(results)]


def _statistics(results: Sequence[Result]) -> Iterator[Measured]:
    for contender, of_contender in group_by_contender(results).items():
        for statistic in STATISTICS:
            mean = statistic.estimate(of_contender)
            low, high = (mean.low, mean.high) if len(of_contender) > 1 else (None, None)
            yield Measured(_name(contender, statistic.name), mean.value, low, high, statistic.unit)


def _differences_to_rule(results: Sequence[Result]) -> Iterator[Measured]:
    for contender, comparison in compare_with(RULE, results).items():
        yield _measure(_name(contender, "value_minus_rule"), comparison.whole_run, MARGIN)
        yield _measure(_name(contender, "last_third_minus_rule"), comparison.in_last_third, MARGIN)
        if (ratio := comparison.ratio_in_last_third) is not None:
            yield _measure(_name(contender, "last_third_ratio_to_rule"), ratio, "ratio")


def _shares_of_planner(results: Sequence[Result]) -> Iterator[Measured]:
    for contender, comparison in compare_with(PLANNER, results).items():
        if (share := comparison.ratio_in_last_third) is not None:
            yield _measure(_name(contender, "last_third_share_of_planner"), share, "ratio")


def _name(contender: str, number: str) -> str:
    return f"simulate.{contender.replace(' ', '_')}.{number}"


def _measure(name: str, estimate: MeanEstimate, unit: str) -> Measured:
    low, high = (bound if isfinite(bound) else None for bound in (estimate.low, estimate.high))
    return Measured(name, estimate.value, low, high, unit)
