"""MentalState: what notifications, visits and orders leave behind in a shopper, and how it fades.

Load, staleness and inattention fade exponentially, so they are kept *inflated*, as if the past had grown
instead: x(t) = y * f(t) with y only ever added to. No tick touches shoppers to whom nothing happens.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulators import parameters as of

Rows = NDArray[np.int64]
FloatArray = NDArray[np.float64]

_LOAD_DECAY = math.log(2.0) / of.LOAD_HALF_LIFE_H
_STALE_DECAY = math.log(2.0) / of.STALENESS_HALF_LIFE_H
_INTENT_DECAY = math.log(2.0) / of.INTENT_HALF_LIFE_H
_NEED_DECAY = math.log(2.0) / of.NEED_HALF_LIFE_H
_LONG_AGO = -1.0e6


@dataclass(frozen=True)
class MessageMood:
    """What of a shopper's mood bears on one message that is seen; every array broadcasts.

    ``overload`` is weighted sends a week over what is tolerated, ``intent`` in [0, 1] that of the moment
    of the decision faded to the moment of seeing, ``need`` in [0, 1] what the last order left.
    """

    intent: FloatArray
    overload: FloatArray
    staleness: FloatArray
    attention: FloatArray
    need: FloatArray


class MentalState:
    """The moods of N shoppers towards M messages.

    Parameters
    ----------
    tolerance
        (N,), tolerated weighted sends a week.
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

    def intent(self, tick: int, rows: Rows) -> FloatArray:
        """Give the intent to buy, in [0, 1]."""
        faded = np.exp(-_INTENT_DECAY * (tick - self._intent_at[rows].astype(np.float64)))
        return np.asarray(self._intent[rows] * faded)

    def need(self, tick: int | FloatArray, rows: Rows) -> FloatArray:
        """Give the need that the last order left, in [0, 1]."""
        return np.asarray(1.0 - np.exp(-_NEED_DECAY * (tick - self._last_order[rows].astype(np.float64))))

    def overload(self, tick: int | FloatArray, rows: Rows) -> FloatArray:
        """Give the weighted sends a week over what is tolerated, as a multiple of the tolerance."""
        weekly = self._load[rows] * np.exp(-_LOAD_DECAY * tick) / of.LOAD_PER_WEEKLY_SEND
        return np.asarray(np.maximum(0.0, weekly / self._tolerance[rows] - of.TOLERATED))

    def attention(self, tick: int | FloatArray, rows: Rows) -> FloatArray:
        """Give the attention, in [.3, 1]."""
        return np.asarray(1.0 - self._inattention[rows] * np.exp(-of.ATTENTION_RECOVERY_PER_H * tick))

    def staleness(self, tick: int | FloatArray, rows: Rows, messages: Rows | slice) -> FloatArray:
        """Give how often a message was seen lately."""
        return np.asarray(self._staleness[rows, messages].astype(np.float64) * np.exp(-_STALE_DECAY * tick))

    def at(self, tick: int, rows: Rows, messages: Rows, intent: FloatArray) -> MessageMood:
        """Give the moods of shoppers as they see messages; ``intent`` is the one that the messages carry."""
        return MessageMood(
            intent,
            self.overload(tick, rows),
            self.staleness(tick, rows, messages),
            self.attention(tick, rows),
            self.need(tick, rows),
        )

    def wants(self, tick: int, rows: Rows, least: FloatArray | float) -> None:
        """Raise the intent to at least a level."""
        self._intent[rows] = np.maximum(self.intent(tick, rows), least)
        self._intent_at[rows] = tick

    def ordered(self, tick: int, rows: Rows) -> None:
        """Note an order: intent and need are met."""
        self._intent[rows] = self.intent(tick, rows) * of.AFTER_ORDER
        self._intent_at[rows] = tick
        self._last_order[rows] = tick

    def saw(self, tick: int, rows: Rows, messages: Rows, weights: FloatArray, bored: FloatArray) -> None:
        """Note messages that were seen: ``weights`` of load, ``bored`` is what they add to staleness."""
        np.add.at(self._load, rows, weights * math.exp(_LOAD_DECAY * tick))
        np.add.at(self._staleness, (rows, messages), bored * math.exp(_STALE_DECAY * tick))

    def attended(self, tick: int, rows: Rows, change: FloatArray) -> None:
        """Change attention within its bounds."""
        inflation = math.exp(of.ATTENTION_RECOVERY_PER_H * tick)
        least, most = 0.0, 1.0 - of.LEAST_ATTENTION
        now = np.clip(self._inattention[rows] / inflation - change, least, most)
        self._inattention[rows] = now * inflation


def faded_intent(intent: FloatArray, hours: FloatArray | float) -> FloatArray:
    """Give what is left of an intent after hours.

    >>> faded_intent(np.array([1.0]), 12.0)
    array([0.5])
    """
    return np.asarray(intent * np.exp(-_INTENT_DECAY * np.asarray(hours)))
