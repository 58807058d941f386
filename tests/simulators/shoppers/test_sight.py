"""Sight: the wait is the inverse of the unseen share, and both meet published shares."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.scenarios.channels import CHANNELS
from simulators.shoppers.presence import week_curve
from simulators.shoppers.sight import draw_wait, look_probability, share_unseen


@given(st.floats(0.0, 0.999), st.floats(0.05, 10.0), st.sampled_from([0.0, 0.3, 1.0, 2.0]))
def test_the_wait_is_the_inverse_of_the_unseen_share(uniform: float, rate: float, tail: float) -> None:
    per_hour, spread = np.array([rate]), np.array([tail])
    wait = draw_wait(np.array([uniform]), per_hour, spread)
    assert share_unseen(wait, per_hour, spread)[0] == pytest.approx(1.0 - uniform, rel=1e-9)


@given(st.floats(0.01, 5.0), st.floats(0.0, 50.0))
def test_a_small_tail_is_an_exponential_wait(rate: float, presence: float) -> None:
    small, none = (share_unseen(np.array([presence]), np.array([rate]), np.array([tail]))[0] for tail in (1e-7, 0.0))
    assert small == pytest.approx(none, abs=1e-4)


def test_emails_are_opened_as_published() -> None:
    """27 / 50 / 61 % after 1 / 3 / 6 h (Inntopia); 92 and 98 % of the clicks by the next day and by day 7."""
    email = CHANNELS["email"]
    hours = np.array([1.0, 3.0, 6.0, 36.0, 168.0])
    opened = 1.0 - share_unseen(hours, np.array([email.per_hour]), np.array([email.tail]))
    assert opened == pytest.approx(np.array([0.27, 0.50, 0.61, 0.92, 0.98]), abs=0.06)


@pytest.mark.parametrize("channel", CHANNELS)
def test_the_hour_moves_looks_and_leaves_their_mean(channel: str) -> None:
    traits = CHANNELS[channel]
    looks = look_probability(np.array([traits.looked]), np.array([traits.hour_effect]), week_curve())
    assert looks.mean() == pytest.approx(traits.looked, abs=0.02)
    assert 0.0 <= looks.min() <= looks.max() <= 1.0


def test_a_push_at_23_h_is_looked_at_as_published() -> None:
    """Clicks of pushes sent at 23 h are 11.4 % against 7.8 % on average, and a look at another hour clicks alike."""
    push, at_23 = CHANNELS["push"], week_curve()[23::24].mean()
    looks = look_probability(np.array([push.looked]), np.array([push.hour_effect]), np.array([at_23]))
    assert looks[0] / push.looked == pytest.approx(11.4 / 7.8, abs=0.05)
