"""Comparisons of the contenders of a simulation with one of them."""

from __future__ import annotations

from collections.abc import Sequence

from simulators.experiments.result import Result
from simulators.experiments.study_comparison import StudyComparison


def group_by_contender(results: Sequence[Result]) -> dict[str, list[Result]]:
    """Return the results of each contender, one per seed, by its name."""
    names = dict.fromkeys(result.contender for result in results)
    return {name: [result for result in results if result.contender == name] for name in names}


def compare_with(name: str, results: Sequence[Result]) -> dict[str, StudyComparison]:
    """Return every other contender's comparison with a contender; none where that one did not run."""
    by_contender = group_by_contender(results)
    one = by_contender.pop(name, None)
    return {} if one is None else {other: StudyComparison.of(its, one) for other, its in by_contender.items()}
