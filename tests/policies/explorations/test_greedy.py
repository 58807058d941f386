from __future__ import annotations

import numpy as np

from policies.explorations.base import Scores
from policies.explorations.greedy import Greedy


def explore(*scores: float, hold: bool = True, sends_only: bool = False) -> list[float]:
    (p,) = Greedy(sends_only).explore(Scores(np.array([scores]), np.array([hold]))).tolist()
    return list(p)


def test_hold_wins_only_against_negative_scores() -> None:
    assert explore(0.0) == [1.0, 0.0]
    assert explore(-1e-9) == [0.0, 1.0]
    assert explore(-1e-9, hold=False) == [1.0, 0.0]


def test_a_policy_that_chooses_among_sends_holds_only_without_one() -> None:
    assert explore(-5.0, -np.inf, sends_only=True) == [1.0, 0.0, 0.0]
    assert explore(-np.inf, -np.inf, sends_only=True) == [0.0, 0.0, 1.0]
