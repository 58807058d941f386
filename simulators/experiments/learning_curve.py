"""The learning curve of a trained agent beside contenders that do not learn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from simulators.arrays import FloatArray
from simulators.experiments.contender import RULE
from simulators.experiments.mean_estimate import MeanEstimate, estimate_paired_mean

LEARNER = "masked_ppo"


@dataclass(frozen=True)
class LearningCurve:
    """Returns of shoppers whom no agent was trained on. The shoppers differ between training runs.

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
