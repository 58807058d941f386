"""Foresight: what the sends that answer an arrival would bring, by the truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from policies.catalogue.rulebook import Rulebook
from simulators.arrays import FloatArray
from simulators.shops.base import Arrival, shopper_number
from simulators.truth.prospects import Prospects
from simulators.truth.truth import Truth


class Foresight:
    """Knows the prospects of all joint actions for the arrivals of a shop.

    Parameters
    ----------
    number_of
        Returns the number of the shopper with an id.
    """

    def __init__(self, truth: Truth, rulebook: Rulebook, number_of: Callable[[str], int] = shopper_number) -> None:
        self._truth = truth
        self._number_of = number_of
        self._answered = [frozenset(message.triggers) for message in rulebook.catalogue.messages.values()]
        self._warmth: dict[tuple[str, ...], FloatArray] = {}

    def prospects(self, arrivals: Sequence[Arrival]) -> Prospects:
        """Return the prospects of arrivals now, with one row for each; 0 for messages that answer no trigger."""
        shoppers = np.array([self._number_of(arrival.shopper_id) for arrival in arrivals], dtype=np.int64)
        warmth = [self._warmth_of(tuple(trigger.type for trigger in arrival.triggers)) for arrival in arrivals]
        return self._truth.prospects(shoppers, np.array(warmth).reshape(len(arrivals), len(self._answered)))

    def _warmth_of(self, kinds: tuple[str, ...]) -> FloatArray:
        """Return how welcome triggers make each message, (messages,); NaN for a message that answers none of them."""
        if kinds not in self._warmth:
            warmth = self._truth.triggers.warmth
            self._warmth[kinds] = np.array(
                [max(map(warmth, answered.intersection(kinds)), default=np.nan) for answered in self._answered]
            )
        return self._warmth[kinds]
