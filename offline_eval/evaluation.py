"""The evaluation: one pass over the rows that computes everything a report says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import isfinite, sqrt

import numpy as np

from offline_eval.diagnostics.calibration import RewardCalibration, ServedFrequencies
from offline_eval.diagnostics.duplicates import Duplicates
from offline_eval.diagnostics.verdict import Evidence, Reason, judge
from offline_eval.diagnostics.weights import Weights
from offline_eval.errors import NoData
from offline_eval.estimators.base import Estimator, MeanOfOne
from offline_eval.estimators.difference import Difference
from offline_eval.groups import Groups
from offline_eval.intervals.base import Bounds
from offline_eval.intervals.normal import Normal
from offline_eval.intervals.sequence import ConfidenceSequence
from offline_eval.question import Question
from offline_eval.report import Diagnostics, Estimate, Report
from offline_eval.rows import FloatArray, Rows, blocks
from offline_eval.totals import Sample, Totals


class _MeanWeight(MeanOfOne):
    """The mean weight, which must be 1."""

    name = "mean weight"
    term = "weight"
    needs_model = False

    def terms(self, rows: Rows) -> dict[str, FloatArray]:
        """Give the weights."""
        return {"weight": rows.weight}


class _MeanReward(MeanOfOne):
    """What the logging policy itself earned."""

    name = "mean reward"
    term = "reward"
    needs_model = False

    def terms(self, rows: Rows) -> dict[str, FloatArray]:
        """Give the rewards."""
        return {"reward": rows.reward}


class _ModelBias(MeanOfOne):
    """How far weighted rewards lie from the reward model: dr - dm."""

    name = "model bias"
    term = "correction"

    def terms(self, rows: Rows) -> dict[str, FloatArray]:
        """Give the weighted residuals."""
        return {"correction": rows.correction}


_WATCHED: tuple[Estimator, ...] = (_MeanWeight(), _MeanReward(), _ModelBias())

_OVERFLOWING = np.errstate(over="ignore", invalid="ignore")
"""Numbers too large to add up end in values that are none, which the verdict tells."""


class Evaluation:
    """Everything about one question; blocks of rows come in, in the order of time, a report goes out.

    Nothing of a row is kept except what the interval needs (see `Totals`), so memory does not grow with the log.

    Parameters
    ----------
    question
        What to compute.
    """

    def __init__(self, question: Question) -> None:
        self._question = question
        self._totals: Totals | None = None
        self._paired = False
        self._clustered = False
        self._groups: list[Groups] = []
        self._weights, self._duplicates, self._calibration = Weights(), Duplicates(), RewardCalibration()
        self._unsupported = self._clipped = 0.0
        self._rows = 0
        self._sequences: dict[str, ConfidenceSequence] = {}

    @_OVERFLOWING
    def add(self, rows: Rows) -> None:
        """Add a block of rows."""
        if not len(rows):
            return
        if self._totals is None:
            self._totals = self._start(rows)
        self._totals.add(rows)
        for groups in self._groups:
            groups.add(rows)
        for sequence in self._sequences.values():
            sequence.update(rows)
        self._diagnose(rows)

    def _start(self, rows: Rows) -> Totals:
        question = self._question
        self._clustered = question.clustered and rows.shoppers is not None
        self._paired = rows.against is not None
        pairs = [Difference(estimator) for estimator in question.estimators] if self._paired else []
        self._sequences = question.sequences()
        interval = Normal() if self._sequences else question.named_interval()
        interval.check(pairs)
        keep = interval.keep(clustered=self._clustered)
        self._groups = [Groups(name, "shoppers" if self._clustered else "moments") for name in question.by]
        return Totals([*question.estimators, *pairs, *_WATCHED], keep)

    def _diagnose(self, rows: Rows) -> None:
        self._rows += len(rows)
        self._weights.add(rows.weight, rows.reward)
        self._duplicates.add(rows)
        if self._question.needs_model:
            self._calibration.add(rows.q_chosen, rows.reward)
        if rows.unsupported is not None:
            self._unsupported += float(rows.unsupported.sum())
        if np.isfinite(self._question.max_weight):
            self._clipped += float(np.maximum(rows.weight - self._question.max_weight, 0).sum())

    @_OVERFLOWING
    def report(self, further: Sequence[Reason] = (), served: ServedFrequencies | None = None) -> Report:
        """Give the report.

        Parameters
        ----------
        further
            Findings from outside that the verdict must weigh, such as those of a sequential check.
        served
            Served frequencies, where whole distributions were logged.

        Raises
        ------
        NoData
            When there were no rows.
        NotAvailable
            When rows break what an interval was promised, or it does not exist for them.
        """
        if self._totals is None:
            raise NoData("there are no rows to evaluate")
        sample, question = self._totals.sample(), self._question
        pairs = [Difference(estimator) for estimator in question.estimators] if self._paired else []
        diagnostics = self._diagnostics(sample, served or ServedFrequencies())
        estimates = self._estimates(question.estimators, sample)
        differences = self._normal(pairs, sample) if self._sequences else self._estimates(pairs, sample)
        without_value = tuple(each.name for each in (*estimates, *differences) if not isfinite(each.value))
        return Report(
            estimates=estimates,
            differences=differences,
            mean_reward=self._normal([_MeanReward()], sample)[0],
            diagnostics=diagnostics,
            verdict=judge(self._evidence(diagnostics, without_value, tuple(further))),
            groups={
                name: groups.groups(question.alpha) for name, groups in zip(question.by, self._groups, strict=True)
            },
        )

    def _estimates(self, estimators: Sequence[Estimator], sample: Sample) -> list[Estimate]:
        if not estimators:
            return []
        if self._sequences:
            bounds = [self._sequences[estimator.name].bounds(self._question.alpha) for estimator in estimators]
        else:
            bounds = self._question.named_interval().bounds(estimators, sample, self._question.alpha)
        return _estimates(estimators, sample, bounds)

    def _normal(self, estimators: Sequence[Estimator], sample: Sample) -> list[Estimate]:
        return _estimates(estimators, sample, Normal().bounds(estimators, sample, self._question.alpha))

    def _diagnostics(self, sample: Sample, served: ServedFrequencies) -> Diagnostics:
        weights = self._weights.summary()
        bias, bias_error = sample.means["correction"], sqrt(sample.variance({"correction": 1.0}))
        return Diagnostics(
            weights=weights,
            units=sample.rows if sample.units is None else len(sample.units.sizes),
            mean_weight_error=sqrt(sample.variance({"weight": 1.0})),
            repeats=self._duplicates.repeats(),
            reward_bins=self._calibration.bins(),
            unsupported=self._unsupported / self._rows,
            clipped=self._clipped / (weights.mean * self._rows) if weights.mean > 0 else 0.0,
            model_z=bias / bias_error if self._question.needs_model and bias_error > 0 else 0.0,
            served=served.served(),
            served_chance=served.chance(),
        )

    def _evidence(self, found: Diagnostics, without_value: tuple[str, ...], further: tuple[Reason, ...]) -> Evidence:
        return Evidence(
            weights=found.weights,
            units=found.units,
            mean_weight_error=found.mean_weight_error,
            repeats=found.repeats,
            unsupported=found.unsupported,
            clipped=found.clipped,
            model_z=found.model_z if self._question.trusts_model else 0.0,
            served_chance=found.served_chance,
            without_value=without_value,
            further=further,
        )


def _estimates(estimators: Sequence[Estimator], sample: Sample, bounds: Sequence[Bounds]) -> list[Estimate]:
    return [
        Estimate(estimator.name, estimator.value(sample.means), *own)
        for estimator, own in zip(estimators, bounds, strict=True)
    ]


def evaluate(
    source: Rows | Iterable[Rows],
    question: Question | None = None,
    *,
    further: Sequence[Reason] = (),
    progress: Callable[[int], None] | None = None,
) -> Report:
    """Evaluate a target policy on rows, or on batches of them.

    Parameters
    ----------
    source
        Rows, or batches in the order of time; they are read once, and re-cut into blocks of one size.
    further
        Findings from outside that the verdict must weigh.
    progress
        Told the number of rows of every block that is done.

    Raises
    ------
    BadData, NoData, NotAvailable
        Nothing is computed.

    Examples
    --------
    >>> rows = Rows.of(reward=[1.0, 0.0] * 50, propensity=[0.5] * 100, target_propensity=[0.8, 0.2] * 50)
    >>> from offline_eval import IPW
    >>> report = evaluate(rows, Question(estimators=[IPW()]))
    >>> round(report.estimates[0].value, 9), report.verdict.level.text
    (0.8, 'do not use')
    >>> report.verdict.reasons[0].text
    '100 rows count as 73.5 effective rows'
    """
    evaluation = Evaluation(question or Question())
    for block in blocks([source] if isinstance(source, Rows) else source):
        evaluation.add(block)
        if progress is not None:
            progress(len(block))
    return evaluation.report(further)
