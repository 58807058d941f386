"""The value of an order: the regression is the direct one, and corrections take orders out."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.heads.order_value import OrderValueFit, OrderValues, SendOrders

orders = st.builds(
    SendOrders, st.floats(5, 500), st.sampled_from(["hint", "offer", "thanks"]), st.none() | st.floats(5, 500)
)


def learn_orders(chosen: list[SendOrders]) -> OrderValues:
    values = OrderValues()
    for order in chosen:
        values = values.replace(None, order)
    return values


def direct_coefficients(chosen: list[SendOrders], centre: float, noise: float) -> np.ndarray:
    """Return intercept, slope and effects by the normal equations of all unknowns at once."""
    messages = ["hint", "offer", "thanks"]
    rows, ys = [], []
    for order in chosen:
        distance = 0.0 if order.price is None else math.log(order.price) - centre
        rows.append([1.0, distance, *[float(order.message == message) for message in messages]])
        ys.append(math.log(order.value))
    design, means = np.array(rows), np.array([math.log(50.0), 0.5, 0, 0, 0])
    precisions = np.diag(1 / np.array([1.0, 0.5, 0.3, 0.3, 0.3]) ** 2)
    return np.linalg.solve(design.T @ design / noise + precisions, design.T @ np.array(ys) / noise + precisions @ means)


def noise_of(chosen: list[SendOrders], coefficients: np.ndarray, centre: float) -> float:
    intercept, slope, *effects = coefficients.tolist()
    fit = OrderValueFit(intercept, slope, centre, dict(zip(("hint", "offer", "thanks"), effects, strict=True)), 1.0)
    squares = [(math.log(order.value) - fit.log_value(order.message, order.price)) ** 2 for order in chosen]
    return (10 * 0.25 + sum(squares)) / (10 + len(squares))


@settings(max_examples=50)
@given(st.lists(orders, min_size=1, max_size=12))
def test_the_coefficients_are_those_of_the_direct_regression(chosen: list[SendOrders]) -> None:
    fit = learn_orders(chosen).fit(50.0)
    first = direct_coefficients(chosen, fit.centre, 0.25)
    intercept, slope, *effects = direct_coefficients(chosen, fit.centre, noise_of(chosen, first, fit.centre))
    assert (fit.intercept, fit.slope) == pytest.approx((intercept, slope), abs=1e-6)
    for message, effect in zip(("hint", "offer", "thanks"), effects, strict=True):
        assert fit.effects.get(message, 0.0) == pytest.approx(effect, abs=1e-6)


@settings(max_examples=50)
@given(st.lists(orders, max_size=6), orders, orders)
def test_a_correction_takes_the_order_out(chosen: list[SendOrders], wrong: SendOrders, right: SendOrders) -> None:
    direct = learn_orders(chosen).replace(None, right)
    corrected = learn_orders(chosen).replace(None, wrong).replace(wrong, right)
    nothing = learn_orders(chosen).replace(None, wrong).replace(wrong, None)
    for ours, theirs in ((corrected, direct), (nothing, learn_orders(chosen))):
        ours_fit, theirs_fit = ours.fit(50.0), theirs.fit(50.0)
        for price in (None, 10.0, 200.0):
            assert ours_fit.value("hint", price) == pytest.approx(theirs_fit.value("hint", price), rel=1e-5)


def test_slope_discount_and_level_are_found() -> None:
    rng, chosen = np.random.default_rng(3), list[SendOrders]()
    for _ in range(800):
        price, message = float(np.exp(rng.normal(3.5, 0.5))), str(rng.choice(["hint", "offer"]))
        log_value = 0.3 + 0.9 * math.log(price) - 0.2 * (message == "offer") + rng.normal(0, 0.4)
        chosen.append(SendOrders(math.exp(log_value), message, price))
    fit = learn_orders(chosen).fit(50.0)
    assert fit.slope == pytest.approx(0.9, abs=0.06)
    assert fit.effects["offer"] - fit.effects["hint"] == pytest.approx(-0.2, abs=0.06)
    mean = np.mean([order.value for order in chosen])
    assert np.mean([fit.value(order.message, order.price) for order in chosen]) == pytest.approx(mean, rel=0.03)


def test_before_the_first_order_prices_count_half_and_forgetting_goes_back_there() -> None:
    fit = OrderValues().fit(50.0)
    assert fit.value("hint", None) == pytest.approx(50.0 * math.exp(0.125))
    assert fit.value("hint", 200.0) == pytest.approx(2 * fit.value("hint", 50.0))
    faded = learn_orders([SendOrders(500.0, "hint", 10.0)] * 50).forget(1e-9).fit(50.0)
    assert faded.value("hint", 200.0) == pytest.approx(fit.value("hint", 200.0), rel=1e-4)


@given(st.lists(orders, max_size=4))
def test_bytes_round_trip(chosen: list[SendOrders]) -> None:
    values = learn_orders(chosen)
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(values), type=OrderValues)
    assert again == values
    assert again.fit(50.0) == values.fit(50.0)


@given(st.floats(min_value=5e-324, allow_nan=False, allow_infinity=False))
def test_no_price_multiplies_the_value_of_an_order_more_than_a_hundred_times(price: float) -> None:
    fit = OrderValueFit(math.log(50.0), 1.0, math.log(50.0), {}, 1.0)
    assert fit.price_factor(price) * (1 + 1e-12) >= 0.01
    assert fit.price_factor(price) <= 100.0 * (1 + 1e-12)
    if 1.0 < price < 2_000.0:
        assert 50.0 * fit.price_factor(price) == pytest.approx(fit.value("hint", price))
