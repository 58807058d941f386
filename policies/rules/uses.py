"""Uses of names: which channels, categories and messages the preferences and the sends of shoppers name.

The answer to a new catalogue warns of the names that the catalogue drops although they are in use. The counts are sums
over all shoppers, kept beside what sends cost (`policies.rules.budget`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from policies.rules.budget import utc_day
from policies.shopper.state import Send, ShopperState

Use = tuple[str, int]
"""The path of a name in the catalogue, such as ``channels.push``, and the day until which it is in use."""

Uses = Mapping[Use, int]

IN_PREFERENCES = -1
"""Stands for the day where preferences use a name: they do so until they change."""


def change_in_uses(before: ShopperState, after: ShopperState) -> dict[Use, int]:
    """Return the change in uses from one state to the next one.

    >>> change_in_uses(ShopperState(), ShopperState(consent={"push": False}))
    {('channels.push', -1): 1}
    """
    change: dict[Use, int] = {}
    for sign, one, other in ((1, after, before), (-1, before, after)):
        for use in (*_uses_of_other_sends(one, other), *_uses_of_other_preferences(one, other)):
            change[use] = change.get(use, 0) + sign
    return {use: count for use, count in change.items() if count}


def _uses_of_other_sends(state: ShopperState, other: ShopperState) -> Iterator[Use]:
    """Yield the uses of the sends whose decisions have no send in another state."""
    if state.sends is other.sends:
        return
    known = {send.event_id for send in other.sends}
    for send in state.sends:
        if send.event_id not in known:
            yield from _uses_of_send(send)


def _uses_of_other_preferences(state: ShopperState, other: ShopperState) -> set[Use]:
    """Return the uses of preferences that another state lacks."""
    if _preferences(state) == _preferences(other):
        return set()  # few rows are about preferences
    return _uses_of_preferences(state) - _uses_of_preferences(other)


def _preferences(state: ShopperState) -> tuple[Mapping[str, bool], Mapping[str, bool], tuple[str, ...]]:
    return state.consent, state.reachable, state.muted_categories


def _uses_of_send(send: Send) -> Iterator[Use]:
    """Yield the uses of a send, until the day on which its attribution window ends."""
    day = utc_day(send.send_at if send.window_ends_at is None else send.window_ends_at)
    yield f"channels.{send.channel}", day
    yield f"categories.{send.category}", day
    yield f"messages.{send.message}", day


def _uses_of_preferences(state: ShopperState) -> set[Use]:
    channels = (f"channels.{channel}" for channel in (*state.consent, *state.reachable))
    categories = (f"categories.{category}" for category in state.muted_categories)
    return {(path, IN_PREFERENCES) for path in (*channels, *categories)}


def count_uses(uses: Uses, path: str, day: int) -> tuple[int, int]:
    """Return how many shoppers' preferences use a name, and how many sends do whose windows end on a day or later.

    >>> count_uses({("channels.push", -1): 2, ("channels.push", 7): 3, ("channels.push", 8): 4}, "channels.push", 8)
    (2, 4)
    """
    sends = sum(count for (used, until), count in uses.items() if used == path and until >= max(day, 0))
    return uses.get((path, IN_PREFERENCES), 0), sends
