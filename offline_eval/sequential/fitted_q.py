"""Fitted Q evaluation over a finite horizon, with its convergence check."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import numpy as np

from offline_eval.columns import FloatArray, IntArray
from offline_eval.rounding import root, standard_errors
from offline_eval.sequential.state_marginal import marginal_ratios
from offline_eval.sequential.trajectories import Trajectories

_RARE = 5
"""With fewer rows of a step, state and action, their mean says little."""


class FittedQ:
    """Fitted Q evaluation: the future reward, averaged backward from the last step.

    Q(step, state, action) is the mean, over the rows of this step, state and action, of the reward plus the target's
    value of the next row. One backward sweep computes Q exactly, and the horizon ends where trajectories end. (FQE over
    an infinite horizon doubled its values, because it bootstraps past this end.) An action that was never logged at a
    step and state gets its mean reward in this state over all steps, plus the mean future reward. The variance is
    small, but the value is correct only if the state contains everything in the past that matters, and if the log has
    tried the actions: see `check_fit`.

    References
    ----------
    Le, Voloshin, Yue (2019), Batch Policy Learning under Constraints.
    """

    name = "fqe"

    def value(self, trajectories: Trajectories, copies: FloatArray) -> float:
        """Return the reward per decision; shopper i counts ``copies[i]`` times (N,)."""
        row_copies = copies[trajectories.shopper]
        values, _ = _sweep(trajectories, row_copies)
        starts = trajectories.step == 0
        return float((row_copies * values * starts).sum() / row_copies.sum())


@dataclass(frozen=True)
class Convergence:
    """Whether a fitted Q can be trusted.

    ``residual_z`` is the Bellman residual of one half of the shoppers under the fit of the other half, weighted to the
    states of the target, in standard errors: beyond ±3 the fit has not converged to the target's value. ``rare`` is
    the share of the target's choices that the log holds less than five times.
    """

    residual_z: float
    rare: float

    @property
    def is_sound(self) -> bool:
        """Whether nothing speaks against the fit."""
        return abs(self.residual_z) <= 3.0 and self.rare <= 0.05


def check_fit(trajectories: Trajectories) -> Convergence:
    """Test a fitted Q on shoppers that were not in the fit."""
    half = (np.arange(trajectories.shoppers) % 2).astype(np.float64)
    residuals = np.zeros(trajectories.shoppers)
    ratios = marginal_ratios(trajectories, np.ones(trajectories.shoppers)) * trajectories.weight
    following = trajectories.following()
    for tested in (half, 1 - half):
        values, chosen = _sweep(trajectories, (1 - tested)[trajectories.shopper])
        to_come = np.where(following >= 0, values[following], 0.0)
        errors = ratios * (trajectories.reward + to_come - chosen) * tested[trajectories.shopper]
        residuals += np.bincount(trajectories.shopper, weights=errors, minlength=trajectories.shoppers)
    error = root(float(residuals.var(ddof=1)) / len(residuals)) if len(residuals) > 1 else inf
    size = float(np.abs(ratios * trajectories.reward).sum()) / trajectories.shoppers
    return Convergence(standard_errors(float(residuals.mean()), error, size), _rare_share(trajectories))


def _sweep(trajectories: Trajectories, row_copies: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Sweep backward; return the target's value of each row (n,), and Q of its logged action (n,).

    Row j counts ``row_copies[j]`` times (n,).
    """
    values, chosen = np.zeros(len(trajectories)), np.zeros(len(trajectories))
    following, immediate = trajectories.following(), _immediate_rewards(trajectories, row_copies)
    for step in range(trajectories.steps - 1, -1, -1):
        places = np.flatnonzero(trajectories.step == step)
        after, copies = following[places], row_copies[places]
        to_come = np.where(after >= 0, values[after], 0.0)
        outcome = trajectories.reward[places] + to_come
        counts, sums = _sum_cells(trajectories, places, copies, outcome)
        usual = float(copies @ to_come) / max(float(copies.sum()), 1e-300)
        table = np.where(counts > 0, sums / np.maximum(counts, 1e-300), immediate + usual)
        state = trajectories.state[places]
        values[places] = (trajectories.target[places] * table[state]).sum(axis=1)
        chosen[places] = table[state, trajectories.action[places]]
    return values, chosen


def _immediate_rewards(trajectories: Trajectories, row_copies: FloatArray) -> FloatArray:
    """Return the mean reward of each state and action over all steps (S, K); of the action where a cell is empty."""
    counts, sums = _sum_cells(trajectories, np.arange(len(trajectories)), row_copies, trajectories.reward)
    by_action = sums.sum(axis=0) / np.maximum(counts.sum(axis=0), 1e-300)
    return np.where(counts > 0, sums / np.maximum(counts, 1e-300), by_action)


def _sum_cells(
    trajectories: Trajectories, places: IntArray, copies: FloatArray, outcome: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the number of rows, each with its copies, and their total outcome by state and action, each (S, K)."""
    shape, cells = (trajectories.states, trajectories.actions), _cells(trajectories, places)
    counts, sums = (
        np.bincount(cells, weights=weights, minlength=shape[0] * shape[1]).astype(np.float64).reshape(shape)
        for weights in (copies, copies * outcome)
    )
    return counts, sums


def _cells(trajectories: Trajectories, places: IntArray) -> IntArray:
    return np.asarray(trajectories.state[places] * trajectories.actions + trajectories.action[places])


def _rare_share(trajectories: Trajectories) -> float:
    """Return the share of the target's choices, in the target's states, that the log holds less than `_RARE` times."""
    ratios = marginal_ratios(trajectories, np.ones(trajectories.shoppers))
    size = trajectories.states * trajectories.actions
    rare = 0.0
    for step in range(trajectories.steps):
        places = np.flatnonzero(trajectories.step == step)
        seen = np.bincount(_cells(trajectories, places), minlength=size).reshape(-1, trajectories.actions)
        mass = trajectories.target[places] * (seen[trajectories.state[places]] < _RARE)
        rare += float(ratios[places] @ mass.sum(axis=1))
    return rare / float(ratios.sum())
