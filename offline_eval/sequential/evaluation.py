"""Sequential evaluation: values with intervals by a bootstrap of shoppers, and findings for the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from offline_eval.columns import FloatArray
from offline_eval.diagnostics.verdict import DOUBTFUL_Z, Finding, Level
from offline_eval.intervals.bootstrap import check_draws, percentiles
from offline_eval.reports.report import ValueEstimate
from offline_eval.rounding import root, standard_errors
from offline_eval.sequential.fitted_q import Convergence, FittedQ, check_fit
from offline_eval.sequential.per_decision import PerDecision
from offline_eval.sequential.state_marginal import StateMarginal, marginal_ratios
from offline_eval.sequential.trajectories import Trajectories

RESAMPLES = 200
"""Resamples of the bootstrap, where a caller asks for no other number."""


class SequentialEstimator(Protocol):
    """Estimates the reward per decision along trajectories."""

    name: str

    def value(self, trajectories: Trajectories, copies: FloatArray) -> float:
        """Return the reward per decision; shopper i counts ``copies[i]`` times (N,)."""
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
    trajectories: Trajectories, *, alpha: float = 0.05, draws: int = RESAMPLES, seed: int = 0
) -> SequentialReport:
    """Evaluate a target along trajectories.

    Parameters
    ----------
    alpha
        The intervals of the values hold the truth with probability 1 - ``alpha``.
    draws
        Number of resamples of the bootstrap by shopper. The state ratios and Q are estimated again in every resample.
    seed
        Decides the resamples.

    Raises
    ------
    NotAvailable
        When ``draws`` is below 2.
    """
    check_draws(draws)
    ones = np.ones(trajectories.shoppers)
    resamples = _draw_resamples(trajectories.shoppers, draws, seed)
    estimates = [
        ValueEstimate(
            estimator.name,
            estimator.value(trajectories, ones),
            *percentiles([estimator.value(trajectories, copies) for copies in resamples], alpha),
        )
        for estimator in SEQUENTIAL_ESTIMATORS
    ]
    convergence = check_fit(trajectories)
    findings = [
        *check_history(trajectories),
        *check_within_channel(trajectories),
        *_check_convergence(convergence),
    ]
    return SequentialReport(estimates, convergence, findings)


def check_history(trajectories: Trajectories) -> list[Finding]:
    """Return a warning about estimates that treat decisions as independent, where these estimates are wrong.

    Such (bandit) estimates are wrong where the target would lead shoppers into other states than the logging policy
    did, and the rewards of these states differ. The mean weighted reward is compared with and without the ratios of the
    states. The standard error of this difference comes from a bootstrap of shoppers: the ratios are estimated from the
    same log, and an error formula for given weights would leave out the error of the ratios.
    """
    change = _change_by_states(trajectories, np.ones(trajectories.shoppers))
    resamples = _draw_resamples(trajectories.shoppers, 50, 0)
    error = float(np.std([_change_by_states(trajectories, copies) for copies in resamples], ddof=1))
    weighted = trajectories.weight * trajectories.reward
    if abs(standard_errors(change, error, float(np.abs(weighted).mean()))) <= DOUBTFUL_Z:
        return []
    mean = float(weighted.mean())
    size = f"{change / abs(mean):+.0%}" if mean else f"{change:+.4g}"
    text = (
        f"the target would lead shoppers into other states than the log's, which changes its value by {size}: "
        "bandit estimates do not see that; read state-marginal and fqe"
    )
    return [Finding(Level.do_not_use, "history", text)]


def check_within_channel(trajectories: Trajectories) -> list[Finding]:
    """Return a warning about sequential estimates where the target's messages and delays change its value.

    The mean reward weighted by the whole joint action is compared with the mean reward weighted by its channel only.
    The standard error of the difference is clustered by shopper. More than three standard errors are unlikely by
    chance, as everywhere in the verdict. The level is caution at most: the verdict is also about bandit estimates, and
    bandit estimates use the weights of whole joint actions.
    """
    channel_weight, joint_weight = trajectories.weight, trajectories.joint_weight
    count = trajectories.shoppers
    if joint_weight is None or count < 2:  # one shopper has no standard error
        return []
    # Where the target keeps the log's messages, both weights are equal up to rounding. The rounding must become 0,
    # because its standard error is as small as the rounding itself, and would make it look significant.
    is_equal = np.isclose(joint_weight, channel_weight)
    changes = np.where(is_equal, 0.0, joint_weight - channel_weight) * trajectories.reward
    change = float(changes.mean())
    residuals = np.bincount(trajectories.shopper, weights=changes - change)
    error = root(float(residuals @ residuals) * count / (count - 1)) / len(trajectories)
    if abs(standard_errors(change, error)) <= DOUBTFUL_Z:
        return []
    text = (
        f"the target's messages or delays within a channel differ from the log's, which changes its value by "
        f"{change:+.4g} ± {error:.2g}: sequential estimates do not see that; weights of whole joint actions do"
    )
    return [Finding(Level.caution, "within_channel", text)]


def _change_by_states(trajectories: Trajectories, copies: FloatArray) -> float:
    """Return how much the state ratios change the value; shopper i counts ``copies[i]`` times (N,)."""
    row_copies = copies[trajectories.shopper]
    changes = (marginal_ratios(trajectories, copies) - 1) * trajectories.weight * trajectories.reward
    return float((row_copies * changes).sum() / row_copies.sum())


def _draw_resamples(count: int, draws: int, seed: int) -> list[FloatArray]:
    """Draw shoppers with replacement; return for each resample how often each shopper was drawn (N,)."""
    random = np.random.Generator(np.random.Philox(seed))
    return [np.bincount(random.integers(0, count, count), minlength=count).astype(np.float64) for _ in range(draws)]


def _check_convergence(convergence: Convergence) -> Sequence[Finding]:
    if convergence.is_sound:
        return []
    text = (
        f"the fitted Q cannot be trusted: its residual is {convergence.residual_z:+.1f} standard errors, "
        f"and {convergence.rare:.1%} of the target's choices are rare in the log"
    )
    return [Finding(Level.caution, "fqe", text)]
