"""The evaluation: one pass over the rows that computes everything a report says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import isfinite, sqrt

import numpy as np

from offline_eval.batch import FloatArray, LoggedBatch, blocks
from offline_eval.diagnostics.calibration import RewardCalibration, ServedFrequencies
from offline_eval.diagnostics.duplicates import Duplicates
from offline_eval.diagnostics.overlap import OverlapSums
from offline_eval.diagnostics.verdict import Evidence, Finding, judge
from offline_eval.errors import NoData
from offline_eval.estimators.base import Estimator, MeanOfOne
from offline_eval.estimators.difference import Difference
from offline_eval.groups import Groups, findings
from offline_eval.intervals.base import Bounds
from offline_eval.intervals.normal import Normal
from offline_eval.question import SEQUENCE, Question
from offline_eval.reports.report import Diagnostics, Estimate, Report
from offline_eval.sequences import Sequences
from offline_eval.totals import Sample, Totals


class _MeanWeight(MeanOfOne):
    """The mean weight, which must be 1."""

    name = "mean weight"
    term = "weight"
    needs_model = False

    def terms(self, rows: LoggedBatch) -> dict[str, FloatArray]:
        """Give the weights."""
        return {"weight": rows.weight}


class _MeanReward(MeanOfOne):
    """What the logging policy itself earned."""

    name = "mean reward"
    term = "reward"
    needs_model = False

    def terms(self, rows: LoggedBatch) -> dict[str, FloatArray]:
        """Give the rewards."""
        return {"reward": rows.reward}


class _ModelBias(MeanOfOne):
    """How far weighted rewards lie from the reward model: dr - dm."""

    name = "model bias"
    term = "correction"

    def terms(self, rows: LoggedBatch) -> dict[str, FloatArray]:
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
        self._overlap, self._other_overlap = OverlapSums(question.max_weight), OverlapSums(question.max_weight)
        self._duplicates, self._calibration = Duplicates(), RewardCalibration()
        self._sequences = Sequences(question) if question.interval == SEQUENCE else None

    @_OVERFLOWING
    def add(self, rows: LoggedBatch) -> None:
        """Add a block of rows."""
        if not len(rows):
            return
        if self._totals is None:
            self._totals = self._start(rows)
        self._totals.add(rows)
        for groups in self._groups:
            groups.add(rows)
        if self._sequences is not None:
            self._sequences.update(rows)
        self._diagnose(rows)

    def _start(self, rows: LoggedBatch) -> Totals:
        question = self._question
        self._clustered = question.clustered and rows.shoppers is not None
        self._paired = rows.against is not None
        watched = [*_WATCHED, Difference(_MeanWeight())] if self._paired else _WATCHED
        interval = Normal() if self._sequences else question.named_interval()
        interval.check(self._pairs())
        self._groups = [Groups(name, "shoppers" if self._clustered else "moments") for name in question.by]
        return Totals([*question.estimators, *self._pairs(), *watched], interval.keep(clustered=self._clustered))

    def _pairs(self) -> list[Difference]:
        return [Difference(estimator) for estimator in self._question.estimators] if self._paired else []

    def _diagnose(self, rows: LoggedBatch) -> None:
        self._overlap.add(rows)
        if rows.against is not None:
            self._other_overlap.add(rows.against)
        self._duplicates.add(rows)
        if self._question.needs_model:
            self._calibration.add(rows.q_chosen, rows.reward)

    @_OVERFLOWING
    def report(self, further: Sequence[Finding] = (), served: ServedFrequencies | None = None) -> Report:
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
        diagnostics = self._diagnostics(sample, served or ServedFrequencies())
        estimates = self._estimates(question.estimators, sample)
        differences = self._estimates(self._pairs(), sample)
        without_value = tuple(each.name for each in (*estimates, *differences) if not isfinite(each.value))
        groups = {name: own.groups(question.alpha) for name, own in zip(question.by, self._groups, strict=True)}
        further = (*further, *findings(groups, question.known_before))
        return Report(
            estimates=estimates,
            differences=differences,
            mean_reward=self._mean_reward(sample),
            diagnostics=diagnostics,
            verdict=judge(self._evidence(diagnostics, without_value, further)),
            groups=groups,
        )

    def _estimates(self, estimators: Sequence[Estimator], sample: Sample) -> list[Estimate]:
        if not estimators:
            return []
        alpha = self._question.alpha
        if self._sequences is not None:
            return _estimates(estimators, sample, [self._sequences.bounds(each, alpha) for each in estimators])
        return _estimates(estimators, sample, self._question.named_interval().bounds(estimators, sample, alpha))

    def _mean_reward(self, sample: Sample) -> Estimate:
        if self._sequences is not None:
            return self._estimates([_MeanReward()], sample)[0]
        return _estimates([_MeanReward()], sample, Normal().bounds([_MeanReward()], sample, self._question.alpha))[0]

    def _diagnostics(self, sample: Sample, served: ServedFrequencies) -> Diagnostics:
        bias, bias_error = sample.means["correction"], sqrt(sample.variance({"correction": 1.0}))
        return Diagnostics(
            **vars(self._overlap.overlap(sample, "weight")),
            units=sample.rows if sample.units is None else len(sample.units.sizes),
            against=self._other_overlap.overlap(sample, "against: weight") if self._paired else None,
            repeats=self._duplicates.repeats(),
            reward_bins=self._calibration.bins(),
            model_z=bias / bias_error if self._question.needs_model and bias_error > 0 else 0.0,
            served=served.served(),
            served_worst=served.worst(),
            served_chance=served.chance(),
        )

    def _evidence(self, found: Diagnostics, without_value: tuple[str, ...], further: tuple[Finding, ...]) -> Evidence:
        return Evidence(
            overlap=found,
            units=found.units,
            repeats=found.repeats,
            against=found.against,
            model_z=found.model_z if self._question.trusts_model else 0.0,
            served_worst=found.served_worst,
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
    source: LoggedBatch | Iterable[LoggedBatch],
    question: Question | None = None,
    *,
    further: Sequence[Finding] = (),
    progress: Callable[[int], None] | None = None,
) -> Report:
    """Evaluate a target policy on rows, or on batches of them.

    Parameters
    ----------
    source
        LoggedBatch, or batches in the order of time; they are read once, and re-cut into blocks of one size.
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
    >>> rows = LoggedBatch.of(reward=[1.0, 0.0] * 50, propensity=[0.5] * 100, target_propensity=[0.8, 0.2] * 50)
    >>> from offline_eval import IPW
    >>> report = evaluate(rows, Question(estimators=[IPW()]))
    >>> round(report.estimates[0].value, 9), report.verdict.level.text
    (0.8, 'do not use')
    >>> report.verdict.reasons[0].text
    '100 rows count as 73.5 effective rows'
    """
    evaluation = Evaluation(question or Question())
    for block in blocks([source] if isinstance(source, LoggedBatch) else source):
        evaluation.add(block)
        if progress is not None:
            progress(len(block))
    return evaluation.report(further)
