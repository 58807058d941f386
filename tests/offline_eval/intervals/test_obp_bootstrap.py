"""The bootstrap of the Open Bandit Pipeline is wrong where ours is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from offline_eval import (
    SNIPW,
)
from offline_eval.intervals import (
    Normal,
    ObpBootstrap,
)
from tests.offline_eval.intervals.bounds import bounds
from tests.reference.worlds import RewardWorld


def test_obp_intervals_of_self_normalised_estimators_are_wrong_and_ours_are_not() -> None:
    """With the denominator frozen, a constant reward of .9 and noise gets an interval far too wide."""
    world = RewardWorld.of(4)
    rows = world.log(1_000, np.random.default_rng(14))
    rows = replace(rows, reward=np.where(rows.reward > 0, 1.0, 0.9))
    (theirs,) = bounds(ObpBootstrap(draws=300), (SNIPW(),), rows)
    (ours,) = bounds(Normal(), (SNIPW(),), rows)
    assert theirs.high - theirs.low > 3 * (ours.high - ours.low)
