"""The question that an evaluation answers: which estimators, which interval, for whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from offline_eval import intervals
from offline_eval.errors import NotAvailable
from offline_eval.estimators import NAMES, named
from offline_eval.estimators.base import Estimator, Limits
from offline_eval.estimators.dr import DR
from offline_eval.estimators.ipw import IPW
from offline_eval.intervals.base import check_alpha
from offline_eval.intervals.sequence import ConfidenceSequence

SEQUENCE = "sequence"
DRAWS = 1_000
KNOWN_BEFORE = ("segment", "day", "policy", "mode")
"""Labels that a log's decisions have before the draw. Not the trigger: where several are equally urgent, it is the one
that the drawn send answers; nor the arm, which in other logs is what was drawn."""

_BY_MODEL = frozenset({"dm", "switch-dr", "dr-os"})
"""Estimators that let the reward model's bias in."""


@dataclass(frozen=True)
class Question:
    """What to compute.

    Parameters
    ----------
    estimators
        See `offline_eval.named`.
    interval
        A name of `offline_eval.intervals.NAMES`.
    alpha
        Error probability of the intervals.
    limits
        What is known beforehand, which finite-sample intervals need.
    clustered
        Take a shopper's rows as one unit, where rows name their shopper.
    by
        Labels to split by.
    known_before
        Those of them that the draw had no part in: there, the mean weight must be 1 in each group.
    draws, seed
        Of bootstraps.

    Raises
    ------
    NotAvailable
        When the interval does not exist for an estimator.
    """

    estimators: Sequence[Estimator] = field(default_factory=named)
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
            raise NotAvailable(f"name at least one estimator of {', '.join(NAMES)}")
        if self.interval == SEQUENCE:
            for estimator in self.estimators:
                if estimator not in (IPW(), DR()):
                    raise NotAvailable(f"a confidence sequence exists for ipw and dr unclipped, not for {estimator!r}")
            self.sequences()
        else:
            self.named_interval().check(self.estimators)

    def named_interval(self) -> intervals.Interval:
        """Make the interval, unless it is the confidence sequence, which follows single rows."""
        return intervals.named(self.interval, limits=self.limits, draws=self.draws, seed=self.seed)

    def sequences(self) -> dict[str, ConfidenceSequence]:
        """Make a confidence sequence for each estimator, by its name; none where another interval is asked for."""
        if self.interval != SEQUENCE:
            return {}
        return {
            estimator.name: ConfidenceSequence(self.limits, robust=isinstance(estimator, DR))
            for estimator in self.estimators
        }

    @property
    def needs_model(self) -> bool:
        """Whether an estimator uses the reward model's columns."""
        return any(estimator.needs_model for estimator in self.estimators)

    @property
    def trusts_model(self) -> bool:
        """Whether an estimator lets the reward model's bias in."""
        return any(estimator.name in _BY_MODEL for estimator in self.estimators)

    @property
    def max_weight(self) -> float:
        """The weight that an estimator clips at, infinity for none."""
        return min((e.max_weight for e in self.estimators if isinstance(e, IPW | DR)), default=float("inf"))
