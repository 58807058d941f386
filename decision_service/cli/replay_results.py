"""The results of a replay: measurements with their intervals, and what a terminal shows."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from decision_service.cli.measurements import Measured
from simulators.experiments.comparison import ShopRun, estimate_difference, estimate_realised_difference
from simulators.experiments.mean_estimate import MeanEstimate
from simulators.replay.replay_result import ReplayResult
from simulators.shops.planner import PLANNER

_VALUE, _RATIO = "margin per shopper", "ratio"


def measure(results: list[ReplayResult]) -> list[Measured]:
    """Return every number of a replay; the names are ``replay.<shop>.<number>``.

    The first shop is compared with each of the others by paired differences: in reward per decision over the decisions,
    and in value over the shoppers. The intervals hold for this one replay.
    """
    runs = [result.run for result in results]
    return [*_rewards(runs), *_reward_differences(runs), *_values(results), *_totals(runs)]


def _rewards(runs: list[ShopRun]) -> Iterator[Measured]:
    quarter = runs[0].last_quarter()
    for run in runs:
        yield Measured(f"replay.{run.name}.reward_per_decision", float(run.expected[quarter].mean()), unit="reward")
        realised = float(run.rewards[quarter].mean())
        yield Measured(f"replay.{run.name}.realised_reward_per_decision", realised, unit="reward")


def _reward_differences(runs: list[ShopRun]) -> Iterator[Measured]:
    first, *others = runs
    quarter = first.last_quarter()
    for run in others:
        for name, estimate in (("", estimate_difference), ("realised.", estimate_realised_difference)):
            key = f"replay.{name}{first.name}_minus_{run.name}"
            yield _measure(key, estimate(first, run, quarter), "reward per decision, last quarter")


def _values(results: list[ReplayResult]) -> Iterator[Measured]:
    first, *others = results
    for result in results:
        yield Measured(f"replay.{result.run.name}.value", result.value, unit=_VALUE)
    for other in others:
        yield _measure(f"replay.value.{first.run.name}_minus_{other.run.name}", first.minus(other), _VALUE)
    planner = next(result for result in results if result.run.name == PLANNER)
    for result in results:
        if result is not planner and (share := result.share_of(planner)) is not None:
            yield _measure(f"replay.{result.run.name}.share_of_planner", share, _RATIO)


def _totals(runs: list[ShopRun]) -> Iterator[Measured]:
    for run in runs:
        sends = max(1, int(run.sends.sum()))
        yield Measured(f"replay.{run.name}.sends", float(run.sends.sum()), unit="count")
        yield Measured(f"replay.{run.name}.click_rate", float(run.clicks.sum() / sends), unit=_RATIO)
        opt_outs = float(1_000 * run.opt_outs.sum() / sends)
        yield Measured(f"replay.{run.name}.optouts_per_1k_sends", opt_outs, unit="per 1,000")


def _measure(name: str, estimate: MeanEstimate, unit: str) -> Measured:
    low, high = (bound if isfinite(bound) else None for bound in (estimate.low, estimate.high))
    return Measured(name, estimate.value, low, high, unit)


def print_results(results: list[ReplayResult], measured: list[Measured]) -> None:
    """Print the weeks, the values, and the differences with their intervals."""
    console = Console()
    console.print(_weeks_table([result.run for result in results]))
    console.print(_values_table(results))
    for one in measured:
        if one.low is not None and one.high is not None and one.unit != _RATIO:
            sign = "above" if one.low > 0 else "below" if one.high < 0 else "not apart from"
            interval = f"[{one.low:+.4f}, {one.high:+.4f}]"
            line = f"{one.name}: {one.value:+.4f} {interval} {one.unit}; {sign} zero"
            console.print(line, highlight=False, markup=False, soft_wrap=True)


def _weeks_table(runs: list[ShopRun]) -> Table:
    table = _table("Real purchases, simulated responses: by week", "under each name: reward per decision")
    headings = ("week", "decisions", "sends", "clicks", "opt-outs", *(run.name for run in runs))
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for weeks in zip(*(run.weeks() for run in runs), strict=True):
        week = weeks[0]
        counts = (week.week, week.decisions, week.sends, week.clicks, week.opt_outs)
        table.add_row(*map(str, counts), *(f"{run_week.reward_per_decision:.3f}" for run_week in weeks))
    return table


def _values_table(results: list[ReplayResult]) -> Table:
    table = _table(
        "Value over the whole replay",
        "value: expected incremental margin per shopper against the same shoppers without any send, minus what the "
        "lost consents would earn later",
    )
    table.add_column("", min_width=40)
    for heading in ("value", "sends", "opt-outs/1k"):
        table.add_column(heading, justify="right")
    for result in results:
        run = result.run
        opt_outs = 1_000 * run.opt_outs.sum() / max(1, run.sends.sum())
        table.add_row(run.name, f"{result.value:.3f}", f"{run.sends.sum():,}", f"{opt_outs:.2f}")
    return table


def _table(title: str, caption: str) -> Table:
    return Table(title=title, caption=caption, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))  # narrow: for 80 characters
