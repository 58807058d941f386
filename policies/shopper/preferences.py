"""Preferences in a shopper's state: what the shopper withholds and grants, and the dates of these words.

What withholds (see `policies.records.withholding`) takes effect when it arrives, whatever its date. What grants (true,
null, a category that is muted no longer) acts only where its date is later than the dates of all words that withhold
the same path: a late or repeated grant never undoes a later withdrawal. With equal dates the withdrawal wins.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

import msgspec
from msgspec import UNSET

from policies.records.rows import ErasureRow, PreferencesRow
from policies.records.withholding import EVERY_CHANNEL, SUBSCRIBED, date_of_words, withheld_paths
from policies.shopper.state import NEW_SHOPPER, ShopperState

_REPLACED = ("time_zone", "locale", "max_per_week", "quiet_hours")
"""Preferences that neither withhold nor grant: the latest row has the say."""


def withhold(state: ShopperState, path: str, date: float | None = None) -> ShopperState:
    """Return the state after a word that withholds a path; without a date, as a word that the log lacks so far.

    >>> state = withhold(ShopperState(), "consent.push", 5.0)
    >>> state.consent, state.withheld
    ({'push': False}, {'consent.push': 5.0})
    """
    changes: dict[str, object]
    field, _, name = path.partition(".")
    if path == EVERY_CHANNEL:
        changes = {"erased": True, "consent": {}}
    elif path == SUBSCRIBED:
        changes = {"subscribed": False}
    elif field == "muted_categories":
        others = tuple(category for category in state.muted_categories if category != name)
        changes = {field: (*others, name)}
    else:
        changes = {field: {**getattr(state, field), name: False}}
    if date is not None:
        changes["withheld"] = {**state.withheld, path: max(date, state.withheld.get(path, date))}
    return msgspec.structs.replace(state, **changes)


def erase(state: ShopperState, row: ErasureRow) -> ShopperState:
    """Return the state after an erasure: it withholds consent on every channel, and nothing else is left.

    Its date is not earlier than any word that withheld consent before: a grant must be later than all of them.
    """
    dates = (date for path, date in state.withheld.items() if path == SUBSCRIBED or path.startswith(EVERY_CHANNEL))
    return withhold(NEW_SHOPPER, EVERY_CHANNEL, max([date_of_words(row), *dates]))


def apply_preferences(state: ShopperState, row: PreferencesRow) -> ShopperState:
    """Return the state after a row of preferences."""
    date = date_of_words(row)
    state = _unmute(state, row, date)
    for path in withheld_paths(row):
        state = withhold(state, path, date)
    subscribed = state.subscribed
    if row.subscribed in (True, None) and _may_grant(state, SUBSCRIBED, date):
        subscribed = row.subscribed
    return msgspec.structs.replace(
        state,
        consent=_grant(state, "consent", state.consent, row.consent, date),
        reachable=_grant(state, "reachable", state.reachable, row.reachable, date),
        subscribed=subscribed,
        **{name: value for name in _REPLACED if (value := getattr(row, name)) is not UNSET},
    )


def _may_grant(state: ShopperState, path: str, date: float) -> bool:
    """Return whether a grant of this date is later than all words that withhold the path."""
    field, _, _ = path.partition(".")
    withheld = state.withheld
    return date > withheld.get(path, -inf) and date > withheld.get(field, -inf)


def _grant(
    state: ShopperState, field: str, words: dict[str, bool], changes: Mapping[str, bool | None], date: float
) -> dict[str, bool]:
    """Return the words of a field after the grants among some changes; null takes a word back."""
    if not changes:
        return words
    granted = {
        name: value
        for name, value in changes.items()
        if value is not False and _may_grant(state, f"{field}.{name}", date)
    }
    after = {**words, **granted}
    return {name: value for name, value in after.items() if value is not None}


def _unmute(state: ShopperState, row: PreferencesRow, date: float) -> ShopperState:
    """Return the state without the muted categories that a row does not name any more, where it may grant them."""
    if row.muted_categories is UNSET:
        return state
    kept = tuple(
        category
        for category in state.muted_categories
        if category not in row.muted_categories and not _may_grant(state, f"muted_categories.{category}", date)
    )
    return msgspec.structs.replace(state, muted_categories=kept)
