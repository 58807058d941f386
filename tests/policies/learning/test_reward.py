"""The reward of a delivered send: what an order counts with a click and without one."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.catalogue.document import Reward
from policies.learning.fold import Learning
from policies.learning.reward import order_weight, reward_of
from policies.models.bayes.learner import BayesLearner
from policies.records.outcomes import OUTCOME_TYPES
from policies.records.rows import OutcomeRow
from tests.factories import NOW, WINDOW_S, outcome_row
from tests.policies.learning.test_fold import Rows

KINDS = st.sampled_from(sorted(OUTCOME_TYPES))
SHARES = st.floats(0.0, 1.0)


@st.composite
def outcomes(draw: st.DrawFn) -> OutcomeRow:
    kind = draw(KINDS)
    meaning = OUTCOME_TYPES[kind]
    return outcome_row(
        kind,
        value=draw(st.floats(0.0, 500.0)) if meaning.has_value else 0.0,
        machine=meaning.may_be_machine and draw(st.booleans()),
        is_copy=draw(st.booleans()),
    )


LISTS = st.lists(outcomes(), max_size=8)


def is_clicked(rows: list[OutcomeRow]) -> bool:
    return any(row.type == "click" and not row.machine and not row.is_copy for row in rows)


@given(LISTS, SHARES, st.randoms(use_true_random=False))
def test_the_order_of_outcomes_is_irrelevant(rows: list[OutcomeRow], share: float, order: random.Random) -> None:
    weights, shuffled = Reward(view_through=share), order.sample(rows, len(rows))
    assert order_weight(shuffled, weights) == order_weight(rows, weights)
    assert reward_of(shuffled, weights, 0.0).reward == pytest.approx(reward_of(rows, weights, 0.0).reward, abs=1e-9)


@given(LISTS, SHARES)
def test_orders_count_in_full_with_a_click_and_in_part_without_one(rows: list[OutcomeRow], share: float) -> None:
    """Whatever else is reported, the weight of the orders is part of their margin, and of nothing else."""
    weights = Reward(margin=0.3, view_through=share, max=1e6)
    counted = 1.0 if is_clicked(rows) else share
    as_usual = Reward(margin=0.3 * counted, max=1e6)
    result, expected = reward_of(rows, weights, 0.5), reward_of(rows, as_usual, 0.5)
    assert result.reward == pytest.approx(expected.reward, abs=1e-9)
    assert result.gain == pytest.approx(expected.gain, abs=1e-9)


@given(LISTS)
def test_the_weight_1_is_the_reward_without_a_weight_to_the_byte(rows: list[OutcomeRow]) -> None:
    """The formula of the first version: every order counts in full."""
    counted = [row for row in rows if not row.machine and not row.is_copy]
    ordered = sum((row.value if row.type == "conversion" else -row.value) for row in counted if row.value)
    gain = 0.0
    for kind, paid in (("open", 0.01), ("click", 0.1), ("conversion", 0.3)):
        if any(row.type == kind for row in counted):
            gain += paid * (max(0.0, ordered) if kind == "conversion" else 1.0)
    assert reward_of(rows, Reward(open=0.01, view_through=1.0), 0.0).gain == min(20.0, gain)


def fold_gains(*, view_through: float, ordered_at: float, clicked_at: float, machine: bool = False) -> list[float]:
    """Return the gains that an order and a click teach, one for each interaction or correction."""
    rows = Rows({"view_through": view_through})
    rows.send()
    order = outcome_row("conversion", at=ordered_at, value=50.0)
    click = outcome_row("click", at=clicked_at, machine=machine)
    rows.rows += sorted([order, click], key=lambda row: row.at)
    rows.clock(NOW + 3 * WINDOW_S)
    learning = Learning(rows.rows_of, BayesLearner)
    steps = [learning.fold(position, row) for position, row in enumerate(rows.rows, 1)]
    return [interaction.result.gain for step in steps for interaction in step]


@pytest.mark.parametrize("ordered_at", [NOW + 1.0, NOW + 3.0])
def test_before_the_end_of_the_window_a_click_counts_whether_it_comes_before_or_after_the_order(
    ordered_at: float,
) -> None:
    gains = fold_gains(view_through=0.0, ordered_at=ordered_at, clicked_at=NOW + 2.0)
    assert gains == [pytest.approx(0.1 + 0.3 * 50.0)]


def test_a_late_click_is_learned_as_a_correction() -> None:
    late = NOW + WINDOW_S + 10.0
    gains = fold_gains(view_through=0.0, ordered_at=NOW + 1.0, clicked_at=late)
    assert gains == [0.0, pytest.approx(0.1 + 0.3 * 50.0)]
    gains = fold_gains(view_through=0.4, ordered_at=NOW + 1.0, clicked_at=late)
    assert gains == [pytest.approx(0.4 * 0.3 * 50.0), pytest.approx(0.1 + 0.3 * 50.0)]


def test_the_click_of_a_scanner_makes_no_order_count() -> None:
    late = NOW + WINDOW_S + 10.0
    assert fold_gains(view_through=0.0, ordered_at=NOW + 1.0, clicked_at=late, machine=True) == [0.0]


@given(LISTS, SHARES)
def test_clicks_and_the_value_of_orders_do_not_depend_on_the_weights(rows: list[OutcomeRow], share: float) -> None:
    """But no order is worth more than the most that a reward can be."""
    plain, weighted = (reward_of(rows, weights, 0.0) for weights in (Reward(), Reward(view_through=share, click=0.0)))
    assert (plain.orders, plain.clicked) == (weighted.orders, weighted.clicked)
    assert plain.orders * Reward().margin <= Reward().max * (1 + 1e-12)
    assert reward_of(rows, Reward(margin=0.0), 0.0).orders >= plain.orders
    if plain.clicked:
        assert plain.gain == pytest.approx(min(20.0, 0.1 + 0.3 * plain.orders))
