"""The statistics of a result: how each is computed, and how it is named where it is shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf

from simulators.experiments.mean_estimate import MeanEstimate, estimate_over_seeds
from simulators.experiments.result import Result

MARGIN = "margin per shopper"
"""The unit of values."""


@dataclass(frozen=True)
class Statistic:
    """A statistic of a result.

    Attributes
    ----------
    name, unit
        In the file of results.
    heading, label
        In the table of the terminal and on the page; ``{last_third}`` stands for the last third of the weeks. The page
        leaves out a statistic without a label.
    form
        How the page formats a number.
    least, most
        The range that the interval of the mean cannot leave.
    """

    name: str
    unit: str
    heading: str
    label: str
    form: str
    of: Callable[[Result], float]
    least: float = -inf
    most: float = inf

    def estimate(self, results: Sequence[Result]) -> MeanEstimate:
        """Return the mean over the results of one contender, one per seed."""
        return estimate_over_seeds([self.of(result) for result in results], self.least, self.most)


STATISTICS = (
    Statistic("value", MARGIN, "value", "value per shopper", ".3f", lambda result: result.value),
    Statistic(
        name="last_third",
        unit=MARGIN,
        heading="{last_third}",
        label="value per shopper, {last_third}",
        form=".3f",
        of=lambda result: result.value_of_last_third,
    ),
    Statistic("realised", MARGIN, "realised", "", ".3f", lambda result: result.realised),
    Statistic(
        name="sends_per_week",
        unit="per shopper and week",
        heading="sends a week",
        label="sends per week",
        form=".2f",
        of=lambda result: result.sends_per_week,
        least=0.0,
    ),
    Statistic(
        name="click_rate",
        unit="per send",
        heading="clicks",
        label="clicks per send",
        form=".2%",
        of=lambda result: result.per_send("click"),
        least=0.0,
        most=1.0,
    ),
    Statistic(
        name="conversion_rate",
        unit="per send",
        heading="orders",
        label="orders per send",
        form=".3%",
        of=lambda result: result.per_send("conversion"),
        least=0.0,
    ),
    Statistic(
        name="optouts_per_1k_sends",
        unit="per 1,000 sends",
        heading="opt-outs per 1k",
        label="opt-outs per 1,000",
        form=".2f",
        of=lambda result: result.withdrawals_per_1000,
        least=0.0,
    ),
    Statistic(
        name="reach_left",
        unit="ratio",
        heading="consent left",
        label="consents that remain",
        form=".1%",
        of=lambda result: result.reach,
        least=0.0,
        most=1.0,
    ),
    Statistic(
        name="revenue_per_send",
        unit="attributed value per send",
        heading="revenue a send",
        label="revenue per send",
        form=".3f",
        of=lambda result: result.revenue_per_send,
        least=0.0,
    ),
)
"""In the order in which they are shown."""
