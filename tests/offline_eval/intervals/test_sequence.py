"""Confidence sequences hold at all times, and merge."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from offline_eval import (
    DR,
    IPW,
    Estimator,
    Evaluation,
    Limits,
    Question,
    Totals,
    evaluate,
)
from offline_eval.intervals import (
    Normal,
)
from offline_eval.intervals.sequence import ConfidenceSequence
from tests.offline_eval.intervals.bounds import LIMITS, is_held
from tests.reference.worlds import RewardWorld


@pytest.mark.parametrize("robust", [False, True])
def test_a_confidence_sequence_holds_at_all_times_and_a_normal_interval_does_not(
    robust: bool, world: RewardWorld
) -> None:
    """100 paths, looked at 20 times each: at most 5 % may ever miss (13 misses: 1 in 1,000)."""
    limits = Limits(0.0, 1.0, world.max_weight)
    missed = peeked = 0
    random = np.random.default_rng(15)
    for _ in range(100):
        sequence, totals = ConfidenceSequence(limits, robust=robust), Totals([IPW()])
        held = normal = True
        for _ in range(20):
            rows = world.log(100, random)
            sequence.update(rows)
            totals.add(rows)
            held &= is_held(sequence.bounds(0.05), world.truth)
            normal &= is_held(Normal().bounds([IPW()], totals.sample(), 0.05)[0], world.truth)
        missed, peeked = missed + (not held), peeked + (not normal)
    assert missed <= 13
    assert peeked > 13


@pytest.mark.parametrize("estimator", [IPW(), DR()], ids=repr)
def test_a_difference_and_the_mean_reward_may_be_looked_at_after_every_row_too(
    estimator: Estimator, world: RewardWorld
) -> None:
    """40 logs, looked at 10 times each: 8 that ever miss have a chance below 1 in 2,000."""
    question = Question([estimator], "sequence", limits=Limits(0.0, 1.0, world.max_weight))
    missed, random = 0, np.random.default_rng(21)
    for _ in range(40):
        evaluation, held = Evaluation(question), True
        for _ in range(10):
            rows = world.log(100, random)
            evaluation.add(replace(rows, against=rows.as_logging()))
            report = evaluation.report()
            (difference,) = report.differences
            held &= difference.low <= world.truth - world.logged_truth <= difference.high
            held &= report.mean_reward.low <= world.logged_truth <= report.mean_reward.high
        missed += not held
    assert missed <= 7
    (normal,) = evaluate(replace(rows, against=rows.as_logging()), Question([estimator])).differences
    (sequence,) = evaluate(replace(rows, against=rows.as_logging()), question).differences
    assert sequence.low < normal.low < normal.high < sequence.high


def test_shards_of_a_confidence_sequence_merge(world: RewardWorld) -> None:
    one, two = (ConfidenceSequence(LIMITS, robust=True) for _ in range(2))
    random = np.random.default_rng(16)
    one.update(world.log(4_000, random))
    two.update(world.log(4_000, random))
    low, high = (one + two).bounds(0.05)
    alone_low, alone_high = one.bounds(0.05)
    assert low < world.truth < high
    assert high - low < alone_high - alone_low


def test_the_sequence_does_not_depend_on_chunks(world: RewardWorld) -> None:
    rows = world.log(500, np.random.default_rng(17))
    whole, parts = ConfidenceSequence(LIMITS, robust=True), ConfidenceSequence(LIMITS, robust=True)
    whole.update(rows)
    for begin in range(0, 500, 70):
        parts.update(rows.slice(begin, begin + 70))
    assert list(parts.bounds(0.05)) == pytest.approx(list(whole.bounds(0.05)), rel=1e-9)
