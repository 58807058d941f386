"""The search among policies in worlds of the family, and its page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.page import number
from benchmarks.regret.comparing import RunKeeping, compare
from benchmarks.regret.runs import Field
from decision_service.cli.measurements import Measured
from simulators.arrays import FloatArray
from simulators.family.draw import draw_world
from simulators.regret.search import SearchRefused, SearchResult, search
from simulators.regret.standing import Score

REPORTED_WORLDS = range(20, 60)


@dataclass(frozen=True)
class SearchSize:
    """How much is simulated of each world."""

    weeks: int
    shoppers: int
    seed: int


def search_worlds(
    policies: Sequence[str], worlds: Sequence[int], size: SearchSize, keeping: RunKeeping
) -> SearchResult:
    """Search policies, from the simplest to the most elaborate, in worlds of the family.

    Raises
    ------
    SearchRefused
        When a world is one of those that are only for reported tables, or the planner earns nothing in a world.
    """
    if any(number in REPORTED_WORLDS for number in worlds):
        raise SearchRefused("worlds 20 to 59 are only for reported tables: choose on worlds 0 to 19")

    def measure(candidates: Sequence[str], chosen: Sequence[int]) -> Mapping[str, FloatArray]:
        field = Field([draw_world(number).with_weeks(size.weeks) for number in chosen], [size.seed], size.shoppers)
        standings = compare(field, candidates, keeping)
        shares = {name: standings.of_family(name, Score.of_last_third).shares for name in candidates}
        if any(len(of_one) < len(chosen) for of_one in shares.values()):
            raise SearchRefused("the planner earns nothing in a world: more shoppers or weeks are needed")
        return shares

    return search(policies, worlds, measure)


def to_measurements(result: SearchResult) -> Iterator[Measured]:
    """Yield the differences of the rounds and of the comparisons, and whether a challenger was kept."""
    for part in result.rounds:
        for name, difference in part.differences.items():
            yield Measured(f"search.{part.worlds}_worlds.{name}.difference", difference, unit="of the planner's value")
    for one in result.comparisons:
        key = f"search.{one.challenger}.minus_{one.choice}"
        yield Measured(key, one.difference, one.bound, None, "of the planner's value, one-sided 90 % bound")
        yield Measured(f"search.{one.challenger}.is_kept", float(one.is_kept), unit="1: it takes the place")


def to_table(result: SearchResult) -> str:
    """Return the comparisons and the choice in Markdown."""
    rows = [
        "| challenger | choice so far | mean difference | lower one-sided 90 % bound | kept |",
        "|---|---|--:|--:|---|",
    ]
    for one in result.comparisons:
        kept = "yes" if one.is_kept else "no"
        rows.append(f"| {one.challenger} | {one.choice} | {number(one.difference)} | {number(one.bound)} | {kept} |")
    return "\n".join([*rows, "", f"The choice is **{result.choice}**.", ""])
