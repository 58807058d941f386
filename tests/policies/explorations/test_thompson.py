from __future__ import annotations

import math

import numpy as np
import pytest

from policies.draw import SampleSeeds, unit_number
from policies.explorations.base import Scores
from policies.explorations.thompson import ThompsonSampling
from tests.policies.explorations.gaussian import gaussian_scores

REQUESTS = 4_000


def explore(tables: list[list[float]], hold: bool = True) -> list[float]:
    """Return the distribution of one request for sampled scores (M, n)."""
    sampled = np.array([tables])
    scores = Scores(sampled.mean(axis=1), np.array([hold]), lambda draws: sampled)
    (p,) = ThompsonSampling(draws=len(tables)).explore(scores).tolist()
    return list(p)


def test_sends_that_tie_share_a_draw_and_hold_loses_a_tie() -> None:
    assert explore([[1.0, 1.0], [0.0, -1.0]]) == [0.75, 0.25, 0.0]
    assert explore([[-1.0, -2.0], [0.0, 0.0]]) == [0.25, 0.25, 0.5]
    assert explore([[-1.0, -2.0], [0.0, 0.0]], hold=False) == [0.75, 0.25, 0.0]


def test_a_send_is_as_probable_as_it_is_to_be_the_best() -> None:
    """Two normal scores whose means differ by .5: the first is the better one with probability Φ(.5 / √2)."""
    scores = gaussian_scores(np.broadcast_to([0.5, 0.0], (REQUESTS, 2)), [False] * REQUESTS)
    p = ThompsonSampling(draws=8).explore(scores)[:, 0]
    expected = (1 + math.erf(0.5 / 2)) / 2
    assert abs(p.mean() - expected) < 4 * p.std() / math.sqrt(REQUESTS)


@pytest.mark.parametrize("draws", [1, 3, 16])
def test_probabilities_are_numbers_of_draws(draws: int) -> None:
    p = ThompsonSampling(draws).explore(gaussian_scores(np.zeros((50, 6)), [True] * 50))
    np.testing.assert_allclose(p * draws, np.round(p * draws), atol=1e-12)
    assert (p > 0).any(axis=0).all(), "each joint action is the best one somewhere, HOLD too"


def test_the_samples_come_from_another_stream_than_the_draw() -> None:
    events = [f"e-{number}" for number in range(REQUESTS)]
    samples = SampleSeeds(b"shop", events).of(np.arange(REQUESTS)) * 2.0**-64
    draws = np.array([unit_number(b"shop", event) for event in events])
    assert len(np.unique(samples)) == REQUESTS
    assert abs(np.corrcoef(samples, draws)[0, 1]) < 4 / math.sqrt(REQUESTS)
