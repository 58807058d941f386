"""A renamed channel, category or message: a state reads as if the new name had always been there."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given

from policies.catalogue.former_names import FormerNames
from policies.rules.consent import consents
from policies.shopper.fold import fold
from policies.shopper.renames import rename_state
from policies.shopper.state import NEW_SHOPPER, Send, ShopperState
from tests import strategies
from tests.factories import NOW, preferences_row

OLD = {"email": "mail", "cart": "trolley", "price": "prices", "reminder": "nudge", "hint": "tip"}
NAMES = FormerNames({"mail": "email"}, {"trolley": "cart", "prices": "price"}, {"nudge": "reminder", "tip": "hint"})


def under_old_names(state: ShopperState) -> ShopperState:
    """Return a state as it was before names were changed."""

    def old(name: str) -> str:
        return OLD.get(name, name)

    return msgspec.structs.replace(
        state,
        consent={old(channel): word for channel, word in state.consent.items()},
        reachable={old(channel): word for channel, word in state.reachable.items()},
        muted_categories=tuple(map(old, state.muted_categories)),
        sends=tuple(
            msgspec.structs.replace(
                send, message=old(send.message), channel=old(send.channel), category=old(send.category)
            )
            for send in state.sends
        ),
    )


@given(strategies.states(NOW))
def test_a_state_under_old_names_is_the_state_under_todays_names(state: ShopperState) -> None:
    assert rename_state(under_old_names(state), NAMES) == state
    assert rename_state(state, NAMES) == state
    assert rename_state(state, FormerNames({}, {}, {})) is state


def test_where_two_names_become_one_what_withholds_wins_and_the_later_date_counts() -> None:
    names = FormerNames({"mail": "email", "post": "email"}, {"trolley": "cart"}, {})
    rows = (
        preferences_row(consent={"mail": False, "post": True}, reachable={"post": False}),
        preferences_row(at=NOW + 1, consent={"mail": False}, muted_categories=("trolley", "cart")),
    )
    state = NEW_SHOPPER
    for row in rows:
        state = fold(state, row)
    renamed = rename_state(state, names)
    assert renamed.consent == {"email": False}
    assert renamed.reachable == {"email": False}
    assert renamed.muted_categories == ("cart",)
    assert renamed.withheld == {
        "consent.email": NOW + 1,
        "reachable.email": NOW,
        "muted_categories.cart": NOW + 1,
    }
    assert not consents(renamed, "email", True)


def test_places_of_two_names_add_up() -> None:
    names = FormerNames({"mail": "email"}, {}, {})
    sends = [Send(event_id=name, send_at=NOW, message="m", channel=name, category="c") for name in ("email", "mail")]
    state = NEW_SHOPPER.with_send(sends[0]).with_send(sends[1])
    assert [send.channel for send in rename_state(state, names).sends] == ["email", "email"]


def test_a_word_under_all_names_undoes_what_was_withheld_under_an_old_one() -> None:
    names = FormerNames({"mail": "email"}, {}, {})
    state = fold(NEW_SHOPPER, preferences_row(consent={"mail": False}))
    state = fold(state, preferences_row(at=NOW + 1, consent={"email": True, "mail": True}))
    assert rename_state(state, names).consent == {"email": True}


@pytest.mark.parametrize(
    ("consent", "after"),
    [
        ({"sms": True}, {}),
        ({"sms": True, "wa": True}, {"mobile": True}),
        ({"mobile": True}, {"mobile": True}),
        ({"mobile": True, "sms": False}, {"mobile": False}),
        ({"sms": False}, {"mobile": False}),
        ({"push": True}, {"push": True}),
    ],
)
def test_after_an_erasure_a_merged_channel_is_open_only_if_all_of_it_was_granted(
    consent: dict[str, bool], after: dict[str, bool]
) -> None:
    names = FormerNames({"sms": "mobile", "wa": "mobile"}, {}, {})
    renamed = rename_state(ShopperState(consent=consent, erased=True), names)
    assert renamed.consent == after
    assert consents(renamed, "mobile", True) is after.get("mobile", False)
