"""The contrast between sends and holds: merging, coverage, and the factor."""

from __future__ import annotations

from math import isclose

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.learning.incrementality.contrast import PRIOR_ORDERS, Contrast, ShopperSums

COUNTS = st.tuples(st.integers(0, 3), st.floats(0.0, 100.0))


@st.composite
def shoppers(draw: st.DrawFn) -> ShopperSums:
    sums = ShopperSums()
    for orders, credited in draw(st.lists(st.tuples(COUNTS, COUNTS), max_size=3)):
        sums.add_send(orders, credited)
    for weight, orders in draw(st.lists(st.tuples(st.floats(0.01, 20.0), COUNTS), max_size=3)):
        sums.add_hold(weight, orders)
    return sums


def sum_up(all_sums: list[ShopperSums]) -> Contrast:
    contrast = Contrast()
    for sums in all_sums:
        contrast.add(sums)
    return contrast


@given(st.lists(shoppers(), max_size=6), st.lists(shoppers(), max_size=6))
def test_parts_of_a_log_add_up_to_the_log(some: list[ShopperSums], others: list[ShopperSums]) -> None:
    merged, whole = sum_up(some) + sum_up(others), sum_up(some + others)
    assert (merged.shoppers, merged.sends, merged.credited_orders) == (
        whole.shoppers,
        whole.sends,
        whole.credited_orders,
    )
    assert isclose(merged.holds, whole.holds, abs_tol=1e-9)
    if whole.evidence:
        for name in ("share", "incremental_orders", "incremental_revenue"):
            one, other = getattr(merged, name)(), getattr(whole, name)()
            assert isclose(one.value, other.value, rel_tol=1e-6, abs_tol=1e-6)
            assert isclose(one.high, other.high, rel_tol=1e-4, abs_tol=1e-3)


@given(st.lists(shoppers(), max_size=6), st.floats(0.0, 1.0))
def test_the_factor_lies_between_the_catalogues_weight_and_the_clipped_share(
    all_sums: list[ShopperSums], view_through: float
) -> None:
    contrast = sum_up(all_sums)
    factor = contrast.factor(view_through)
    if not contrast.evidence:
        assert factor == view_through
        return
    clipped = min(1.0, max(0.0, contrast.share().value))
    assert min(clipped, view_through) - 1e-12 <= factor <= max(clipped, view_through) + 1e-12
    expected = (contrast.evidence * clipped + 30.0 * view_through) / (contrast.evidence + 30.0)
    assert factor == pytest.approx(expected)


def test_equal_weights_are_the_difference_of_two_means() -> None:
    """Ten shoppers got a send: 6 orders, 5 of them credited. Five were held, each for 2 sends: one order."""
    contrast = Contrast()
    for number in range(10):
        sums = ShopperSums()
        sums.add_send((number < 6, 10.0 * (number < 6)), (number < 5, 10.0 * (number < 5)))
        contrast.add(sums)
    for number in range(5):
        sums = ShopperSums()
        sums.add_hold(2.0, (number < 1, 10.0 * (number < 1)))
        contrast.add(sums)
    assert contrast.incremental_orders().value == pytest.approx(6 - 10 * 0.2)
    assert contrast.incremental_revenue().value == pytest.approx(60 - 10 * 2.0)
    assert contrast.share().value == pytest.approx((6 - 2) / 5)
    assert (contrast.sends, contrast.credited_orders) == (10, 5)
    assert contrast.holds == pytest.approx(5.0)
    assert contrast.evidence == pytest.approx(5 * 5 / 15)
    assert not contrast.is_enough


def test_a_log_is_worth_what_its_smaller_group_tells() -> None:
    """Many credited orders say nothing as long as there is hardly a hold to compare them with."""
    contrast = Contrast()
    for _ in range(200):
        sums = ShopperSums()
        sums.add_send((1, 1.0), (1, 1.0))
        contrast.add(sums)
    sums = ShopperSums()
    sums.add_hold(100.0, (0, 0.0))
    contrast.add(sums)
    assert not contrast.is_enough
    assert contrast.factor(0.5) == pytest.approx(0.5, abs=0.02)


def draw_log(random: np.random.Generator, share: float, shoppers: int = 150) -> Contrast:
    """Draw a log: sends bring orders to some shoppers, others order anyway, all of one shopper alike.

    ``share`` of the credited orders are brought by the sends. Each decision has a probability of HOLD of its own.
    """
    contrast, brought, anyway = Contrast(), 0.2 * share, 0.2 * (1.0 - share)
    for _ in range(shoppers):
        sums, taste = ShopperSums(), random.gamma(2.0, 0.5)
        for _ in range(10):
            hold = random.uniform(0.1, 0.5)
            orders_anyway = int(random.random() < anyway * taste)
            if random.random() < hold:
                sums.add_hold((1.0 - hold) / hold, (orders_anyway, float(orders_anyway)))
                continue
            orders = orders_anyway + int(random.random() < brought * taste)
            sums.add_send((orders, float(orders)), (orders, float(orders)))
        contrast.add(sums)
    return contrast


@pytest.mark.parametrize("share", [0.1, 0.6])
def test_the_interval_holds_the_true_share_in_nineteen_of_twenty_logs(share: float) -> None:
    """Nearly: in 94 % of many such logs. Of 150, 141 ± 12 (4 standard errors).

    The shoppers differ, and the decisions of one shopper are not independent.
    """
    random = np.random.default_rng(1)
    estimates = [draw_log(random, share).share() for _ in range(150)]
    assert 129 <= sum(estimate.low <= share <= estimate.high for estimate in estimates) < 150
    values = np.array([estimate.value for estimate in estimates])
    assert abs(values.mean() - share) < 4.0 * values.std() / len(values) ** 0.5


def test_without_an_order_during_holds_the_interval_is_no_point() -> None:
    contrast = Contrast()
    for _ in range(40):
        sums = ShopperSums()
        sums.add_send((1, 5.0), (1, 5.0))
        sums.add_hold(0.5, (0, 0.0))
        contrast.add(sums)
    share = contrast.share()
    assert share.value == 1.0
    assert share.low == pytest.approx(1.0 - 1.96 * 2.0 * 0.5 / 40, rel=1e-3)
    assert contrast.incremental_revenue().low < contrast.incremental_revenue().value


def test_the_prior_is_that_of_the_contract() -> None:
    assert PRIOR_ORDERS == 30.0
