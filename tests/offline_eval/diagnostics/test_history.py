"""History: sends whose reward depends on earlier sends are found."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offline_eval.diagnostics.history import HistoryCheck
from offline_eval.logs.decisions import HOLD, LoggedDecision
from policies.catalogue.action_space import JointAction


def sends(shopper: int, recent: NDArray[np.int64], reward: NDArray[np.float64]) -> list[LoggedDecision]:
    actions, evenly = (JointAction("m", "push", 0), HOLD), np.full(2, 0.5)
    return [
        LoggedDecision(f"e-{shopper}-{n}", f"s-{shopper}", 0.0, {"recent_sends": int(x)}, actions, evenly, 0, float(r))
        for n, (x, r) in enumerate(zip(recent, reward, strict=True))
    ]


def watch(decisions: list[LoggedDecision]) -> HistoryCheck:
    history = HistoryCheck()
    assert sum(1 for _ in history.watch(decisions)) == len(decisions)
    return history


def test_history_is_flagged_by_chance_only_although_shoppers_differ() -> None:
    """100 shoppers of 20 sends each, each with an own rate and an own number of recent sends, which do nothing.

    Taken as 2,000 independent sends, a quarter of such logs is flagged; two of 20 by chance once in 700.
    """
    random, flagged = np.random.default_rng(23), 0
    for _ in range(20):
        log = []
        for shopper in range(100):
            recent, rate = np.full(20, random.integers(0, 7)), random.random()
            log += sends(shopper, recent, (random.random(20) < rate).astype(np.float64))
        flagged += bool(watch(log).findings(is_logging=False))
    assert flagged <= 1


def test_history_that_matters_is_flagged_and_merges() -> None:
    random, log = np.random.default_rng(1), []
    for shopper in range(150):
        recent = random.integers(0, 7, 20)
        log += sends(shopper, recent, (random.random(20) < 0.5 - 0.05 * recent).astype(np.float64))
    (whole,) = watch(log).findings(is_logging=False)
    (merged,) = (watch(log[:1_010]) + watch(log[1_010:])).findings(is_logging=False)
    assert whole == merged
    assert "a send earns -0.05" in whole.text
    assert watch(log).findings(is_logging=True) == []
