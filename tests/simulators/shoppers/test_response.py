"""Responses: a click and a return tire by the same logits, and a promotion lifts orders."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.scenarios.parameters import PARAMETERS
from simulators.shoppers.mental_state import ReaderState
from simulators.shoppers.response import (
    Chances,
    click_probability,
    conversion_probability,
    opt_out_probability,
    return_probability,
    tired_logit,
    visit_order_probability,
)

SHARE = st.floats(0.001, 0.999)
ZERO, ONE = np.zeros(1), np.ones(1)


def fatigue_of(overload: float, staleness: float) -> np.ndarray:
    return tired_logit(ReaderState(np.array([overload]), np.array([staleness]), ONE, ONE), PARAMETERS)


def logit(probability: float) -> float:
    return float(np.log(probability / (1.0 - probability)))


@given(SHARE, st.floats(0.0, 6.0), st.floats(0.0, 6.0), st.floats(0.3, 1.0))
def test_a_return_tires_as_a_click_with_the_same_probability_does(
    probability: float, overload: float, staleness: float, attention: float
) -> None:
    fatigue, attentive = fatigue_of(overload, staleness), np.array([attention])
    click = click_probability(np.array([logit(probability)]), ZERO, fatigue, attentive)[0]
    back = return_probability(np.array([probability]), fatigue, attentive)[0]
    assert back == pytest.approx(click, rel=1e-6)
    assert back <= probability + 1e-12
    assert return_probability(np.array([probability]), fatigue_of(0.0, 0.0), ONE)[0] == pytest.approx(probability)


@given(st.floats(0.0, 3.0), st.floats(0.0, 3.0), st.floats(0.01, 1.0))
def test_more_mail_never_makes_a_return_more_likely(overload: float, staleness: float, more: float) -> None:
    base = return_probability(np.array([0.1]), fatigue_of(overload, staleness), ONE)[0]
    assert return_probability(np.array([0.1]), fatigue_of(overload + more, staleness), ONE)[0] < base
    assert return_probability(np.array([0.1]), fatigue_of(overload, staleness + more), ONE)[0] < base


@given(SHARE, SHARE, st.floats(1.0, 3.0))
def test_a_promotion_multiplies_orders_up_to_certainty(intent: float, need: float, factor: float) -> None:
    for order in (conversion_probability, visit_order_probability):
        plain, lifted = (order(np.array([intent]), np.array([need]), by, PARAMETERS)[0] for by in (1.0, factor))
        assert lifted == pytest.approx(min(plain * factor, 1.0))


def test_the_night_doubles_opt_outs() -> None:
    day, night = (
        opt_out_probability(np.array([0.01]), ZERO, np.array([at_night]), PARAMETERS)[0] for at_night in (False, True)
    )
    assert night == pytest.approx(2.0 * day)


@given(st.lists(SHARE, min_size=7, max_size=7))
def test_joint_probabilities_have_the_stated_margins(shares: list[float]) -> None:
    chances = Chances(*(np.array([share]) for share in shares))
    joint = chances.joint()[0]
    assert joint.sum() == pytest.approx(1.0)
    assert joint[1].sum() == pytest.approx(chances.click[0])
    assert joint[:, 1].sum() == pytest.approx(chances.kept_orders[0])
    assert joint[..., 1].sum() == pytest.approx(chances.withdrawals[0])
