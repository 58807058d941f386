"""The learning curve pairs the contenders shopper by shopper."""

from __future__ import annotations

import numpy as np
import pytest

from simulators.experiments.learning_curve import LEARNER, LearningCurve

CURVE = LearningCurve(
    steps=[0, 1_000],
    learner=[[np.array([0.0, 1.0]), np.array([1.0, 0.0])], [np.array([3.0, 4.0]), np.array([4.1, 3.1])]],
    others={
        "rule": [np.array([1.0, 2.0]), np.array([2.0, 1.0])],
        "planner": [np.array([9.0, 8.0]), np.array([9.0, 10.0])],
    },
)


def test_the_curve_pairs_the_contenders_shopper_by_shopper() -> None:
    assert CURVE.value(1).value == pytest.approx(3.55)
    assert CURVE.value_of("planner").value == pytest.approx(9.0)
    more = CURVE.difference(1, "rule")
    assert more.value == pytest.approx(2.05)
    assert more.low > 0  # the shoppers differ by 1, the differences by .1
    assert CURVE.difference(0, "rule").value == pytest.approx(-1.0)
    assert CURVE.minus_rule()[LEARNER][1] == more
    assert [one.value for one in CURVE.minus_rule()["rule"]] == [0.0, 0.0]
