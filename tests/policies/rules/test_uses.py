"""Uses of names: the changes that rows make add up to what the states say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from policies.records.rows import DecisionRow, ShopperRow
from policies.rules.budget import utc_day
from policies.rules.uses import IN_PREFERENCES, Use, change_in_uses, count_uses
from policies.shopper.fold import fold
from policies.shopper.state import NEW_SHOPPER, ShopperState
from tests.factories import NOW, activation_row, cancellation_row, erasure_row, event_row, preferences_row, send_row

events = st.sampled_from(("a", "b", "c"))
rows = st.lists(
    st.one_of(
        st.builds(send_row, events, channel=st.sampled_from(("push", "email")), deferred=st.booleans()),
        st.builds(cancellation_row, events),
        st.builds(activation_row, events),
        st.builds(event_row),
        st.builds(
            preferences_row,
            at=st.integers(0, 3).map(lambda seconds: NOW + seconds),
            consent=st.dictionaries(st.sampled_from(("push", "sms")), st.sampled_from((True, False, None))),
            muted_categories=st.lists(st.sampled_from(("browse", "cart")), unique=True).map(tuple),
        ),
        st.just(erasure_row()),
    ),
    max_size=12,
)


def uses_of(state: ShopperState) -> Counter[Use]:
    """Count the uses in one state, name by name."""
    uses: Counter[Use] = Counter()
    for channel in {*state.consent, *state.reachable}:
        uses[f"channels.{channel}", IN_PREFERENCES] += 1
    for category in state.muted_categories:
        uses[f"categories.{category}", IN_PREFERENCES] += 1
    for send in state.sends:
        day = utc_day(send.window_ends_at or send.send_at)
        for path in (f"channels.{send.channel}", f"categories.{send.category}", f"messages.{send.message}"):
            uses[path, day] += 1
    return uses


@given(rows)
def test_the_changes_of_all_rows_add_up_to_the_uses_in_the_state(history: Sequence[ShopperRow]) -> None:
    state, uses = NEW_SHOPPER, Counter[Use]()
    decided: set[str] = set()
    for row in history:
        if isinstance(row, DecisionRow):
            if row.event_id in decided:
                continue  # the log has one decision of an id
            decided.add(row.event_id)
        before, state = state, fold(state, row)
        uses.update(change_in_uses(before, state))
    assert {use: count for use, count in uses.items() if count} == uses_of(state)


def test_a_send_uses_its_names_until_its_window_has_ended() -> None:
    state = fold(NEW_SHOPPER, send_row())
    uses = change_in_uses(NEW_SHOPPER, state)
    day = utc_day(state.sends[0].window_ends_at or 0.0)
    assert [count_uses(uses, "messages.hint", day + later) for later in (0, 1)] == [(0, 1), (0, 0)]
