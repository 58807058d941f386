"""Sequential evaluation: values with intervals by a bootstrap of shoppers, and findings for the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Protocol

import numpy as np

from offline_eval.columns import FloatArray
from offline_eval.diagnostics.verdict import DOUBTFUL_Z, Finding, Level, standard_errors
from offline_eval.intervals.bootstrap import check_draws, percentiles
from offline_eval.reports.report import ValueEstimate
from offline_eval.sequential.fitted_q import Convergence, FittedQ, check_fit
from offline_eval.sequential.per_decision import PerDecision
from offline_eval.sequential.state_marginal import StateMarginal, marginal_ratios
from offline_eval.sequential.trajectories import Trajectories

DRAWS = 200


class SequentialEstimator(Protocol):
    """Estimates the reward per decision along trajectories."""

    name: str

    def value(self, trajectories: Trajectories, times: FloatArray) -> float:
        """Return the reward per decision, with each shopper counted ``times`` (N,) over."""
        ...


SEQUENTIAL_ESTIMATORS: tuple[SequentialEstimator, ...] = (
    PerDecision(),
    PerDecision(normalised=True),
    StateMarginal(),
    FittedQ(),
)


@dataclass(frozen=True)
class SequentialReport:
    """Values along trajectories, the check of the fitted Q, and findings for the verdict."""

    estimates: list[ValueEstimate]
    convergence: Convergence
    findings: list[Finding]


def evaluate_sequential(
    trajectories: Trajectories, *, alpha: float = 0.05, draws: int = DRAWS, seed: int = 0
) -> SequentialReport:
    """Evaluate a target along trajectories.

    Parameters
    ----------
    draws, seed
        Of the bootstrap by shopper; every draw estimates the state ratios and Q again.

    Raises
    ------
    NotAvailable
        When there are too few draws.
    """
    check_draws(draws)
    ones = np.ones(trajectories.shoppers)
    resamples = _draw_resamples(trajectories.shoppers, draws, seed)
    estimates = [
        ValueEstimate(
            estimator.name,
            estimator.value(trajectories, ones),
            *percentiles([estimator.value(trajectories, times) for times in resamples], alpha),
        )
        for estimator in SEQUENTIAL_ESTIMATORS
    ]
    convergence = check_fit(trajectories)
    findings = [
        *find_history(trajectories),
        *find_within_channel(trajectories),
        *_find_poor_fit(convergence),
    ]
    return SequentialReport(estimates, convergence, findings)


def find_history(trajectories: Trajectories) -> list[Finding]:
    """Return a finding against bandit estimates where the target would change the states, and thereby its value.

    Weighted rewards are compared with and without the ratio of states. The error comes from a bootstrap of shoppers,
    because the ratios are estimates too.
    """
    change = _change_by_states(trajectories, np.ones(trajectories.shoppers))
    resamples = _draw_resamples(trajectories.shoppers, 50, 0)
    error = float(np.std([_change_by_states(trajectories, times) for times in resamples], ddof=1))
    if abs(change) <= DOUBTFUL_Z * error:
        return []
    share = change / float((trajectories.weight * trajectories.reward).mean())
    text = (
        f"the target would bring about other states than the log's, which changes its value by {share:+.0%}: "
        "bandit estimates do not see that, read state-marginal and fqe"
    )
    return [Finding(Level.do_not_use, "history", text)]


def find_within_channel(trajectories: Trajectories) -> list[Finding]:
    """Return a finding against sequential estimates where the target's messages and delays change its value.

    Weighted rewards are compared by the whole joint action and by its channel; the error is clustered by shopper. Three
    standard errors are hardly chance, as everywhere in the verdict. The level is caution at most, because the verdict
    is about bandit estimates too, and they are not wrong.
    """
    channel, joint, count = trajectories.weight, trajectories.joint_weight, trajectories.shoppers
    if joint is None or count < 2:  # one shopper has no standard error
        return []
    changes = np.where(np.isclose(joint, channel), 0.0, joint - channel) * trajectories.reward
    change = float(changes.mean())
    residuals = np.bincount(trajectories.shopper, weights=changes - change)
    error = sqrt(float(residuals @ residuals) * count / (count - 1)) / len(trajectories)
    if abs(standard_errors(change, error)) <= DOUBTFUL_Z:
        return []
    text = (
        f"the target's messages or delays within a channel are others than the log's, which changes its value by "
        f"{change:+.4g} ± {error:.2g}: sequential estimates do not see that, weights of whole joint actions do"
    )
    return [Finding(Level.caution, "within_channel", text)]


def _change_by_states(trajectories: Trajectories, times: FloatArray) -> float:
    """Return the change of the value by the ratios of states."""
    counts = times[trajectories.shopper]
    changes = (marginal_ratios(trajectories, times) - 1) * trajectories.weight * trajectories.reward
    return float((counts * changes).sum() / counts.sum())


def _draw_resamples(count: int, draws: int, seed: int) -> list[FloatArray]:
    """Draw shoppers with replacement; return how often each was drawn (N,)."""
    random = np.random.Generator(np.random.Philox(seed))
    return [np.bincount(random.integers(0, count, count), minlength=count).astype(np.float64) for _ in range(draws)]


def _find_poor_fit(convergence: Convergence) -> Sequence[Finding]:
    if convergence.is_sound:
        return []
    text = (
        f"the fitted Q is not to be believed: its residual is {convergence.residual_z:+.1f} standard errors, "
        f"and {convergence.rare:.1%} of the target's choices were hardly ever seen"
    )
    return [Finding(Level.caution, "fqe", text)]
