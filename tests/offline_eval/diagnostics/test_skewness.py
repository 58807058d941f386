"""Skewness: what to expect of weighted rewards."""

from __future__ import annotations

import numpy as np
import pytest

from offline_eval.diagnostics.weights import Weights


def test_the_expected_skewness_is_that_of_independent_weights_and_rewards() -> None:
    random = np.random.default_rng(17)
    weights = random.choice([0.5, 5.0], 1_000_000, p=[0.9, 0.1])
    rewards = np.where(random.random(1_000_000) < 0.05, 2.0, 0.0)
    products = weights * (rewards - rewards.mean())
    skewness = Weights()
    skewness.add(weights, rewards)
    assert skewness.summary().skewness == pytest.approx((products**3).mean() / (products**2).mean() ** 1.5, rel=0.05)
