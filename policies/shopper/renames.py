"""A shopper's state under the names of today: choices, sends and spending go along when a shop renames something.

Rows and states keep the names under which things happened, so the fold of the log needs no catalogue. Whoever reads a
state to decide with it, or to show it, maps the former names first. Where two names become one, what withholds wins,
the later date counts, and places and spending add up. Features start cold: summaries keep their names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import msgspec

from policies.catalogue.former_names import FormerNames
from policies.shopper.state import Send, ShopperState


def rename_state(state: ShopperState, names: FormerNames) -> ShopperState:
    """Return a state under today's names.

    >>> names = FormerNames({"mail": "email"}, {}, {})
    >>> rename_state(ShopperState(consent={"email": True, "mail": False}), names).consent
    {'email': False}
    """
    if not names.are_any():
        return state
    return msgspec.structs.replace(
        state,
        consent=_rename_words(state.consent, names.channels),
        reachable=_rename_words(state.reachable, names.channels),
        muted_categories=tuple(dict.fromkeys(map(names.category, state.muted_categories))),
        withheld=_rename_dates(state.withheld, names),
        sends=tuple(rename_send(send, names) for send in state.sends),
    )


def rename_send(send: Send, names: FormerNames) -> Send:
    """Return a send under today's names."""
    message, channel, category = names.message(send.message), names.channel(send.channel), names.category(send.category)
    if (message, channel, category) == (send.message, send.channel, send.category):
        return send
    return msgspec.structs.replace(send, message=message, channel=channel, category=category)


def rename_spending(spent: Mapping[tuple[str, int], int], names: FormerNames) -> Mapping[tuple[str, int], int]:
    """Return what was spent by channel and day, under today's names.

    >>> rename_spending({("mail", 1): 5, ("email", 1): 2}, FormerNames({"mail": "email"}, {}, {}))
    {('email', 1): 7}
    """
    if not names.channels:
        return spent
    sums: Counter[tuple[str, int]] = Counter()
    for (channel, day), cost in spent.items():
        sums[names.channel(channel), day] += cost
    return dict(sums)


def _rename_words(words: Mapping[str, bool], new_by_old: Mapping[str, str]) -> dict[str, bool]:
    renamed: dict[str, bool] = {}
    for name, word in words.items():
        new = new_by_old.get(name, name)
        renamed[new] = word and renamed.get(new, True)
    return renamed


def _rename_dates(dates: Mapping[str, float], names: FormerNames) -> dict[str, float]:
    renamed: dict[str, float] = {}
    for path, date in dates.items():
        field, dot, name = path.partition(".")
        new = names.category(name) if field == "muted_categories" else names.channel(name)
        path = f"{field}{dot}{new}"
        renamed[path] = max(date, renamed.get(path, date))
    return renamed
