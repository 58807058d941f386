"""What a shopper withholds stays withheld until a later word grants the very same thing."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.records.rows import ErasureRow, OutcomeRow, PreferencesRow, ShopperRow
from policies.rules.consent import consents
from policies.shopper.fold import fold
from policies.shopper.state import NEW_SHOPPER, ShopperState
from tests.factories import NOW, erasure_row, outcome_row, preferences_row

CHANNELS = ("push", "email")
CATEGORIES = ("cart", "browse")

moments = st.integers(0, 8).map(lambda seconds: NOW + seconds)
words = st.dictionaries(st.sampled_from(CHANNELS), st.sampled_from((True, False, None)))
mutes = st.one_of(st.just(msgspec.UNSET), st.lists(st.sampled_from(CATEGORIES), unique=True).map(tuple))
preferences = st.builds(
    preferences_row,
    at=moments,
    stated_at=st.one_of(st.none(), moments),
    consent=words,
    reachable=words,
    subscribed=st.sampled_from((msgspec.UNSET, msgspec.UNSET, True, False, None)),
    muted_categories=mutes,
)
opt_outs = st.builds(
    outcome_row,
    st.sampled_from(("opt_out", "complaint")),
    at=moments,
    occurred_at=moments,
    channel=st.sampled_from(CHANNELS),
)
erasures = st.builds(erasure_row, at=moments, stated_at=st.one_of(st.just(msgspec.UNSET), moments))
histories = st.lists(st.one_of(preferences, preferences, opt_outs, erasures), max_size=8)


def after(*rows: ShopperRow) -> ShopperState:
    state = NEW_SHOPPER
    for row in rows:
        state = fold(state, row)
    return state


class Reading:
    """One thing that can be withheld, asked of each row in plain words: its latest withdrawal and its latest grant."""

    def __init__(self, field: str, name: str = "") -> None:
        self.field, self.name = field, name

    def word(self, row: ShopperRow, is_withheld: bool) -> bool | None:
        """Return False where a row withholds, True where it grants, None where it says nothing."""
        if isinstance(row, ErasureRow):
            return False if self.field == "consent" else None
        if isinstance(row, OutcomeRow):
            return False if (self.field, self.name) == ("consent", row.channel) else None
        assert isinstance(row, PreferencesRow)
        if self.field == "subscribed":
            return None if row.subscribed is msgspec.UNSET else row.subscribed is not False
        if self.field == "muted_categories":
            if row.muted_categories is msgspec.UNSET:
                return None
            return self.name not in row.muted_categories
        named = row.consent if self.field == "consent" else row.reachable
        return named[self.name] is not False if self.name in named else None

    def is_withheld(self, state: ShopperState) -> bool:
        match self.field:
            case "subscribed":
                return state.subscribed is False
            case "muted_categories":
                return self.name in state.muted_categories
            case "consent":
                return not state.consent.get(self.name, not state.erased)
        return state.reachable.get(self.name) is False


def date_of(row: ShopperRow) -> float:
    if isinstance(row, OutcomeRow):
        return min(row.at, row.occurred_at)
    stated_at = getattr(row, "stated_at", None)
    return min(row.at, stated_at) if isinstance(stated_at, float) else row.at


READINGS = (
    Reading("subscribed"),
    *(Reading(field, channel) for field in ("consent", "reachable") for channel in CHANNELS),
    *(Reading("muted_categories", category) for category in CATEGORIES),
)


@pytest.mark.parametrize("reading", READINGS, ids=lambda reading: f"{reading.field}.{reading.name}")
@given(histories)
def test_a_withdrawal_is_never_undone_by_a_grant_that_is_not_later(
    reading: Reading, history: Sequence[ShopperRow]
) -> None:
    state, withheld_at = NEW_SHOPPER, float("-inf")
    for row in history:
        before, state = reading.is_withheld(state), fold(state, row)
        word = reading.word(row, before)
        if isinstance(row, ErasureRow) and reading.field != "consent":
            withheld_at = float("-inf")  # an erasure withholds consent, and all else is forgotten
        if word is False:
            withheld_at = max(withheld_at, date_of(row))
            assert reading.is_withheld(state)
        elif before and not reading.is_withheld(state):
            assert isinstance(row, ErasureRow) or date_of(row) > withheld_at


@given(st.permutations(range(6)))
def test_grants_and_withdrawals_of_one_date_withhold_in_any_order(order: Sequence[int]) -> None:
    together = [preferences_row(consent={"push": word}) for word in (True, True, False, None, True, None)]
    assert after(*(together[number] for number in order)).consent == {"push": False}


@given(histories)
def test_after_an_erasure_only_a_later_true_opens_a_channel_and_that_one_alone(history: Sequence[ShopperRow]) -> None:
    erased_at = max((row.at for row in history), default=NOW)
    state = after(*history, erasure_row(at=erased_at))
    opened: set[str] = set()
    for row in history:
        state = fold(state, row)
        if isinstance(row, PreferencesRow) and date_of(row) > erased_at:
            opened |= {channel for channel, word in row.consent.items() if word}
    assert {channel for channel in CHANNELS if consents(state, channel, True)} <= opened
    state = fold(state, preferences_row(at=erased_at + 1, locale="en", reachable={"push": True}, subscribed=None))
    assert {channel for channel in CHANNELS if consents(state, channel, True)} <= opened


def test_after_an_erasure_a_grant_opens_its_channel() -> None:
    state = after(erasure_row(), preferences_row(at=NOW + 1, consent={"push": True}, locale="en"))
    assert [consents(state, channel, True) for channel in CHANNELS] == [True, False]
    forgotten = fold(state, preferences_row(at=NOW + 2, consent={"push": None}))
    assert not consents(forgotten, "push", True)


def test_null_goes_back_to_what_the_catalogue_says() -> None:
    state = after(preferences_row(consent={"push": False, "email": True}, reachable={"push": False}, subscribed=False))
    state = fold(
        state,
        preferences_row(at=NOW + 1, consent={"push": None, "email": None}, reachable={"push": None}, subscribed=None),
    )
    assert (state.consent, state.reachable, state.subscribed) == ({}, {}, None)
    assert [consents(state, "email", default) for default in (True, False)] == [True, False]


def test_without_a_subscription_no_channel_consents_and_subscribing_lifts_only_that() -> None:
    state = after(preferences_row(consent={"push": True, "email": False}, subscribed=False))
    assert [consents(state, channel, True) for channel in ("push", "email", "added later")] == [False] * 3
    state = fold(state, preferences_row(at=NOW + 1, subscribed=True))
    assert [consents(state, channel, True) for channel in ("push", "email", "added later")] == [True, False, True]


def test_the_words_of_the_previous_version_are_dated_by_their_rows() -> None:
    early, late = preferences_row(consent={"push": False}), preferences_row(at=NOW + 1, consent={"push": True})
    assert after(early, late).consent == {"push": True}
    assert after(late, early).consent == {"push": False}
