"""The states that a store remembers are those at the position of the log that they are asked for."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from decision_service.state import recent_states
from decision_service.state.recent_states import RecentStates
from decision_service.state.shopper_keys import ShopperKey
from policies.shopper.state import ShopperState

SHOPPERS = [ShopperKey(f"s-{number}") for number in range(3)]

rows = st.lists(st.sampled_from(SHOPPERS), min_size=1, max_size=3)
calls = st.lists(
    st.one_of(
        st.tuples(st.just("apply"), rows),
        st.tuples(st.just("other applies"), rows),
        st.tuples(st.just("late read"), st.integers(0, 3)),
        st.tuples(st.just("fault"), st.none()),
    ),
    max_size=20,
)


@given(calls)
def test_a_remembered_state_is_the_one_that_the_store_has_at_the_position(sequence: list[tuple[str, Any]]) -> None:
    recent, mine = RecentStates(), 0
    stored = [dict.fromkeys(SHOPPERS, ShopperState())]
    """The states at each position: each row counts its shopper's rows."""

    def add(shoppers: list[ShopperKey]) -> dict[ShopperKey, ShopperState]:
        states = dict(stored[-1])
        changed = {key: ShopperState(max_per_week=(states[key].max_per_week or 0) + 1) for key in shoppers}
        stored.append(states | changed)
        return changed

    for call, argument in sequence:
        match call, argument:
            case "apply", shoppers:
                known = recent.find(mine, SHOPPERS)
                if mine != len(stored) - 1:
                    recent.forget()
                else:
                    assert known.items() <= stored[-1].items()
                    recent.advance(mine, mine + 1, add(shoppers))
                mine = len(stored) - 1
            case "other applies", shoppers:
                add(shoppers)
            case "late read", ago:
                position = max(len(stored) - 1 - ago, 0)
                recent.remember(position, stored[position])
            case _:
                recent.forget()


def test_a_bounded_number_of_states_is_remembered() -> None:
    recent, most = RecentStates(), recent_states._MOST_STATES
    everyone = [ShopperKey(f"s-{number}") for number in range(2 * most)]
    assert recent.find(0, everyone) == {}
    for shopper in everyone:
        recent.remember(0, {shopper: ShopperState()})
    assert 0 < len(recent.find(0, everyone)) <= most
