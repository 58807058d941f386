"""Explorations turn scores into a distribution over the eligible set, in float64.

Arrays over the eligible set have shape (K,): the eligible sends in the order of their numbers, then HOLD if it is
eligible. Propensities are computed here and not by the model's library, so they are exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from policies.arrays import FloatArray, IntArray

_SLOT_PAIRS = ((0, 1), (0, 2), (1, 2))


class Exploration(Protocol):
    """A way to turn scores into a distribution."""

    def explore(self, scores: FloatArray, *, hold: bool) -> FloatArray:
        """Return the distribution (K,) for the scores of the eligible sends; HOLD's score is exactly 0."""
        ...


@dataclass(frozen=True)
class Greedy:
    """All probability on the best joint action. Sends that tie share it equally; in a tie with a send HOLD loses.

    With ``sends_only`` HOLD is chosen only when no send is eligible. A policy that has learned little would otherwise
    stop sending, and HOLD teaches nothing.

    >>> Greedy().explore(np.array([-1.0, 2.0, 2.0]), hold=True)
    array([0. , 0.5, 0.5, 0. ])
    >>> Greedy().explore(np.array([-1.0]), hold=True)
    array([0., 1.])
    >>> Greedy(sends_only=True).explore(np.array([-1.0]), hold=True)
    array([1., 0.])
    """

    sends_only: bool = False

    def explore(self, scores: FloatArray, *, hold: bool) -> FloatArray:
        """Return the distribution (K,) for the scores of the eligible sends."""
        best = scores.max() if len(scores) else -np.inf
        if hold and (len(scores) == 0 or (best < 0 and not self.sends_only)):
            chosen = np.append(np.zeros(len(scores)), 1.0)
        else:
            chosen = np.append(scores == best, [0.0] * hold).astype(np.float64)
        return np.asarray(chosen / chosen.sum(), dtype=np.float64)


def with_floor(explored: FloatArray, scores: FloatArray, slots: IntArray, epsilon: float) -> FloatArray:
    """Mix an exploration with the floor that lets the log evaluate any policy.

    p = (1 - ε)·explored + (ε/2)/K + (ε/2)·neighbours. Half of the floor is uniform over the eligible set. The other
    half lies on the neighbours of the best send (they differ from it in one slot), so that the joint actions that
    another good policy would choose are not rare in the log.

    Parameters
    ----------
    explored
        (K,), the exploration's own distribution.
    scores
        (S,), the scores of the eligible sends; K is S or, with HOLD, S + 1.
    slots
        (S, 3), slot values of the eligible sends.
    epsilon
        Total mass of the floor, 0 ≤ ε ≤ 1.

    Examples
    --------
    >>> with_floor(np.array([1.0, 0.0]), np.array([1.0]), np.array([[0, 0, 0]]), 0.1)
    array([0.95, 0.05])
    """
    size = len(explored)
    uniform = np.full(size, 1.0 / size)
    if epsilon == 0.0:
        return explored
    return (1 - epsilon) * explored + epsilon / 2 * uniform + epsilon / 2 * _neighbourhood(scores, slots, size)


def _neighbourhood(scores: FloatArray, slots: IntArray, size: int) -> FloatArray:
    """Spread probability 1 over the neighbours of the best send; without neighbours, over the eligible set.

    Several best sends share it equally. The neighbours of a send share two of its three slots, so counting the members
    of each pair of slot values gives all neighbourhoods at once, in time linear in K.
    """
    if len(scores) == 0:
        return np.full(size, 1.0 / size)
    best = (scores == scores.max()).astype(np.float64)
    best /= best.sum()
    width = int(slots.max()) + 1
    groups = [slots[:, a] * width + slots[:, b] for a, b in _SLOT_PAIRS]
    counts = sum(np.bincount(group)[group] for group in groups) - 3
    share = np.divide(best, counts, out=np.zeros_like(best), where=counts > 0)
    mass = sum(np.bincount(group, weights=share)[group] for group in groups) - 3 * share
    mass[np.abs(mass) < 1e-15] = 0.0  # rounding errors of the subtraction, outside the neighbourhood
    spread = np.append(mass, [0.0] * (size - len(mass)))
    alone = float(best[counts == 0].sum())
    return spread + alone / size


def check_epsilon(epsilon: float, *, learns: bool) -> None:
    """Refuse a floor that is no probability, or too small for a policy that learns.

    With a smaller floor a few early opt-outs would make the policy hold for ever.

    Raises
    ------
    ValueError
        When ε is outside [0, 1], or below .01 for a policy that learns.
    """
    if not 0.0 <= epsilon <= 1.0:
        raise ValueError(f"epsilon must lie between 0 and 1, not {epsilon}")
    if learns and epsilon < 0.01:
        raise ValueError(f"epsilon must be at least 0.01 for a policy that learns, not {epsilon}")
