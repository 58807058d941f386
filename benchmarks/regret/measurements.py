"""The results of a comparison by name: ``regret.<scenario>.<policy>.<figure>``, with ``family`` for all worlds.

Without ``whole_run`` in its name a figure is that of the last third of the weeks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isfinite

import numpy as np

from decision_service.cli.measurements import Measured
from simulators.arrays import FloatArray
from simulators.experiments.mean_estimate import MeanEstimate, estimate_share
from simulators.regret.finished_run import FinishedRun, SendCell, SendSums, group_cells
from simulators.regret.standing import Score, Standing, estimate_mean
from simulators.regret.standings import Standings

ENOUGH_SENDS = 500
"""Fewer watched sends tell nothing about opt-outs."""

PARTS = {"": Score.of_last_third, "whole_run.": Score.of}
"""What stands in the name before a figure → the weeks that count."""


def to_family_measurements(standings: Standings) -> Iterator[Measured]:
    """Yield the figures over the family: the world is the unit."""
    for contender in standings.contenders:
        for part, score in PARTS.items():
            standing = standings.of_family(contender, score)
            key, above = f"regret.family.{contender}.{part}", standing.values > standing.rule_values
            yield from measure(
                f"{key}share_of_planner", _mean(standing.shares), "of the planner's value, mean over worlds"
            )
            yield from measure(
                f"{key}gain_over_rule", _mean(standing.gains), "of the planner's value, mean over worlds"
            )
            yield Measured(f"{key}worlds_above_rule", float(above.sum()), unit=f"of {len(above)} worlds")
            yield from measure(f"{key}summed_share_of_planner", standing.share_of_planner, "ratio of summed values")
            yield from measure(f"{key}ratio_to_rule", standing.ratio_to_rule, "ratio of summed values")
            yield from _send_measurements(key, standing)
        yield from _run_measurements(f"regret.family.{contender}", [*standings.runs_of(contender)])


def to_scenario_measurements(standings: Standings, scenario: str) -> Iterator[Measured]:
    """Yield the figures of one scenario or world: the seed is the unit."""
    for contender in standings.contenders:
        for part, score in PARTS.items():
            standing = standings.of_scenario(scenario, contender, score)
            key = f"{_key(scenario)}.{contender}.{part}"
            yield from measure(f"{key}value", standing.value, "per shopper")
            yield from measure(f"{key}realised_value", standing.realised_value, "margin per shopper, of real orders")
            yield from measure(f"{key}share_of_planner", standing.share_of_planner, "ratio")
            yield from measure(f"{key}gain_over_rule", _mean(standing.gains), "of the planner's value")
            yield from measure(f"{key}ratio_to_rule", standing.ratio_to_rule, "ratio")
            if len(standing.shares) > 1:
                spread = float(standing.shares.std(ddof=1))
                yield Measured(f"{key}share_of_planner_sd", spread, unit="standard deviation over seeds")
            yield from _send_measurements(key, standing)
        yield from _run_measurements(f"{_key(scenario)}.{contender}", standings.runs[scenario][contender])


def _send_measurements(key: str, standing: Standing) -> Iterator[Measured]:
    yield from measure(f"{key}sends_per_week", standing.sends_per_week, "per shopper")
    yield from measure(f"{key}optouts_per_1k_sends", standing.optouts_per_1k_sends, "by true probabilities")
    yield from measure(f"{key}realised_optouts_per_1k_sends", standing.realised_optouts_per_1k_sends, "that came")
    yield from measure(f"{key}optouts_ratio_to_rule", standing.optouts_ratio_to_rule, "ratio")
    yield from measure(f"{key}reach_left", standing.reach_left, "of the consents, at the end")


def _run_measurements(key: str, runs: Sequence[FinishedRun]) -> Iterator[Measured]:
    """Yield calibration slopes and processor times."""
    for kind, column in (("slope", "slopes"), ("uniform_slope", "uniform_slopes")):
        for head in ("click", "out"):
            slopes = [by_head[head] for run in runs if head in (by_head := getattr(run, column))]
            yield from measure(f"{key}.{head}_{kind}", _mean(np.array(slopes)), "1 is calibrated")
    for name in ("decide_us", "learn_us"):
        times = [getattr(run, name) for run in runs if getattr(run, name) is not None]
        yield from measure(f"{key}.{name}", _mean(np.array(times)), "µs of processor time per decision")


def to_place_measurements(standings: Standings) -> Iterator[Measured]:
    """Yield predicted, true and realised opt-outs of all contenders, by scenario and over the family."""
    for contender in standings.contenders:
        places = {_key(scenario): runs[contender] for scenario, runs in standings.runs.items()}
        if standings.is_family:
            places = {"regret.family": [*standings.runs_of(contender)], **places}
        for key, runs in places.items():
            yield from _opt_out_measurements(f"{key}.{contender}", [cell for run in runs for cell in run.cells])


def _key(scenario: str) -> str:
    return f"regret.{scenario.replace('-', '_')}"


def _opt_out_measurements(key: str, cells: Sequence[SendCell]) -> Iterator[Measured]:
    """Yield opt-outs by channel, by load bucket, and by both, where there are enough sends."""
    for fields in (("channel",), ("load",), ("channel", "load")):
        for place, sums in group_cells(cells, *fields).items():
            if sums.watched >= ENOUGH_SENDS:
                name = ".".join(f"load_{one}" if isinstance(one, int) else one for one in place)
                yield from _opt_outs_in(key, name, sums)


def _opt_outs_in(key: str, place: str, sums: SendSums) -> Iterator[Measured]:
    outs, unit = sums.withdrawals, f"{sums.watched} sends"
    if outs.predicted_to_expected is not None:
        yield Measured(f"{key}.out_predicted_to_true.{place}", outs.predicted_to_expected, unit=unit)
    yield Measured(f"{key}.out_true_per_1k.{place}", 1_000.0 * outs.expected / sums.watched, unit=unit)
    realised = count_per_1k(sums)
    yield Measured(f"{key}.out_realised_per_1k.{place}", realised.value, realised.low, realised.high, unit)


def count_per_1k(sums: SendSums) -> MeanEstimate:
    """Return the opt-outs that came per 1,000 sends."""
    share = estimate_share(sums.withdrawals.realised, sums.watched)
    return MeanEstimate(1_000.0 * share.value, 1_000.0 * share.low, 1_000.0 * share.high)


def _mean(values: FloatArray) -> MeanEstimate | None:
    return estimate_mean(values) if len(values) else None


def measure(name: str, estimate: MeanEstimate | None, unit: str) -> Iterator[Measured]:
    """Yield an estimate as a result, without an interval where the bounds are infinite; nothing without an estimate."""
    if estimate is not None:
        low, high = (estimate.low, estimate.high) if isfinite(estimate.low) else (None, None)
        yield Measured(name, estimate.value, low, high, unit)
