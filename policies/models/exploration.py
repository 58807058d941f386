"""Explorations turn scores into distributions over eligible sets, in float64.

Arrays have a row per request (r) and a column per joint action (n); of n + 1 columns the last one is HOLD's. The score
of a send that is not eligible is -∞. Propensities are computed here and not by the model's library, so they are exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from policies.arrays import BoolArray, FloatArray


class Exploration(Protocol):
    """A way to turn scores into distributions."""

    def explore(self, scores: FloatArray, hold: BoolArray) -> FloatArray:
        """Return the distributions (r, n + 1), 0 for what is not eligible.

        ``scores`` (r, n) are those of the sends; HOLD's score is exactly 0. ``hold`` (r,) says where HOLD is eligible.
        A row is the same to the byte whatever other rows are there.
        """
        ...


@dataclass(frozen=True)
class Greedy:
    """All probability on the best joint action. Sends that tie share it equally; in a tie with a send HOLD loses.

    With ``sends_only`` HOLD is chosen only when no send is eligible. A policy that has learned little would otherwise
    stop sending, and HOLD teaches nothing.

    >>> scores = np.array([[-1.0, 2.0, 2.0], [-1.0, -2.0, -np.inf]])
    >>> Greedy().explore(scores, hold=np.array([True, True]))
    array([[0. , 0.5, 0.5, 0. ],
           [0. , 0. , 0. , 1. ]])
    >>> Greedy(sends_only=True).explore(scores[1:], hold=np.array([True]))
    array([[1., 0., 0., 0.]])
    """

    sends_only: bool = False

    def explore(self, scores: FloatArray, hold: BoolArray) -> FloatArray:
        """Return the distributions (r, n + 1) for the scores of the sends."""
        best = best_scores(scores)
        holds = hold & (best == -np.inf if self.sends_only else best < 0.0)
        chosen = np.empty((len(scores), scores.shape[1] + 1), dtype=np.bool_)
        chosen[:, -1] = holds
        np.equal(scores, np.where(holds, np.nan, best)[:, None], out=chosen[:, :-1])
        return np.asarray(chosen / chosen.sum(axis=1)[:, None])


def best_scores(scores: FloatArray) -> FloatArray:
    """Return the best score of each row (r,), -∞ without an eligible send."""
    return np.asarray(scores.max(axis=1, initial=-np.inf))
