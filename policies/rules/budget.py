"""Spending: the cost of all shoppers' sends by channel and UTC day, which the budget rule compares with the budget."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from math import inf

import msgspec

from policies.catalogue.rulebook import Rulebook, millionths
from policies.records.rows import ErasureRow, ShopperRow
from policies.shopper.fold import apply, forget_old_sends
from policies.shopper.renames import rename_spending
from policies.shopper.state import HORIZON_S, Send, ShopperState

BudgetDay = tuple[str, int]
"""A channel and a UTC day."""

Spent = Mapping[BudgetDay, int]
"""The cost of sends so far by channel and UTC day, in millionths, so that sums are exact."""

NOTHING_SPENT: Spent = {}
_DAY_S = 86_400


def utc_day(at: float) -> int:
    """Return the UTC day of a time, as days since 1970-01-01.

    >>> utc_day(86_400.0)
    1
    """
    return int(at // _DAY_S)


def overdraws(spent: int, cost: float, budget: float) -> bool:
    """Return whether one more send would cost more than is left of the budget.

    ``spent`` is in millionths, ``cost`` and ``budget`` in units of money.

    >>> overdraws(985_000, 0.015, 1.0), overdraws(985_001, 0.015, 1.0)
    (False, True)
    """
    return spent + millionths(cost) > millionths(budget)


class Budgets:
    """What is spent by channel and day, while sends are paid for one after the other.

    A day is *tight* for a channel while its budget pays for the cheapest send, and might not pay for the dearest.
    Before that, the budget rule denies nothing of the channel on the day; after that, it denies every send that it
    binds. So a decision depends on the amount that is spent only while the day is tight.
    """

    def __init__(self, spent: Spent, rulebook: Rulebook) -> None:
        self._spent: Counter[BudgetDay] = Counter(rename_spending(spent, rulebook.former_names))
        self._rulebook = rulebook

    def is_any_tight(self) -> bool:
        """Return whether a day is tight for a channel."""
        return any(not self._pays_for_any(day) and self._pays_for_some(day) for day in self._spent)

    def pay_for(self, send: Send) -> bool:
        """Add the cost of a send; return whether later decisions must know it."""
        day = send.channel, utc_day(send.paid_at)
        paid_for_some = self._pays_for_some(day)
        self._spent[day] += millionths(send.cost)
        return paid_for_some and not self._pays_for_any(day)

    def _pays_for_any(self, day: BudgetDay) -> bool:
        return self._spent[day] <= self._rulebook.pays_for_any.get(day[0], inf)

    def _pays_for_some(self, day: BudgetDay) -> bool:
        return self._spent[day] <= self._rulebook.pays_for_some.get(day[0], inf)


def spending_between(before: ShopperState, after: ShopperState) -> dict[BudgetDay, int]:
    """Return the change in spending between two states: new sends cost, sends that were taken back are refunded.

    A send that the gate lets leave on another day still counts on the day for which it was decided. (By rows of earlier
    versions, the send counts on the day on which it left.)

    >>> from policies.shopper.state import NEW_SHOPPER, Send
    >>> hint = Send(
    ...     event_id="e", send_at=86_400.0, message="hint", channel="sms", category="browse", cost=0.015
    ... )
    >>> state = NEW_SHOPPER.with_send(hint)
    >>> spending_between(NEW_SHOPPER, state), spending_between(state, NEW_SHOPPER)
    ({('sms', 1): 15000}, {('sms', 1): -15000})
    """
    change: dict[BudgetDay, int] = {}
    for sign, sends in ((1, _other_sends(after, before)), (-1, _other_sends(before, after))):
        for send in sends:
            day = send.channel, utc_day(send.paid_at)
            change[day] = change.get(day, 0) + sign * millionths(send.cost)
    return {day: cost for day, cost in change.items() if cost}


def _other_sends(state: ShopperState, other: ShopperState) -> list[Send]:
    """Return the sends that another state does not share."""
    shared = set(map(id, other.sends))
    return [send for send in state.sends if id(send) not in shared]


def fold_with_spending(
    before: ShopperState, row: ShopperRow, horizon_s: float = HORIZON_S
) -> tuple[ShopperState, Mapping[BudgetDay, int]]:
    """Return the state after one more row, as `fold` does, and the change in spending that the row makes.

    A send that the state forgets because it is old stays paid for, and so does a send that left before an erasure.
    """
    after = apply(before, row)
    if after.sends is before.sends:  # as after most rows
        return after, NOTHING_SPENT
    paid = after
    if isinstance(row, ErasureRow):
        left = tuple(send for send in before.sends if send.send_at <= row.at)
        paid = msgspec.structs.replace(before, sends=left)
    return forget_old_sends(after, row.at, horizon_s), spending_between(before, paid)
