"""The mental state of shoppers: load, staleness, attention, intent and need, and how they change over time.

Load, staleness and inattention fade exponentially. They are stored *inflated*: the stored value y is the value x
divided by its fading since the start of the simulated period, so that x(hour) = y * exp(-decay * hour). A send only
adds to y, and an hour in which nothing happens to a shopper costs no work for this shopper.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulators import parameters
from simulators.arrays import FloatArray, Indices

_LOAD_DECAY = math.log(2.0) / parameters.LOAD_HALF_LIFE_H
_STALE_DECAY = math.log(2.0) / parameters.STALENESS_HALF_LIFE_H
_INTENT_DECAY = math.log(2.0) / parameters.INTENT_HALF_LIFE_H
_NEED_DECAY = math.log(2.0) / parameters.NEED_HALF_LIFE_H
_LONG_AGO = -1.0e6


@dataclass(frozen=True)
class ReaderState:
    """The mental state with which shoppers read one message; all arrays broadcast.

    Attributes
    ----------
    intent
        Intent to buy at the decision, faded until the message is seen, in [0, 1].
    overload
        Weighted sends per week above the tolerated number, as a multiple of the tolerance.
    staleness
        How often the shopper saw this message lately.
    attention
        In [.3, 1].
    need
        Need that is left after the last order, in [0, 1].
    """

    intent: FloatArray
    overload: FloatArray
    staleness: FloatArray
    attention: FloatArray
    need: FloatArray


class MentalState:
    """The mental state of N shoppers, with their staleness for M messages.

    Parameters
    ----------
    tolerance
        Tolerated weighted sends per week, (N,).
    """

    def __init__(self, tolerance: NDArray[np.float32], messages: int) -> None:
        shoppers = len(tolerance)
        self._tolerance = tolerance
        self._load = np.zeros(shoppers)
        self._inattention = np.zeros(shoppers)
        self._staleness = np.zeros((shoppers, messages), dtype=np.float32)
        self._intent = np.zeros(shoppers, dtype=np.float32)
        self._intent_at = np.zeros(shoppers, dtype=np.float32)
        self._last_order = np.full(shoppers, _LONG_AGO, dtype=np.float32)

    def intent(self, hour: int, shoppers: Indices) -> FloatArray:
        """Return the intent to buy, in [0, 1]."""
        fading = np.exp(-_INTENT_DECAY * (hour - self._intent_at[shoppers].astype(np.float64)))
        return np.asarray(self._intent[shoppers] * fading)

    def need(self, hour: int | FloatArray, shoppers: Indices) -> FloatArray:
        """Return the need that is left after the last order, in [0, 1]."""
        return np.asarray(1.0 - np.exp(-_NEED_DECAY * (hour - self._last_order[shoppers].astype(np.float64))))

    def overload(self, hour: int | FloatArray, shoppers: Indices) -> FloatArray:
        """Return the weighted sends per week above the tolerated number, as a multiple of the tolerance."""
        weekly = self._load[shoppers] * np.exp(-_LOAD_DECAY * hour) / parameters.LOAD_PER_WEEKLY_SEND
        return np.asarray(np.maximum(0.0, weekly / self._tolerance[shoppers] - parameters.TOLERATED))

    def attention(self, hour: int | FloatArray, shoppers: Indices) -> FloatArray:
        """Return the attention, in [.3, 1]."""
        return np.asarray(1.0 - self._inattention[shoppers] * np.exp(-parameters.ATTENTION_RECOVERY_PER_H * hour))

    def staleness(self, hour: int | FloatArray, shoppers: Indices, messages: Indices | slice) -> FloatArray:
        """Return how often shoppers saw messages lately."""
        return np.asarray(self._staleness[shoppers, messages].astype(np.float64) * np.exp(-_STALE_DECAY * hour))

    def reader_state(self, hour: int, shoppers: Indices, messages: Indices, intent: FloatArray) -> ReaderState:
        """Return the state with which shoppers read messages; ``intent`` is the intent that the messages carry."""
        return ReaderState(
            intent,
            self.overload(hour, shoppers),
            self.staleness(hour, shoppers, messages),
            self.attention(hour, shoppers),
            self.need(hour, shoppers),
        )

    def raise_intent(self, hour: int, shoppers: Indices, least: FloatArray | float) -> None:
        """Raise the intent to at least ``least``."""
        self._intent[shoppers] = np.maximum(self.intent(hour, shoppers), least)
        self._intent_at[shoppers] = hour

    def record_orders(self, hour: int, shoppers: Indices) -> None:
        """Lower the intent and the need of shoppers who ordered."""
        self._intent[shoppers] = self.intent(hour, shoppers) * parameters.AFTER_ORDER
        self._intent_at[shoppers] = hour
        self._last_order[shoppers] = hour

    def record_views(
        self, hour: int, shoppers: Indices, messages: Indices, loads: FloatArray, staleness: FloatArray
    ) -> None:
        """Add the load and the staleness of messages that shoppers saw."""
        np.add.at(self._load, shoppers, loads * math.exp(_LOAD_DECAY * hour))
        np.add.at(self._staleness, (shoppers, messages), staleness * math.exp(_STALE_DECAY * hour))

    def change_attention(self, hour: int, shoppers: Indices, change: FloatArray) -> None:
        """Change the attention within its bounds."""
        inflation = math.exp(parameters.ATTENTION_RECOVERY_PER_H * hour)
        least, most = 0.0, 1.0 - parameters.LEAST_ATTENTION
        now = np.clip(self._inattention[shoppers] / inflation - change, least, most)
        self._inattention[shoppers] = now * inflation


def fade_intent(intent: FloatArray, hours: FloatArray | float) -> FloatArray:
    """Return the intent that is left after hours.

    >>> fade_intent(np.array([1.0]), 12.0)
    array([0.5])
    """
    return np.asarray(intent * np.exp(-_INTENT_DECAY * np.asarray(hours)))
