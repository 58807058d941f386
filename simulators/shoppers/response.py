"""Responses: the true probabilities of a shopper's reactions to a message that the shopper sees.

The world draws reactions from these functions, and `simulators.world.truth` integrates the same functions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from simulators import parameters
from simulators.arrays import BoolArray, FloatArray
from simulators.shoppers.mental_state import ReaderState

MEAN_VALUE = math.exp(parameters.VALUE_LOG_MEAN + parameters.VALUE_LOG_SD**2 / 2)
"""Expected value of an order, in money."""


@dataclass(frozen=True)
class Chances:
    """True probabilities of the reactions to seen messages, as columns (n,).

    Attributes
    ----------
    click, order
        Probability of a click, and of an order after the click.
    out
        Probability of an opt-out without a click. With a click it is `OUT_IF_CLICKED` times as large.
    returns, returned_order
        Probability of a later visit without a click, and of an order in this visit.
    """

    click: FloatArray
    order: FloatArray
    out: FloatArray
    returns: FloatArray
    returned_order: FloatArray

    def joint(self) -> FloatArray:
        """Return the joint probabilities (n, 2, 2, 2) of a click, an order and an opt-out.

        >>> half = np.array([0.5])
        >>> float(Chances(half, half, half, half, half).joint().sum())
        1.0
        """
        clicked = np.stack([1.0 - self.click, self.click], axis=1)[:, :, None, None]
        order = np.stack([self.returns * self.returned_order, self.order], axis=1)
        ordered = np.stack([1.0 - order, order], axis=2)[:, :, :, None]
        out = np.stack([self.out, parameters.OUT_IF_CLICKED * self.out], axis=1)
        left = np.stack([1.0 - out, out], axis=2)[:, :, None, :]
        return np.asarray(clicked * ordered * left)


def click_probability(appeal: FloatArray, reader: ReaderState, triggered: FloatArray) -> FloatArray:
    """Return the probability of a click on a seen message.

    sigmoid(appeal + 1.5 intent * triggered - .35 min(overload, 4) - .5 staleness) * attention

    Parameters
    ----------
    appeal
        Logit of a click by a rested shopper without intent: see `WorldState.appeal_logits`.
    triggered
        1 if the message answers a trigger, else 0.

    Examples
    --------
    >>> rested = ReaderState(*(np.array([level]) for level in (0.0, 0.0, 0.0, 1.0, 1.0)))
    >>> click_probability(np.array([0.0]), rested, np.array([0.0]))
    array([0.5])
    """
    logit = appeal + parameters.CLICK_PER_INTENT * reader.intent * triggered
    logit = logit - parameters.CLICK_PER_OVERLOAD * np.minimum(reader.overload, parameters.MOST_OVERLOAD)
    logit = logit - parameters.CLICK_PER_STALENESS * reader.staleness
    return np.asarray(reader.attention / (1.0 + np.exp(-logit)))


def opt_out_probability(base: FloatArray, overload: FloatArray, at_night: BoolArray) -> FloatArray:
    """Return the probability of an opt-out by a shopper who saw a message and did not click.

    base * exp(1.1 min(overload, 3)); twice as much for a message that arrived at night; at most 1.

    Parameters
    ----------
    base
        Probability for a message that arrived by day and a rested shopper, of this channel and this shopper.
    """
    hazard = base * np.exp(parameters.OUT_PER_OVERLOAD * np.minimum(overload, parameters.MOST_OUT_OVERLOAD))
    return np.asarray(np.minimum(hazard * np.where(at_night, parameters.OUT_AT_NIGHT, 1.0), 1.0))


def conversion_probability(intent: FloatArray, need: FloatArray) -> FloatArray:
    """Return the probability of an order after a click."""
    return np.asarray((parameters.CONVERSION_BASE + parameters.CONVERSION_PER_INTENT * intent) * need)


def visit_order_probability(intent: FloatArray, need: FloatArray) -> FloatArray:
    """Return the probability of an order in a visit without a click."""
    return np.asarray((parameters.ORDER_BASE + parameters.ORDER_PER_INTENT * intent) * need)
