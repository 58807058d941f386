"""The learning curve of a trained agent beside contenders that do not learn: estimates, results, table and words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.page import number
from decision_service.cli.measurements import Measured
from simulators.arrays import FloatArray
from simulators.experiments.mean_estimate import MeanEstimate, estimate_paired_mean

LEARNER = "masked_ppo"
RULE = "rule"
UNIT = "expected reward per shopper and episode"


@dataclass(frozen=True)
class LearningCurve:
    """Returns of shoppers whom no agent was trained on. Each training run has shoppers of its own.

    Attributes
    ----------
    steps
        The steps that were learned from, by checkpoint.
    learner
        Returns by checkpoint, training run and shopper: one array (N,) for each run.
    others
        Contender → its returns, one array (N,) for each run: with the same shoppers as the learner in this run.
    """

    steps: Sequence[int]
    learner: Sequence[Sequence[FloatArray]]
    others: Mapping[str, Sequence[FloatArray]]

    def value(self, checkpoint: int) -> MeanEstimate:
        """Return the learner's value per shopper, with a 95 % interval over training runs and shoppers."""
        return estimate_paired_mean(self.learner[checkpoint])

    def value_of(self, name: str) -> MeanEstimate:
        """Return the value per shopper of a contender that does not learn."""
        return estimate_paired_mean(self.others[name])

    def difference(self, checkpoint: int, name: str) -> MeanEstimate:
        """Return the learner's value minus that of a contender, paired by shopper."""
        pairs = zip(self.learner[checkpoint], self.others[name], strict=True)
        return estimate_paired_mean([learned - other for learned, other in pairs])

    def minus_rule(self) -> dict[str, list[MeanEstimate]]:
        """Return the difference of every contender to the rule, by checkpoint; the learner is first."""
        flat = {
            name: estimate_paired_mean([one - rule for one, rule in zip(returns, self.others[RULE], strict=True)])
            for name, returns in self.others.items()
        }
        learner = [self.difference(checkpoint, RULE) for checkpoint in range(len(self.steps))]
        return {LEARNER: learner, **{name: [estimate] * len(self.steps) for name, estimate in flat.items()}}

    def to_measurements(self) -> list[Measured]:
        """Return the values of all contenders at the end, and the learner's differences to the others."""
        end = len(self.steps) - 1
        values = {LEARNER: self.value(end), **{name: self.value_of(name) for name in self.others}}
        return [
            *(_measure(f"agents.{name}.value", value) for name, value in values.items()),
            *(_measure(f"agents.{LEARNER}.minus_{name}", self.difference(end, name)) for name in self.others),
        ]

    def curve_measurements(self) -> list[Measured]:
        """Return the learner's value, and the differences to the others, at every checkpoint."""
        return [
            measured
            for checkpoint, steps in enumerate(self.steps)
            for measured in (
                _measure(f"agents.curve.{steps}.value", self.value(checkpoint)),
                *(
                    _measure(f"agents.curve.{steps}.minus_{name}", self.difference(checkpoint, name))
                    for name in self.others
                ),
            )
        ]

    def to_table(self) -> str:
        """Return the curve as a Markdown table: the value, and the paired difference to every contender."""
        heads = [f"minus {name.replace('_', ' ')}" for name in self.others]
        lines = [f"| steps | value | {' | '.join(heads)} |", f"|--:|--:|{'---|' * len(heads)}"]
        for checkpoint, steps in enumerate(self.steps):
            differences = [self.difference(checkpoint, name) for name in self.others]
            cells = [f"{number(one.value)} ({number(one.low)} to {number(one.high)})" for one in differences]
            lines.append(f"| {steps:,} | {number(self.value(checkpoint).value)} | {' | '.join(cells)} |")
        return "\n".join(lines) + "\n"

    def describe(self) -> str:
        """Return in words how the learner compares with each contender at the end of the curve."""
        end = len(self.steps) - 1
        clauses = [_describe(self.difference(end, name), name.replace("_", " ")) for name in self.others]
        return f"After {self.steps[end]:,} steps MaskablePPO earns {'; '.join(clauses)} (differences per shopper)."


def _describe(difference: MeanEstimate, name: str) -> str:
    words = {1: "more than", -1: "less than", 0: "neither clearly more nor less than"}[difference.sign]
    return f"{words} {name}: {number(difference.value)} ({number(difference.low)} to {number(difference.high)})"


def _measure(name: str, estimate: MeanEstimate) -> Measured:
    return Measured(name, estimate.value, estimate.low, estimate.high, UNIT)
