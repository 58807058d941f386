"""Exposures: a HOLD stands for the sends that could have been drawn in its place, by the odds of the draw."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from policies.catalogue.document import Catalogue
from policies.catalogue.rulebook import Rulebook
from policies.decide import Case, decide_many
from policies.decision_row import decision_row
from policies.learning.incrementality.exposures import Cell, exposure_of
from policies.models.policy import Policy
from policies.models.rule import rule_policy
from policies.models.uniform import uniform_policy
from policies.records.rows import DecisionRow, TriggerRecord, unpack
from policies.shopper.state import NEW_SHOPPER, ShopperState
from tests.factories import request, small_document, trigger

BOOK = Rulebook.of(Catalogue.from_document(small_document()), 1)
HOLDING = replace(rule_policy(epsilon=0.3), hold_share=0.1)
PRODUCT = {"product": "Runner 3", "price": 59.9}
BOTH = tuple(trigger(kind, priority=5, attributes=PRODUCT) for kind in ("wishlist", "cart_abandoned"))


def decide_rows(
    book: Rulebook,
    policy: Policy,
    count: int,
    triggers: Sequence[TriggerRecord] = BOTH,
    state: ShopperState = NEW_SHOPPER,
) -> Iterator[DecisionRow]:
    cases = [Case(request(*triggers, event_id=f"e-{number}"), state) for number in range(count)]
    return map(decision_row, decide_many(cases, book, policy, b"seed"))


def row_of(book: Rulebook, policy: Policy, *, is_send: bool) -> DecisionRow:
    return next(row for row in decide_rows(book, policy, 1_000) if (row.message is not None) == is_send)


@given(st.floats(0.0, 0.1), st.floats(0.01, 1.0))
def test_the_weights_of_a_hold_are_the_odds_of_the_sends(share: float, epsilon: float) -> None:
    """p(HOLD) times the weight of a window is the probability of the sends with this window: so nothing is biased."""
    policy, book = replace(rule_policy(epsilon), hold_share=share), BOOK
    (served,) = decide_many([Case(request(*BOTH), NEW_SHOPPER)], book, policy, b"seed")
    row = structs.replace(decision_row(served), drawn=book.space.hold)
    exposure = exposure_of(row, book)
    p = served.probabilities
    assert exposure is not None
    expected, weighed = defaultdict[tuple[str, float], float](float), defaultdict[tuple[str, float], float](float)
    for number, probability in zip(served.eligibility.sends.tolist(), p, strict=False):
        action = book.space[number]
        expected[action.channel, row.at + action.delay_s] += float(probability)
    for window in exposure.windows():
        weighed[window.cell.channel, window.begins_at] += p[-1] * window.weight
        assert window.ends_at - window.begins_at == book.catalogue.channels[window.cell.channel].attribution_window_s
    assert weighed.keys() == expected.keys()
    assert all(math.isclose(weighed[key], expected[key], rel_tol=1e-9) for key in expected)


@pytest.mark.parametrize("policy", [HOLDING, uniform_policy()], ids=["rule", "uniform"])
def test_the_holds_of_a_log_stand_for_as_many_sends_as_were_drawn(policy: Policy, example_rulebook: Rulebook) -> None:
    """By trigger and channel; |z| < 4.5 for each."""
    sums, squares = defaultdict[Cell, float](float), defaultdict[Cell, float](float)
    for row in decide_rows(example_rulebook, policy, 2_000):
        exposure = exposure_of(row, example_rulebook)
        assert exposure is not None
        of_row = defaultdict[Cell, float](float)
        for window in exposure.windows():
            of_row[window.cell] += window.weight if not exposure.is_send else -1.0
        for cell, difference in of_row.items():
            sums[cell] += difference
            squares[cell] += difference * difference
    assert {cell.trigger for cell in sums} == {"wishlist", "cart_abandoned"}
    for cell, difference in sums.items():
        assert abs(difference) < 4.5 * math.sqrt(squares[cell]), cell


def test_a_send_has_its_own_window_and_trigger(example_rulebook: Rulebook) -> None:
    for row in decide_rows(example_rulebook, uniform_policy(), 300):
        if row.message is None or row.drawn_trigger is None:
            continue
        exposure = exposure_of(row, example_rulebook)
        assert exposure is not None
        (window,) = exposure.windows()
        assert exposure.is_send
        assert (window.begins_at, window.ends_at, window.weight) == (row.send_at, row.window_ends_at, 1.0)
        assert window.cell == Cell(row.triggers[row.drawn_trigger].type, row.channel or "")


def test_a_send_that_did_not_leave_counts_as_drawn(small_rulebook: Rulebook) -> None:
    row = row_of(small_rulebook, HOLDING, is_send=True)
    lost = structs.replace(row, send_at=None, window_ends_at=None, hold_reason="lost_race")
    assert exposure_of(lost, small_rulebook) == exposure_of(row, small_rulebook)


def test_where_there_was_no_choice_there_is_no_exposure(small_rulebook: Rulebook) -> None:
    nowhere = ShopperState(consent={"email": False, "push": False})
    (critical,) = decide_rows(small_rulebook, HOLDING, 1, [trigger(critical=True)])
    (no_send,) = decide_rows(small_rulebook, HOLDING, 1, state=nowhere)
    (no_hold,) = decide_rows(small_rulebook, rule_policy(epsilon=0.0), 1)
    degraded = structs.replace(critical, verdicts="", probabilities="", drawn=None)
    assert not unpack(no_hold.probabilities, np.float64)[-1]
    assert [exposure_of(row, small_rulebook) for row in (critical, no_send, no_hold, degraded)] == [None] * 4
