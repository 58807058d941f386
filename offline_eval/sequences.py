"""Sequences: the confidence sequences of a question, which follow every row from the first on."""

from __future__ import annotations

from offline_eval.batch import LoggedBatch
from offline_eval.estimators.base import Estimator
from offline_eval.estimators.difference import Difference
from offline_eval.intervals.base import Bounds
from offline_eval.intervals.sequence import ConfidenceSequence, apart
from offline_eval.question import Question


class Sequences:
    """One for each estimator, one for the other target's value by it, and one for what was earned.

    Examples
    --------
    >>> from offline_eval import IPW
    >>> sequences = Sequences(Question([IPW()], "sequence"))
    >>> sequences.update(LoggedBatch.of(reward=[1.0] * 50, propensity=[0.5] * 50, target_propensity=[0.5] * 50))
    >>> sequences.bounds(IPW(), alpha=0.05).high
    1.0
    """

    def __init__(self, question: Question) -> None:
        self._own, self._other = question.sequences(), question.sequences()
        self._earned = ConfidenceSequence(question.limits)

    def update(self, rows: LoggedBatch) -> None:
        """Add rows, in the order of time."""
        self._earned.update(rows.as_logging())
        for sequence in self._own.values():
            sequence.update(rows)
        if rows.against is not None:
            for sequence in self._other.values():
                sequence.update(rows.against)

    def bounds(self, estimator: Estimator, alpha: float) -> Bounds:
        """Give the bounds as of now, of what was earned for every other estimator than those of the question."""
        if isinstance(estimator, Difference):
            name = estimator.estimator.name
            return apart(self._own[name], self._other[name], alpha)
        return self._own.get(estimator.name, self._earned).bounds(alpha)
