"""The question that an evaluation answers: which estimators, which interval, for which groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import inf

from offline_eval.batch import LoggedBatch
from offline_eval.errors import NotAvailable
from offline_eval.estimators import ESTIMATORS, make_estimators
from offline_eval.estimators.base import Estimator, Limits
from offline_eval.intervals import Interval, make_interval
from offline_eval.intervals.base import check_alpha
from offline_eval.intervals.bootstrap import DRAWS
from offline_eval.intervals.sequence import SEQUENCE, ConfidenceSequences

KNOWN_BEFORE = ("segment", "day", "policy", "mode")
"""Labels of a log that are known before the draw. The trigger is not one of them: where several triggers are equally
urgent, the drawn send decides which trigger it answers. Nor is the arm, which other logs use for what was drawn."""

EVERY: tuple[Estimator, ...] = tuple(make_estimators())
"""All estimators: what a question asks for that names none."""


@dataclass(frozen=True)
class Question:
    """What to compute.

    Parameters
    ----------
    estimators
        See `offline_eval.make_estimators`; by default every estimator that the rows allow.
    interval
        A name of `offline_eval.intervals.NAMES`.
    alpha
        Error probability of the intervals.
    limits
        What is known before looking at the data, which finite-sample intervals need.
    clustered
        Take a shopper's rows as one unit, where rows name their shopper.
    by
        Labels to split by.
    known_before
        Labels that are known before the draw: the mean weight must be 1 in each of their groups.
    draws, seed
        Of bootstraps.

    Raises
    ------
    NotAvailable
        When the interval does not exist for an estimator.
    """

    estimators: Sequence[Estimator] = EVERY
    interval: str = "normal"
    alpha: float = 0.05
    limits: Limits = field(default_factory=lambda: Limits(0.0, 1.0))
    clustered: bool = True
    by: tuple[str, ...] = ()
    known_before: tuple[str, ...] = KNOWN_BEFORE
    draws: int = DRAWS
    seed: int | None = None

    def __post_init__(self) -> None:
        check_alpha(self.alpha)
        if not self.estimators:
            raise NotAvailable(f"name at least one estimator of {', '.join(ESTIMATORS)}")
        if self.interval != SEQUENCE:
            self.make_interval().check(self.estimators)
            return
        for estimator in self.estimators:
            if not estimator.has_sequence:
                known = " and ".join(other.name for other in make_estimators() if other.has_sequence)
                raise NotAvailable(f"a confidence sequence exists for {known} unclipped, not for {estimator!r}")
        self.make_sequences()

    def make_interval(self) -> Interval:
        """Make the interval; the confidence sequence is none, because it follows single rows."""
        return make_interval(self.interval, limits=self.limits, draws=self.draws, seed=self.seed)

    def make_sequences(self) -> ConfidenceSequences | None:
        """Make the confidence sequences; None where another interval is asked for."""
        return ConfidenceSequences(self.estimators, self.limits) if self.interval == SEQUENCE else None

    def restrict(self, batch: LoggedBatch) -> Question:
        """Return the question without the estimators that it does not name, and that trust a model the rows lack."""
        if self.estimators is not EVERY or not batch.absent:
            return self
        return replace(self, estimators=[estimator for estimator in EVERY if not estimator.trusts_model(inf)])

    @property
    def needs_model(self) -> bool:
        """Whether an estimator uses the reward model's columns."""
        return any(estimator.needs_model for estimator in self.estimators)

    def trusting(self, largest_weight: float) -> tuple[str, ...]:
        """Return the names of the estimators whose value a wrong reward model makes wrong."""
        return tuple(estimator.name for estimator in self.estimators if estimator.trusts_model(largest_weight))

    @property
    def max_weight(self) -> float:
        """The smallest weight that an estimator clips at; infinity for none."""
        return min(estimator.max_weight for estimator in self.estimators)
