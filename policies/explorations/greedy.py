"""Greedy: the best joint action."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from policies.arrays import FloatArray
from policies.explorations.base import Scores, best_scores, find_best, mark_best, share_equally


@dataclass(frozen=True)
class Greedy:
    """All probability on the best joint action. Sends that tie share it equally; in a tie with a send HOLD loses.

    Parameters
    ----------
    sends_only
        HOLD is chosen only when no send is eligible. A policy that has learned little would otherwise stop sending,
        and HOLD teaches nothing.

    Examples
    --------
    >>> sends = np.array([[-1.0, 2.0, 2.0], [-1.0, -2.0, -np.inf]])
    >>> Greedy().explore(Scores(sends, hold=np.array([True, True])))
    array([[0. , 0.5, 0.5, 0. ],
           [0. , 0. , 0. , 1. ]])
    >>> Greedy(sends_only=True).explore(Scores(sends[1:], hold=np.array([True])))
    array([[1., 0., 0., 0.]])
    """

    name: ClassVar[str] = "greedy"
    sends_only: bool = False

    def explore(self, scores: Scores) -> FloatArray:
        """Return the distributions (r, n + 1)."""
        if not self.sends_only:
            return share_equally(find_best(scores.sends, scores.hold))
        best = best_scores(scores.sends)
        return share_equally(mark_best(scores.sends, best, holds=scores.hold & (best == -np.inf)))
