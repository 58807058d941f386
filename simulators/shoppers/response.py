"""Responses: the true probabilities of what a shopper does with a message that is seen.

The world draws from these functions and `truth` integrates them: nothing of them exists twice.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulators import parameters as of
from simulators.shoppers.mental_state import MessageMood

FloatArray = NDArray[np.float64]

MEAN_VALUE = math.exp(of.VALUE_LOG_MEAN + of.VALUE_LOG_SD**2 / 2)
"""Expected value of an order, in money."""


@dataclass(frozen=True)
class Chances:
    """True probabilities for messages seen, (n,).

    Attributes
    ----------
    click, order
        Of a click, and of an order after it.
    out
        Of an opt-out of who does not click; of who does it is `OUT_IF_CLICKED` times that.
    returns, returned_order
        That who only read it comes by all the same, and then orders.
    """

    click: FloatArray
    order: FloatArray
    out: FloatArray
    returns: FloatArray
    returned_order: FloatArray

    def joint(self) -> FloatArray:
        """Give the joint probabilities (n, 2, 2, 2) of a click, an order and leaving.

        >>> half = np.array([0.5])
        >>> float(Chances(half, half, half, half, half).joint().sum())
        1.0
        """
        clicked = np.stack([1.0 - self.click, self.click], axis=1)[:, :, None, None]
        order = np.stack([self.returns * self.returned_order, self.order], axis=1)
        ordered = np.stack([1.0 - order, order], axis=2)[:, :, :, None]
        out = np.stack([self.out, of.OUT_IF_CLICKED * self.out], axis=1)
        left = np.stack([1.0 - out, out], axis=2)[:, :, None, :]
        return np.asarray(clicked * ordered * left)


def click(appeal: FloatArray, mood: MessageMood, triggered: FloatArray) -> FloatArray:
    """Give the probability of a click.

    sigmoid(appeal + 1.5 intent * triggered - .35 min(overload, 4) - .5 staleness) * attention

    Parameters
    ----------
    appeal
        Logit of a rested shopper without intent: channel, shopper, tastes, message.
    triggered
        1 where the message answers something that the shopper did, else 0.

    Examples
    --------
    >>> rested = MessageMood(*(np.array([each]) for each in (0.0, 0.0, 0.0, 1.0, 1.0)))
    >>> click(np.array([0.0]), rested, np.array([0.0]))
    array([0.5])
    """
    logit = appeal + of.CLICK_PER_INTENT * mood.intent * triggered
    logit = logit - of.CLICK_PER_OVERLOAD * np.minimum(mood.overload, of.MOST_OVERLOAD)
    logit = logit - of.CLICK_PER_STALENESS * mood.staleness
    return np.asarray(mood.attention / (1.0 + np.exp(-logit)))


def opt_out(base: FloatArray, overload: FloatArray, at_night: NDArray[np.bool_]) -> FloatArray:
    """Give the probability of an opt-out of somebody who did not click; a click makes it `OUT_IF_CLICKED` times that.

    base * exp(1.1 min(overload, 3)), twice that for a message that arrived at night, at most 1.

    Parameters
    ----------
    base
        The channel's and the shopper's: probability by day for a rested shopper.
    """
    hazard = base * np.exp(of.OUT_PER_OVERLOAD * np.minimum(overload, of.MOST_OUT_OVERLOAD))
    return np.asarray(np.minimum(hazard * np.where(at_night, of.OUT_AT_NIGHT, 1.0), 1.0))


def conversion(intent: FloatArray, need: FloatArray) -> FloatArray:
    """Give the probability of an order after a click."""
    return np.asarray((of.CONVERSION_BASE + of.CONVERSION_PER_INTENT * intent) * need)


def own_order(intent: FloatArray, need: FloatArray) -> FloatArray:
    """Give the probability of an order in a visit of the shopper's own."""
    return np.asarray((of.ORDER_BASE + of.ORDER_PER_INTENT * intent) * need)
