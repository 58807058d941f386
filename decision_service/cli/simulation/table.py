"""The table of a simulation in the terminal, and the differences to the rule below it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from decision_service.cli.simulation.comparisons import compare_with, group_by_contender
from decision_service.cli.simulation.statistics import MARGIN, STATISTICS
from simulators.experiments.contender import RULE
from simulators.experiments.result import Result, describe_last_third


def print_results(results: Sequence[Result]) -> None:
    """Print the table of all contenders, and a line for each difference to the rule."""
    weeks = describe_last_third(len(results[0].weekly))
    console = Console()
    console.print(_table(results, weeks))
    for name, comparison in compare_with(RULE, results).items():
        difference = comparison.in_last_third
        where = {1: "above zero", -1: "below zero", 0: "not apart from zero"}[difference.sign]
        console.print(
            f"{name} minus {RULE}, {weeks}: {difference.value:+.4f} "
            f"[{difference.low:+.4f}, {difference.high:+.4f}] {MARGIN}; {where}",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )


def _table(results: Sequence[Result], weeks: str) -> Table:
    table = Table(
        title="Simulated shoppers",
        caption="value: expected incremental margin per shopper against the same shoppers without any send, minus what "
        "the lost consents would earn later; consent left: the share of consents that remain",
        box=SIMPLE_HEAD,
        show_edge=False,
        padding=0,  # narrow, so that a column for each number fits into 80 characters
    )
    table.add_column("", overflow="fold")
    for statistic in STATISTICS:
        heading = statistic.heading.format(last_third=weeks).replace(" ", "\n", 1)
        table.add_column(heading, justify="right", no_wrap=True)  # a long name is folded, but no number is cut
    for name, of_contender in group_by_contender(results).items():
        table.add_row(name, *(f"{statistic.estimate(of_contender).value:.3f}" for statistic in STATISTICS))
    return table
