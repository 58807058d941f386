"""Presence: the hours at which the integral has a value are the inverse of the integral."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.shoppers.presence import Presence


@given(st.floats(-100, 2_000), st.floats(0.0, 300.0))
def test_hours_at_is_the_inverse_of_integral_at(start: float, more: float) -> None:
    presence = Presence(2_016, first_hour=30, boosts=[(100, 200, 1.5)])
    integral = presence.integral_at(np.array([start])) + more
    hours = presence.hours_at(integral)
    assert hours[0] >= start - 1e-6
    if np.isfinite(hours[0]) and hours[0] < 2_300:
        assert presence.integral_at(hours) == pytest.approx(integral, abs=1e-6)
