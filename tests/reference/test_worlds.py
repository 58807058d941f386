"""The small worlds have the truths that they state."""

from __future__ import annotations

import numpy as np
import pytest

from tests.reference.worlds import Fatigue, Orders, RewardWorld


def test_the_mean_reward_of_a_log_is_the_stated_truth() -> None:
    world = RewardWorld.of(5)
    log = world.log(200_000, np.random.default_rng(1))
    assert log.gain.mean() == pytest.approx(world.truth, abs=5 * log.gain.std() / np.sqrt(len(log)))
    assert log.reward.mean() == pytest.approx(world.logged_truth, abs=0.006)


@pytest.mark.parametrize("orders", [Orders(0.05, 1.0), Orders(0.05, 4.0), Orders(0.2, 20.0, poverty=10.0)])
def test_the_weighted_mean_of_rare_orders_is_the_stated_truth(orders: Orders) -> None:
    log = orders.log(400_000, np.random.default_rng(2))
    assert log.gain.mean() == pytest.approx(orders.truth, abs=5 * log.gain.std() / np.sqrt(len(log)))


def test_the_mean_reward_where_sends_tire_is_the_stated_truth() -> None:
    tiring = Fatigue()
    means = [tiring.log(2_000, np.random.default_rng(seed)).reward.mean() for seed in range(20)]
    assert np.mean(means) == pytest.approx(tiring.truth(tiring.logged), rel=0.03)
