"""Budgets: what a channel's sends of a UTC day may cost together; the one rule over all shoppers."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from policies.catalogue.rulebook import millionths
from policies.records.rows import ErasureRow, EventRow, ShopperRow
from policies.shopper.fold import apply
from policies.shopper.state import ShopperState

BudgetDay = tuple[str, int]
"""A channel and a UTC day."""

Spent = Mapping[BudgetDay, int]
"""What sends cost so far, by channel and UTC day, in millionths: sums of them are exact."""

NOTHING_SPENT: Spent = {}
_DAY_S = 86_400


def utc_day(at: float) -> int:
    """Number the UTC day of a time: days since 1970-01-01.

    >>> utc_day(86_400.0)
    1
    """
    return int(at // _DAY_S)


def overdraws(spent: int, cost: float, budget: float) -> bool:
    """Tell whether one more send would cost more than is left.

    >>> overdraws(985_000, 0.015, 1.0), overdraws(985_001, 0.015, 1.0)
    (False, True)
    """
    return spent + millionths(cost) > millionths(budget)


def spending(before: ShopperState, after: ShopperState) -> dict[BudgetDay, int]:
    """Give what a row changed of the spending: places taken cost, places given back are refunded.

    What leaves on another day than it was decided for is paid for on that day.

    >>> from policies.shopper.state import NEW_SHOPPER, Send
    >>> state = NEW_SHOPPER.with_send(Send("e", 86_400.0, "hint", "sms", "browse", cost=0.015))
    >>> spending(NEW_SHOPPER, state), spending(state, NEW_SHOPPER)
    ({('sms', 1): 15000}, {('sms', 1): -15000})
    """
    spent: dict[BudgetDay, int] = {}
    old, new = _costs(before).items(), _costs(after).items()
    for sign, costs in ((1, new - old), (-1, old - new)):
        for _, (day, cost) in costs:
            spent[day] = spent.get(day, 0) + sign * cost
    return spent


def _costs(state: ShopperState) -> dict[str, tuple[BudgetDay, int]]:
    """Give the day on which each send leaves, and what it costs."""
    return {
        send.event_id: ((send.channel, utc_day(send.send_at)), millionths(send.cost))
        for send in state.sends
        if send.cost
    }


def spent_by(row: ShopperRow, before: ShopperState) -> dict[BudgetDay, int]:
    """Give what a row changes of the spending, by what it says: a send that the state lets go stays paid for.

    So does what left before an erasure.
    """
    if isinstance(row, EventRow):
        return {}  # these are many, and take no place
    if isinstance(row, ErasureRow):
        left = tuple(send for send in before.sends if send.send_at <= row.at)
        return spending(before, msgspec.structs.replace(before, sends=left))
    return spending(before, apply(before, row))
