from __future__ import annotations

from collections import Counter

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from policies.catalogue.document import Catalogue
from policies.catalogue.rulebook import Rulebook
from policies.records.outcomes import OUTCOME_TYPES
from policies.records.rows import ActivationRow, CancellationRow, DecisionRow, ErasureRow, OutcomeRow, ShopperRow
from policies.rules.budget import Budgets, fold_with_spending, overdraws, spending_between, utc_day
from policies.shopper.fold import apply, fold
from policies.shopper.retention import STRAY
from policies.shopper.state import NEW_SHOPPER, Send
from tests.factories import (
    DAY_S,
    NOW,
    activation_row,
    cancellation_row,
    decision_row,
    erasure_row,
    event_row,
    hold_row,
    outcome_row,
    preferences_row,
    send_row,
    small_document,
    trigger,
)


def decision(number: int, hours: int) -> DecisionRow:
    return decision_row(
        event_id=f"e-{number}",
        message="hint",
        channel="sms",
        delay_s=0,
        drawn_trigger=0,
        send_at=NOW + hours * 3_600,
        cost=0.015,
    )


def take_back(number: int, how: str) -> ShopperRow:
    if how == "activate":
        return ActivationRow(NOW + number * 8 * 3_600, f"e-{number}", "s-1", deliver=True)
    if how == "cancel":
        return CancellationRow(NOW, f"e-{number}", "s-1")
    kind = "bounce" if how == "bounce" else "opt_out"
    return OutcomeRow(at=NOW, event_id=f"e-{number}", type=kind, occurred_at=NOW, shopper_id="s-1", channel="sms")


steps = st.lists(
    st.builds(decision, st.integers(0, 5), st.integers(-30, 60))
    | st.builds(take_back, st.integers(0, 5), st.sampled_from(["cancel", "bounce", "opt_out", "activate"])),
    max_size=20,
)


@given(steps)
def test_what_was_spent_is_always_the_cost_of_the_sends_in_the_state(rows: list[ShopperRow]) -> None:
    state, spent = NEW_SHOPPER, Counter[tuple[str, int]]()
    decided: set[str | None] = set()
    for row in rows:
        if isinstance(row, DecisionRow) and row.event_id in decided:
            continue  # an event has one decision
        decided.add(getattr(row, "event_id", None) if isinstance(row, DecisionRow) else None)
        state, spending = fold_with_spending(state, row)
        spent.update(spending)
    taken = Counter({(send.channel, utc_day(send.send_at)): 0 for send in state.sends})
    for send in state.sends:
        taken[send.channel, utc_day(send.send_at)] += 15_000
    assert {day: cost for day, cost in spent.items() if cost} == {day: cost for day, cost in taken.items() if cost}


ids = st.sampled_from(("e-1", "e-2", "e-3"))
ahead = st.integers(0, 3).map(lambda hours: NOW + hours * 3_600)
carts = st.builds(trigger, occurred_at=st.just(NOW - 60), ends_on=st.sampled_from(((), ("purchase",)))).map(
    lambda one: (one,)
)
histories = st.lists(
    st.one_of(
        st.builds(
            send_row, ids, cost=st.sampled_from((0.0, 0.015)), send_at=ahead, deferred=st.booleans(), triggers=carts
        ),
        st.builds(hold_row, ids),
        st.builds(activation_row, ids, left_at=st.none() | ahead, deliver=st.booleans()),
        st.builds(cancellation_row, ids),
        st.builds(outcome_row, st.sampled_from(sorted(OUTCOME_TYPES)), ids, at=ahead),
        st.builds(event_row, st.sampled_from(("session", "purchase")), at=ahead),
        st.builds(preferences_row, at=ahead, consent=st.fixed_dictionaries({"push": st.booleans()})),
        st.builds(erasure_row, ids, at=ahead),
    ),
    max_size=12,
)


@given(histories)
def test_a_row_is_applied_once_and_says_what_two_states_say(rows: list[ShopperRow]) -> None:
    state = NEW_SHOPPER
    for row in rows:
        after, spending = fold_with_spending(state, row)
        assert after == fold(state, row)
        paid = apply(state, row)
        if isinstance(row, ErasureRow):
            paid = msgspec.structs.replace(paid, sends=tuple(send for send in state.sends if send.send_at <= row.at))
        assert spending == spending_between(state, paid)
        state = after


@given(st.lists(st.sampled_from([0.015, 0.1, 0.3333333]), max_size=50), st.sampled_from([0.0, 0.9, 1.0]))
def test_a_budget_is_spent_to_the_last_millionth_and_never_beyond(costs: list[float], budget: float) -> None:
    spent = 0
    for cost in costs:
        if not overdraws(spent, cost, budget):
            spent += round(cost * 1_000_000)
    assert spent <= round(budget * 1_000_000)


def test_sends_that_the_state_lets_go_stay_paid_for() -> None:
    old = fold(NEW_SHOPPER, decision(1, 0))
    for number in range(2, STRAY + 2):
        old = fold(old, decision(number, (68 + number) * 24))
    newest = decision(STRAY + 2, 100 * 24)
    assert [send.event_id for send in fold(old, newest).sends] == [f"e-{number}" for number in range(2, STRAY + 3)]
    assert fold_with_spending(old, newest) == (fold(old, newest), {("sms", utc_day(NOW + 100 * 86_400)): 15_000})


def test_a_day_is_tight_while_it_pays_for_some_sends_only() -> None:
    email = {"attribution_window_s": 1, "cost": 0.4, "daily_budget": 1.0}
    document = small_document(channels={"push": {"attribution_window_s": 1}, "email": email})
    document["messages"]["reminder"]["cost"] = 0.1
    rulebook = Rulebook.of(Catalogue.from_document(document), 1)
    mail = Send(event_id="e", send_at=NOW, message="hint", channel="email", category="browse", cost=0.4)
    budgets = Budgets({}, rulebook)
    assert not budgets.is_any_tight()
    assert [budgets.pay_for(mail) for _ in range(3)] == [False, True, False]  # the third one is critical
    assert not budgets.pay_for(msgspec.structs.replace(mail, send_at=NOW + DAY_S))
    assert not budgets.pay_for(msgspec.structs.replace(mail, channel="push", cost=9.0))
    spent = (500_000, 500_001, 600_000, 600_001)
    tight = [Budgets({("email", 1): amount}, rulebook).is_any_tight() for amount in spent]
    assert tight == [False, True, True, False]
