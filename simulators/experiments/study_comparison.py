"""One contender of a study against another one: paired differences and the ratio of their values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simulators.experiments.mean_estimate import MeanEstimate, estimate_paired_mean, estimate_paired_ratio
from simulators.experiments.result import Result, last_third


@dataclass(frozen=True)
class StudyComparison:
    """How much more value per shopper a contender has than another one, in the same worlds with the same shoppers.

    Attributes
    ----------
    whole_run, in_last_third
        Differences over the run, and over the last third of its weeks.
    ratio_in_last_third
        Value ÷ value of the other over the last third; None where the other's value may be 0 or negative.
    by_week
        The difference in each week, (weeks,).
    """

    whole_run: MeanEstimate
    in_last_third: MeanEstimate
    ratio_in_last_third: MeanEstimate | None
    by_week: list[MeanEstimate]

    @classmethod
    def of(cls, results: Sequence[Result], others: Sequence[Result]) -> StudyComparison:
        """Compare the results of two contenders.

        Raises
        ------
        ValueError
            When the results are not of the same seeds in the same order.
        """
        if [result.seed for result in results] != [result.seed for result in others]:
            raise ValueError("the results must be of the same seeds")
        pairs = list(zip(results, others, strict=True))
        weeks = len(results[0].weekly)
        first = last_third(weeks)
        return cls(
            whole_run=estimate_paired_mean([one.values() - other.values() for one, other in pairs]),
            in_last_third=estimate_paired_mean([one.values(first) - other.values(first) for one, other in pairs]),
            ratio_in_last_third=estimate_paired_ratio(
                [result.values(first) for result in results], [other.values(first) for other in others]
            ),
            by_week=[
                estimate_paired_mean([one.by_shopper[week] - other.by_shopper[week] for one, other in pairs])
                for week in range(weeks)
            ],
        )
