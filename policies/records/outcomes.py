"""The types of outcomes, and what a type means for consent, for the send, for the reward and for the counts.

A new type is one more entry of `OUTCOME_TYPES`. Everything else reads the table: the schema of feedback, the reward,
the life of a send, the shopper's state, the report.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal


@dataclass(frozen=True)
class OutcomeMeaning:
    """What an outcome of one type means.

    Parameters
    ----------
    pays, costs
        The weight of the catalogue's ``reward`` by which the reward grows or shrinks. A type with a value pays the
        weight times the sum of the values; every other type counts once, however often it was reported.
    has_value
        The outcome is an order with a value, and several of them add up.
    is_click
        The shopper answered the send with a click: the state and the report count it as one.
    is_arrival
        The send has reached the shopper.
    withdraws_consent
        The shopper withdraws consent for the send's channel, which also costs ``consent_value`` once.
    takes_send_back
        The send reached nobody: its place is released, and nothing is learned from it.
    counts_as
        The type of shopper event that the outcome counts as, where such events end a trigger.
    """

    pays: str | None = None
    costs: str | None = None
    has_value: bool = False
    is_click: bool = False
    is_arrival: bool = False
    withdraws_consent: bool = False
    takes_send_back: bool = False
    counts_as: str | None = None


OUTCOME_TYPES: dict[str, OutcomeMeaning] = {
    "delivered": OutcomeMeaning(is_arrival=True),
    "open": OutcomeMeaning(pays="open"),
    "click": OutcomeMeaning(pays="click", is_click=True),
    "conversion": OutcomeMeaning(pays="margin", has_value=True, counts_as="purchase"),
    "ignore": OutcomeMeaning(),
    "opt_out": OutcomeMeaning(withdraws_consent=True),
    "complaint": OutcomeMeaning(costs="complaint", withdraws_consent=True),
    "bounce": OutcomeMeaning(takes_send_back=True),
}
"""Name on the wire and in the log → meaning."""

if TYPE_CHECKING:
    OutcomeType = str
else:
    OutcomeType = Literal[tuple(OUTCOME_TYPES)]
    """The names, as the schemas check them."""


def _types_where(is_so: Callable[[OutcomeMeaning], bool]) -> frozenset[str]:
    return frozenset(name for name, meaning in OUTCOME_TYPES.items() if is_so(meaning))


WITHDRAWALS = _types_where(lambda meaning: meaning.withdraws_consent)
"""Types by which a shopper withdraws consent for the channel of the send."""

TAKING_BACK = _types_where(lambda meaning: meaning.takes_send_back)
"""Types which say that the send reached nobody."""

CLICKS = _types_where(lambda meaning: meaning.is_click)
"""Types that count as a click."""

VALUED = _types_where(lambda meaning: meaning.has_value)
"""Types that are orders with a value."""

ARRIVALS = _types_where(lambda meaning: meaning.is_arrival)
"""Types which say that the send has reached the shopper."""
