"""The calibration slope finds the slope by which predictions were made too wide or too narrow."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.regret.calibration import calibration_slope


def sigmoid(logits: np.ndarray[tuple[int], np.dtype[np.float64]]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.asarray(1.0 / (1.0 + np.exp(-logits)))


@given(
    slope=st.floats(0.1, 3.0),
    constant=st.floats(-4.0, 1.0),
    logits=st.lists(st.floats(-5.0, 2.0), min_size=3, max_size=40).filter(lambda xs: max(xs) - min(xs) > 0.1),
)
def test_the_slope_of_the_truth_is_found(slope: float, constant: float, logits: list[float]) -> None:
    predicted = sigmoid(np.array(logits))
    assert calibration_slope(predicted, sigmoid(constant + slope * np.array(logits))) == pytest.approx(slope, rel=1e-5)


@given(
    predicted=st.lists(st.floats(0.0, 1.0), min_size=3, max_size=30),
    true=st.lists(st.floats(0.0, 1.0), min_size=30, max_size=30),
)
def test_a_slope_is_a_finite_number(predicted: list[float], true: list[float]) -> None:
    slope = calibration_slope(np.array(predicted), np.array(true[: len(predicted)]))
    assert slope is None or np.isfinite(slope)


def test_certain_labels_are_those_of_a_usual_logistic_regression() -> None:
    """Of 100 sends predicted at .2 ten click, of 100 predicted at .5 forty: two points, one line."""
    predicted = np.repeat([0.2, 0.5], 100)
    labels = np.concatenate([np.arange(100) < 10, np.arange(100) < 40]).astype(float)
    expected = (np.log(0.4 / 0.6) - np.log(0.1 / 0.9)) / (np.log(1.0) - np.log(0.25))
    assert calibration_slope(predicted, labels) == pytest.approx(expected)


@pytest.mark.parametrize(("predicted", "true"), [([], []), ([0.2, 0.3], [0.0, 0.0]), ([0.2, 0.2], [0.1, 0.3])])
def test_there_is_no_slope_without_a_difference(predicted: list[float], true: list[float]) -> None:
    assert calibration_slope(np.array(predicted), np.array(true)) is None
