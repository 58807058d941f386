"""The orders of a shopper, each once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.learning.incrementality.orders import SAME_WITHIN_S, KnownOrders, Order

TIMES = st.floats(0.0, 1e6)
DIFFERENT = st.lists(TIMES, max_size=8).map(lambda times: [Order(at, 1.0 + n) for n, at in enumerate(times)])


@given(DIFFERENT, TIMES, TIMES)
def test_orders_of_different_values_count_where_they_are_dated(orders: list[Order], begin: float, end: float) -> None:
    within = [order.value for order in orders if begin <= order.at < end]
    count, value = KnownOrders(orders).within(min(begin, end), end)
    if begin <= end:
        assert count == len(within)
        assert value == pytest.approx(sum(within))


@given(DIFFERENT, st.randoms(use_true_random=False), st.floats(-SAME_WITHIN_S, SAME_WITHIN_S))
def test_what_an_order_is_credited_to_makes_no_further_order(orders: list[Order], random: object, error: float) -> None:
    """Each order is also credited to two sends by a tool in another time zone; the purchase's date counts."""
    credits = [Order(order.at + error, order.value, name) for order in orders for name in ("e-1", "e-2")]
    mixed = KnownOrders(random.sample(orders + credits, 3 * len(orders)))  # type: ignore[attr-defined]
    assert mixed.within(0.0, 2e6) == KnownOrders(orders).within(0.0, 2e6)


@given(DIFFERENT, st.floats(-SAME_WITHIN_S / 2, SAME_WITHIN_S / 2))
def test_a_purchase_without_its_value_is_one_order_with_its_credits(orders: list[Order], error: float) -> None:
    """An erasure drops the value of a purchase, and keeps the value of its conversions."""
    credits = [Order(order.at + error, order.value, name) for order in orders for name in ("e-1", "e-2")]
    erased = [Order(order.at, 0.0) for order in orders]
    count, value = KnownOrders(erased + credits).within(0.0, 2e6)
    assert count == len(orders)
    assert value == pytest.approx(sum(order.value for order in orders))
    assert KnownOrders(erased).within(0.0, 2e6) == (len(orders), 0.0)


def test_an_order_that_only_a_credit_tells_is_an_order() -> None:
    orders = KnownOrders(
        [Order(10.0, 5.0, "e-1"), Order(12.0, 5.0, "e-2"), Order(10.0 + 2 * SAME_WITHIN_S, 5.0, "e-3")]
    )
    assert orders.within(0.0, 100.0) == (1, 5.0)
    assert orders.within(0.0, 1e6) == (2, 10.0)


def test_two_equal_purchases_are_two_orders() -> None:
    assert KnownOrders([Order(1.0, 5.0), Order(2.0, 5.0)]).within(0.0, 10.0) == (2, 10.0)
