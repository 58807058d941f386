"""Fitted Q evaluation over a finite horizon, with its convergence check."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np

from offline_eval.batch import FloatArray, IntArray
from offline_eval.sequential.state_marginal import marginal_ratios
from offline_eval.sequential.trajectories import Trajectories

_RARE = 5
"""Rows of a step, state and action below which its mean says little."""


class FittedQ:
    """Fitted Q evaluation: what is still to come, averaged backward from the last step.

    Q(step, state, action) is the mean of reward plus the target's value of the next row, over the rows of that
    step, state and action. One exact sweep, and the horizon ends where trajectories end (bootstrapping past it is
    what makes endless-horizon FQE double its values). An action never seen at a step and state takes its mean
    reward there over all steps, and what is usually still to come. Little variance, but right only where the state
    carries all of the past that matters, and actions were tried: see `check`.

    References
    ----------
    Le, Voloshin, Yue (2019), Batch Policy Learning under Constraints.
    """

    name = "fqe"

    def value(self, trajectories: Trajectories, times: FloatArray) -> float:
        """Estimate the reward per decision, each shopper counted ``times`` (N,) over."""
        values, _ = _swept(trajectories, times[trajectories.shopper])
        starts = trajectories.step == 0
        counts = times[trajectories.shopper]
        return float((counts * values * starts).sum() / counts.sum())


@dataclass(frozen=True)
class Convergence:
    """Whether a fitted Q can be believed.

    ``residual_z`` is the Bellman residual of one half of the shoppers under the other half's fit, along the
    target's own states, in standard errors: beyond ±3 the fit has not converged to the target's value. ``rare`` is
    the share of the target's choices that were seen less than five times.
    """

    residual_z: float
    rare: float

    @property
    def is_sound(self) -> bool:
        """Whether nothing speaks against the fit."""
        return abs(self.residual_z) <= 3.0 and self.rare <= 0.05


def check(trajectories: Trajectories) -> Convergence:
    """Test a fitted Q on shoppers that it was not fitted on."""
    half = (np.arange(trajectories.shoppers) % 2).astype(np.float64)
    residuals = np.zeros(trajectories.shoppers)
    ratios = marginal_ratios(trajectories, np.ones(trajectories.shoppers)) * trajectories.weight
    following = trajectories.following()
    for own in (half, 1 - half):
        values, chosen = _swept(trajectories, (1 - own)[trajectories.shopper])
        to_come = np.where(following >= 0, values[following], 0.0)
        apart = ratios * (trajectories.reward + to_come - chosen) * own[trajectories.shopper]
        residuals += np.bincount(trajectories.shopper, weights=apart, minlength=trajectories.shoppers)
    error = float(residuals.std(ddof=1)) / sqrt(len(residuals)) if len(residuals) > 1 else 0.0
    return Convergence(float(residuals.mean()) / error if error > 0 else 0.0, _rare_share(trajectories))


def _swept(trajectories: Trajectories, counts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Sweep backward; give the target's value of each row (n,), and Q of its logged action (n,)."""
    values, chosen = np.zeros(len(trajectories)), np.zeros(len(trajectories))
    following, guess = trajectories.following(), _immediate(trajectories, counts)
    for step in range(trajectories.steps - 1, -1, -1):
        places = np.flatnonzero(trajectories.step == step)
        after, size = following[places], counts[places]
        to_come = np.where(after >= 0, values[after], 0.0)
        outcome = trajectories.reward[places] + to_come
        rows, sums = _summed(trajectories, places, size, outcome)
        usual = float(size @ to_come) / max(float(size.sum()), 1e-300)
        table = np.where(rows > 0, sums / np.maximum(rows, 1e-300), guess + usual)
        state = trajectories.state[places]
        values[places] = (trajectories.target[places] * table[state]).sum(axis=1)
        chosen[places] = table[state, trajectories.action[places]]
    return values, chosen


def _immediate(trajectories: Trajectories, counts: FloatArray) -> FloatArray:
    """Give the mean reward of each state and action over all steps (S, K), of the action where that is unknown."""
    rows, sums = _summed(trajectories, np.arange(len(trajectories)), counts, trajectories.reward)
    by_action = sums.sum(axis=0) / np.maximum(rows.sum(axis=0), 1e-300)
    return np.where(rows > 0, sums / np.maximum(rows, 1e-300), by_action)


def _summed(
    trajectories: Trajectories, places: IntArray, size: FloatArray, outcome: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Give rows and total outcome by state and action, each (S, K)."""
    shape, cells = (trajectories.states, trajectories.actions), _cells(trajectories, places)
    totals = [np.bincount(cells, weights=each, minlength=shape[0] * shape[1]) for each in (size, size * outcome)]
    rows, sums = (np.asarray(each, dtype=np.float64).reshape(shape) for each in totals)
    return rows, sums


def _cells(trajectories: Trajectories, places: IntArray) -> IntArray:
    return np.asarray(trajectories.state[places] * trajectories.actions + trajectories.action[places])


def _rare_share(trajectories: Trajectories) -> float:
    """Give the share of the target's choices, in the states that it meets, that the log has hardly seen."""
    ratios = marginal_ratios(trajectories, np.ones(trajectories.shoppers))
    size = trajectories.states * trajectories.actions
    rare = 0.0
    for step in range(trajectories.steps):
        places = np.flatnonzero(trajectories.step == step)
        seen = np.bincount(_cells(trajectories, places), minlength=size).reshape(-1, trajectories.actions)
        mass = trajectories.target[places] * (seen[trajectories.state[places]] < _RARE)
        rare += float(ratios[places] @ mass.sum(axis=1))
    return rare / float(ratios.sum())
