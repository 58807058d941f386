"""Sequential evaluation: values with intervals by a bootstrap of shoppers, and what the verdict must know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Protocol

import numpy as np

from offline_eval.batch import FloatArray
from offline_eval.diagnostics.verdict import DOUBTFUL_Z, Finding, Level, standard_errors
from offline_eval.intervals.bootstrap import check_draws, percentiles
from offline_eval.reports.report import Estimate
from offline_eval.sequential.fitted_q import Convergence, FittedQ, check
from offline_eval.sequential.per_decision import PerDecision
from offline_eval.sequential.state_marginal import StateMarginal, marginal_ratios
from offline_eval.sequential.trajectories import Trajectories

DRAWS = 200


class SequentialEstimator(Protocol):
    """Estimates the reward per decision along trajectories."""

    name: str

    def value(self, trajectories: Trajectories, times: FloatArray) -> float:
        """Estimate it, each shopper counted ``times`` (N,) over."""
        ...


ESTIMATORS: tuple[SequentialEstimator, ...] = (
    PerDecision(),
    PerDecision(normalised=True),
    StateMarginal(),
    FittedQ(),
)


@dataclass(frozen=True)
class SequentialReport:
    """Values along trajectories, the check of the fitted Q, and findings for the verdict."""

    estimates: list[Estimate]
    convergence: Convergence
    findings: list[Finding]


def evaluate_sequential(
    trajectories: Trajectories, *, alpha: float = 0.05, draws: int = DRAWS, seed: int = 0
) -> SequentialReport:
    """Evaluate a target along trajectories.

    Parameters
    ----------
    draws, seed
        Of the bootstrap by shopper; every draw estimates anew, state ratios and Q included.

    Raises
    ------
    NotAvailable
        When there are too few draws.
    """
    check_draws(draws)
    ones = np.ones(trajectories.shoppers)
    resamples = _resamples(trajectories.shoppers, draws, seed)
    estimates = [
        Estimate(
            estimator.name,
            estimator.value(trajectories, ones),
            *percentiles([estimator.value(trajectories, times) for times in resamples], alpha),
        )
        for estimator in ESTIMATORS
    ]
    convergence = check(trajectories)
    findings = [*history_finding(trajectories), *within_channel_finding(trajectories), *_of_fit(convergence)]
    return SequentialReport(estimates, convergence, findings)


def history_finding(trajectories: Trajectories) -> list[Finding]:
    """Flag bandit estimates where the target would bring about other states than the log's, and that matters.

    Paired: weighted rewards with and without the ratio of states; the error is that of a bootstrap of shoppers, as
    the ratios are estimated too.
    """
    ones = np.ones(trajectories.shoppers)
    apart = _apart(trajectories, ones)
    error = float(np.std([_apart(trajectories, times) for times in _resamples(trajectories.shoppers, 50, 0)], ddof=1))
    if abs(apart) <= DOUBTFUL_Z * error:
        return []
    share = apart / float((trajectories.weight * trajectories.reward).mean())
    text = (
        f"the target would bring about other states than the log's, which changes its value by {share:+.0%}: "
        "bandit estimates do not see that, read state-marginal and fqe"
    )
    return [Finding(Level.do_not_use, "history", text)]


def within_channel_finding(trajectories: Trajectories) -> list[Finding]:
    """Flag sequential estimates where the target's messages and delays differ from the log's, and that matters.

    Paired: weighted rewards by the whole joint action and by its channel; the error is clustered by shopper. Beyond
    three standard errors it is hardly chance, as everywhere in the verdict. No more than caution: bandit estimates,
    which the verdict is about too, are not wrong.
    """
    channel, joint, count = trajectories.weight, trajectories.joint_weight, trajectories.shoppers
    if joint is None or count < 2:  # one shopper has no standard error
        return []
    moved = np.where(np.isclose(joint, channel), 0.0, joint - channel) * trajectories.reward
    apart = float(moved.mean())
    residuals = np.bincount(trajectories.shopper, weights=moved - apart)
    error = sqrt(float(residuals @ residuals) * count / (count - 1)) / len(trajectories)
    if abs(standard_errors(apart, error)) <= DOUBTFUL_Z:
        return []
    text = (
        f"the target's messages or delays within a channel are others than the log's, which changes its value by "
        f"{apart:+.4g} ± {error:.2g}: sequential estimates do not see that, weights of whole joint actions do"
    )
    return [Finding(Level.caution, "within_channel", text)]


def _apart(trajectories: Trajectories, times: FloatArray) -> float:
    """Give how much the ratios of states change the value."""
    counts = times[trajectories.shopper]
    moved = (marginal_ratios(trajectories, times) - 1) * trajectories.weight * trajectories.reward
    return float((counts * moved).sum() / counts.sum())


def _resamples(count: int, draws: int, seed: int) -> list[FloatArray]:
    """Draw shoppers with replacement; give how often each was drawn (N,)."""
    random = np.random.Generator(np.random.Philox(seed))
    return [np.bincount(random.integers(0, count, count), minlength=count).astype(np.float64) for _ in range(draws)]


def _of_fit(convergence: Convergence) -> Sequence[Finding]:
    if convergence.is_sound:
        return []
    text = (
        f"the fitted Q is not to be believed: its residual is {convergence.residual_z:+.1f} standard errors, "
        f"and {convergence.rare:.1%} of the target's choices were hardly ever seen"
    )
    return [Finding(Level.caution, "fqe", text)]
