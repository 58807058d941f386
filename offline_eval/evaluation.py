"""The evaluation: one pass over the rows that computes everything in a report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import isfinite

import numpy as np

from offline_eval.batch import LoggedBatch, cut_blocks
from offline_eval.columns import FloatArray
from offline_eval.diagnostics.calibration import RewardCalibration, ServedFrequencies
from offline_eval.diagnostics.duplicates import Duplicates
from offline_eval.diagnostics.overlap import OverlapSums
from offline_eval.diagnostics.verdict import Evidence, Finding, judge
from offline_eval.errors import NoData
from offline_eval.estimators.base import Estimator, MeanOfOne
from offline_eval.estimators.difference import Difference
from offline_eval.groups import Groups, find_bad_groups
from offline_eval.intervals.base import Bounds
from offline_eval.intervals.normal import Normal
from offline_eval.question import Question
from offline_eval.reports.report import Diagnostics, EvaluationReport, ValueEstimate
from offline_eval.rounding import standard_errors
from offline_eval.totals import Sample, Totals


class _MeanWeight(MeanOfOne):
    """The mean weight, which must be 1."""

    name = "mean weight"
    term = "weight"
    model_columns = ()

    def terms(self, batch: LoggedBatch) -> dict[str, FloatArray]:
        return {"weight": batch.weight}


class _MeanReward(MeanOfOne):
    """The mean reward of the logging policy."""

    name = "mean reward"
    term = "reward"
    model_columns = ()

    def terms(self, batch: LoggedBatch) -> dict[str, FloatArray]:
        return {"reward": batch.reward}


class _ModelBias(MeanOfOne):
    """The mean difference between weighted rewards and the reward model: dr - dm."""

    name = "model bias"
    term = "correction"

    def terms(self, batch: LoggedBatch) -> dict[str, FloatArray]:
        return {"correction": batch.correction}


_FOR_DIAGNOSTICS: tuple[Estimator, ...] = (_MeanWeight(), _MeanReward())

_OVERFLOWING = np.errstate(over="ignore", invalid="ignore")
"""An overflow becomes NaN; the verdict reports it as `no_value`."""


class Evaluation:
    """All results of one question. Batches come in, in the order of time; a report goes out.

    Of the rows only what the interval needs is kept (see `Totals`), so memory does not grow with the log.

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
        self._sequences = question.make_sequences()

    @_OVERFLOWING
    def add(self, batch: LoggedBatch) -> None:
        """Add a batch."""
        if not len(batch):
            return
        if self._totals is None:
            self._totals = self._start(batch)
        self._totals.add(batch)
        for groups in self._groups:
            groups.add(batch)
        if self._sequences is not None:
            self._sequences.update(batch)
        self._diagnose(batch)

    def _start(self, batch: LoggedBatch) -> Totals:
        question = self._question = self._question.restrict(batch)
        self._clustered = question.clustered and batch.shoppers is not None
        self._paired = batch.against is not None
        further: list[Estimator] = [*_FOR_DIAGNOSTICS, *([_ModelBias()] if question.needs_model else [])]
        further += [Difference(_MeanWeight())] if self._paired else []
        interval = Normal() if self._sequences else question.make_interval()
        interval.check(self._differences())
        self._groups = [Groups(name, "shoppers" if self._clustered else "moments") for name in question.by]
        estimators = [*question.estimators, *self._differences(), *further]
        return Totals(estimators, interval.keep(clustered=self._clustered))

    def _differences(self) -> list[Difference]:
        return [Difference(estimator) for estimator in self._question.estimators] if self._paired else []

    def _diagnose(self, batch: LoggedBatch) -> None:
        self._overlap.add(batch)
        if batch.against is not None:
            self._other_overlap.add(batch.against)
        self._duplicates.add(batch)
        if self._question.needs_model:
            self._calibration.add(batch.q_chosen, batch.reward)

    @_OVERFLOWING
    def report(self, further: Sequence[Finding] = (), served: ServedFrequencies | None = None) -> EvaluationReport:
        """Return the report on the rows so far.

        Parameters
        ----------
        further
            Findings from outside that the verdict must weigh, such as those of a sequential evaluation.
        served
            Served frequencies, where whole distributions were logged.

        Raises
        ------
        NoData
            When there were no rows.
        NotAvailable
            When rows lie outside the limits of the interval, or the interval does not exist for them.
        """
        if self._totals is None:
            raise NoData("there are no rows to evaluate")
        sample, question = self._totals.sample(), self._question
        diagnostics = self._diagnostics(sample, served or ServedFrequencies())
        estimates = self._estimate(question.estimators, sample)
        differences = self._estimate(self._differences(), sample)
        without_value = tuple(estimate.name for estimate in (*estimates, *differences) if not isfinite(estimate.value))
        groups = {name: groups.groups(question.alpha) for name, groups in zip(question.by, self._groups, strict=True)}
        further = (*further, *find_bad_groups(groups, question.known_before))
        return EvaluationReport(
            estimates=estimates,
            differences=differences,
            mean_reward=self._mean_reward(sample),
            diagnostics=diagnostics,
            verdict=judge(self._evidence(diagnostics, without_value, further)),
            groups=groups,
        )

    def _estimate(self, estimators: Sequence[Estimator], sample: Sample) -> list[ValueEstimate]:
        if not estimators:
            return []
        alpha, sequences = self._question.alpha, self._sequences
        if sequences is not None:
            return _join(estimators, sample, [sequences.bounds(estimator, alpha) for estimator in estimators])
        return _join(estimators, sample, self._question.make_interval().bounds(estimators, sample, alpha))

    def _mean_reward(self, sample: Sample) -> ValueEstimate:
        if self._sequences is not None:
            return self._estimate([_MeanReward()], sample)[0]
        return _join([_MeanReward()], sample, Normal().bounds([_MeanReward()], sample, self._question.alpha))[0]

    def _diagnostics(self, sample: Sample, served: ServedFrequencies) -> Diagnostics:
        return Diagnostics(
            **vars(self._overlap.overlap(sample, "weight")),
            units=sample.independent_units,
            other_policy=self._other_overlap.overlap(sample, "against: weight") if self._paired else None,
            repeats=self._duplicates.repeats(),
            reward_bins=self._calibration.bins(),
            model_z=_model_z(sample) if self._question.needs_model else 0.0,
            served=served.frequencies(),
            served_least_probable=served.least_probable(),
            served_p_value=served.p_value(),
        )

    def _evidence(
        self, diagnostics: Diagnostics, without_value: tuple[str, ...], further: tuple[Finding, ...]
    ) -> Evidence:
        return Evidence(
            overlap=diagnostics,
            units=diagnostics.units,
            repeats=diagnostics.repeats,
            other_policy=diagnostics.other_policy,
            model_z=diagnostics.model_z,
            trusting=self._question.trusting(diagnostics.weights.largest),
            served_least_probable=diagnostics.served_least_probable,
            served_p_value=diagnostics.served_p_value,
            without_value=without_value,
            further=further,
        )


def _model_z(sample: Sample) -> float:
    """Return the mean difference between weighted rewards and the reward model, in standard errors."""
    return standard_errors(sample.means["correction"], sample.error({"correction": 1.0}), sample.extremes.size)


def _join(estimators: Sequence[Estimator], sample: Sample, bounds: Sequence[Bounds]) -> list[ValueEstimate]:
    return [
        ValueEstimate(estimator.name, estimator.value(sample.means), low, high)
        for estimator, (low, high) in zip(estimators, bounds, strict=True)
    ]


def evaluate(
    source: LoggedBatch | Iterable[LoggedBatch],
    question: Question | None = None,
    *,
    further: Sequence[Finding] = (),
    progress: Callable[[int], None] | None = None,
) -> EvaluationReport:
    """Evaluate a target policy on a batch, or on batches in the order of time.

    Parameters
    ----------
    source
        Batches are read once, and cut into blocks of one size.
    further
        Findings from outside that the verdict must weigh.
    progress
        Called with the number of rows of every block that is done.

    Raises
    ------
    BadData, NoData, NotAvailable
        Nothing is computed.

    Examples
    --------
    >>> batch = LoggedBatch.of(reward=[1.0, 0.0] * 50, propensity=[0.5] * 100, target_propensity=[0.8, 0.2] * 50)
    >>> from offline_eval import IPW
    >>> report = evaluate(batch, Question(estimators=[IPW()]))
    >>> round(report.estimates[0].value, 9), report.verdict.level.text
    (0.8, 'do not use')
    >>> report.verdict.findings[0].text
    '100 rows count as 73.5 effective rows'
    """
    evaluation = Evaluation(question or Question())
    for block in cut_blocks([source] if isinstance(source, LoggedBatch) else source):
        evaluation.add(block)
        if progress is not None:
            progress(len(block))
    return evaluation.report(further)
