"""The mental state of shoppers: load, staleness, attention, intent and need, and how they change over time.

A shopper can also lapse: then she visits no more by herself, until a visit because of a message wins her back.

Load, staleness and inattention fade exponentially. They are stored *inflated*: the stored value y is the value x
divided by its fading since the start of the simulated period, so that x(hour) = y * exp(-decay * hour). A seen
message only adds to y, and an hour in which nothing happens to a shopper costs no work for this shopper.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulators.arrays import BoolArray, FloatArray, Indices
from simulators.scenarios.parameters import Parameters

_LONG_AGO = -1.0e6


@dataclass
class ReaderState:
    """The mental state with which shoppers read one message; all arrays broadcast.

    Attributes
    ----------
    overload
        Weighted sends per week above the tolerated number, as a multiple of the tolerance.
    staleness
        How often the shopper saw this message lately.
    attention
        In [.3, 1].
    need
        Need that is left after the last order, in [0, 1].
    """

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
    lapsed
        Who has lapsed at the start, (N,).

    Attributes
    ----------
    lapsed
        Who has lapsed now, (N,).
    """

    def __init__(
        self, tolerance: NDArray[np.float32], lapsed: BoolArray, messages: int, parameters: Parameters
    ) -> None:
        shoppers = len(tolerance)
        self._parameters = parameters
        self._load_decay = math.log(2.0) / parameters.load_half_life_h
        self._staleness_decay = math.log(2.0) / parameters.staleness_half_life_h
        self._need_decay = math.log(2.0) / parameters.need_half_life_h
        self._tolerance = tolerance
        self.lapsed = lapsed.copy()
        self._load = np.zeros(shoppers)
        self._inattention = np.zeros(shoppers)
        self._staleness = np.zeros((shoppers, messages), dtype=np.float32)
        self._intent = np.zeros(shoppers, dtype=np.float32)
        self._intent_at = np.zeros(shoppers, dtype=np.float32)
        self._last_order = np.full(shoppers, _LONG_AGO, dtype=np.float32)

    def intent(self, hour: int, shoppers: Indices) -> FloatArray:
        """Return the intent to buy, in [0, 1]."""
        hours = hour - self._intent_at[shoppers].astype(np.float64)
        return fade_intent(self._intent[shoppers], hours, self._parameters)

    def need(self, hour: int | FloatArray, shoppers: Indices) -> FloatArray:
        """Return the need that is left after the last order, in [0, 1]."""
        return np.asarray(1.0 - np.exp(-self._need_decay * (hour - self._last_order[shoppers].astype(np.float64))))

    def overload(self, hour: int | FloatArray, shoppers: Indices) -> FloatArray:
        """Return the weighted sends per week above the tolerated number, as a multiple of the tolerance."""
        weekly = self._load[shoppers] * np.exp(-self._load_decay * hour) / self._parameters.load_per_weekly_send
        return np.asarray(np.maximum(0.0, weekly / self._tolerance[shoppers] - self._parameters.tolerated))

    def attention(self, hour: int | FloatArray, shoppers: Indices) -> FloatArray:
        """Return the attention, in [.3, 1]."""
        fading = np.exp(-self._parameters.attention_recovery_per_h * hour)
        return np.asarray(1.0 - self._inattention[shoppers] * fading)

    def staleness(self, hour: int | FloatArray, shoppers: Indices, messages: Indices | slice) -> FloatArray:
        """Return how often shoppers saw messages lately."""
        return np.asarray(
            self._staleness[shoppers, messages].astype(np.float64) * np.exp(-self._staleness_decay * hour)
        )

    def reader_state(self, hour: int, shoppers: Indices, messages: Indices) -> ReaderState:
        """Return the state with which shoppers read messages."""
        return ReaderState(
            self.overload(hour, shoppers),
            self.staleness(hour, shoppers, messages),
            self.attention(hour, shoppers),
            self.need(hour, shoppers),
        )

    def raise_intent(self, hour: int, shoppers: Indices, least: FloatArray | float) -> FloatArray:
        """Raise the intent to at least ``least``, and return the intent."""
        raised = np.maximum(self.intent(hour, shoppers), least).astype(np.float32)
        self._intent[shoppers] = raised
        self._intent_at[shoppers] = hour
        return raised.astype(np.float64)

    def record_orders(self, hour: int, shoppers: Indices) -> None:
        """Lower the intent and the need of shoppers who ordered."""
        self._intent[shoppers] = self.intent(hour, shoppers) * self._parameters.after_order
        self._intent_at[shoppers] = hour
        self._last_order[shoppers] = hour

    def record_views(self, hour: int, shoppers: Indices, messages: Indices, loads: FloatArray) -> None:
        """Add the load and the staleness of messages that shoppers saw."""
        np.add.at(self._load, shoppers, loads * math.exp(self._load_decay * hour))
        cells = shoppers * self._staleness.shape[1] + messages
        np.add.at(self._staleness.reshape(-1), cells, math.exp(self._staleness_decay * hour))

    def change_attention(self, hour: int, shoppers: Indices, change: FloatArray) -> None:
        """Change the attention within its bounds."""
        inflation = math.exp(self._parameters.attention_recovery_per_h * hour)
        most = 1.0 - self._parameters.least_attention
        now = np.minimum(np.maximum(self._inattention[shoppers] / inflation - change, 0.0), most)
        self._inattention[shoppers] = now * inflation


def fade_intent(intent: FloatArray | NDArray[np.float32], hours: FloatArray, parameters: Parameters) -> FloatArray:
    """Return the intent that is left after hours.

    >>> fade_intent(np.array([1.0]), np.array([24.0]), Parameters(intent_half_life_h=24.0))
    array([0.5])
    """
    return np.asarray(intent * np.exp(-math.log(2.0) / parameters.intent_half_life_h * hours))
