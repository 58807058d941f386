"""Responses: the true probabilities of a shopper's reactions to a message that the shopper sees.

Nothing is drawn here. `simulators.world.reactions` draws the reactions with these probabilities, and
`simulators.world.truth` computes expected values from them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from simulators import parameters
from simulators.arrays import BoolArray, FloatArray
from simulators.shoppers.mental_state import ReaderState

MEAN_ORDER_VALUE = math.exp(parameters.VALUE_LOG_MEAN + parameters.VALUE_LOG_SD**2 / 2)
"""Expected value of an order, in money."""


@dataclass(frozen=True)
class Chances:
    """True probabilities of the reactions to seen messages, as columns (n,).

    Attributes
    ----------
    click, order
        Probability of a click, and of an order, given a click.
    opt_out
        Probability of an opt-out if there was no click. After a click it is multiplied by
        `OPT_OUT_FACTOR_AFTER_CLICK`, 0.3.
    return_visit, order_on_return
        Probability of a later visit if there was no click, and of an order if this visit happens.
    """

    click: FloatArray
    order: FloatArray
    opt_out: FloatArray
    return_visit: FloatArray
    order_on_return: FloatArray

    def joint(self) -> FloatArray:
        """Return the joint probabilities (n, 2, 2, 2) of a click, an order and an opt-out (0 no, 1 yes).

        >>> half = np.array([0.5])
        >>> float(Chances(half, half, half, half, half).joint().sum())
        1.0
        """
        p_click = np.stack([1.0 - self.click, self.click], axis=1)[:, :, None, None]
        # Orders and opt-outs depend on the click: axis 1 is without a click, with a click.
        order = np.stack([self.return_visit * self.order_on_return, self.order], axis=1)
        p_order = np.stack([1.0 - order, order], axis=2)[:, :, :, None]
        opt_out = np.stack([self.opt_out, parameters.OPT_OUT_FACTOR_AFTER_CLICK * self.opt_out], axis=1)
        p_opt_out = np.stack([1.0 - opt_out, opt_out], axis=2)[:, :, None, :]
        return np.asarray(p_click * p_order * p_opt_out)


def click_probability(appeal: FloatArray, reader: ReaderState, triggered: FloatArray) -> FloatArray:
    """Return the probability of a click on a seen message.

    sigmoid(appeal + 1.5 intent * triggered - .35 min(overload, 4) - .5 staleness) * attention

    Parameters
    ----------
    appeal
        Logit of a click by a rested shopper without intent: see `WorldState.appeal_logits`.
    reader
        The mental state of the shopper when the shopper sees the message.
    triggered
        1 if the message answers a trigger, else 0.

    Examples
    --------
    >>> rested = ReaderState(*(np.array([level]) for level in (0.0, 0.0, 0.0, 1.0, 1.0)))
    >>> click_probability(np.array([0.0]), rested, np.array([0.0]))
    array([0.5])
    """
    logit = appeal + parameters.CLICK_LOGIT_PER_INTENT * reader.intent * triggered
    logit = logit - parameters.CLICK_LOGIT_PER_OVERLOAD * np.minimum(reader.overload, parameters.MOST_OVERLOAD)
    logit = logit - parameters.CLICK_LOGIT_PER_STALENESS * reader.staleness
    return np.asarray(reader.attention / (1.0 + np.exp(-logit)))


def opt_out_probability(base: FloatArray, overload: FloatArray, at_night: BoolArray) -> FloatArray:
    """Return the probability of an opt-out by a shopper who saw a message and did not click.

    base * exp(1.1 min(overload, 3)); twice as much for a message that arrived at night; at most 1.

    Parameters
    ----------
    base
        Opt-out probability of this shopper on this channel, when rested and when the message arrives by day.
    overload
        See `ReaderState.overload`.
    """
    hazard = base * np.exp(parameters.OPT_OUT_PER_OVERLOAD * np.minimum(overload, parameters.MOST_OPT_OUT_OVERLOAD))
    return np.asarray(np.minimum(hazard * np.where(at_night, parameters.OPT_OUT_FACTOR_AT_NIGHT, 1.0), 1.0))


def conversion_probability(intent: FloatArray, need: FloatArray) -> FloatArray:
    """Return the probability of an order, given a click."""
    return np.asarray((parameters.CONVERSION_BASE + parameters.CONVERSION_PER_INTENT * intent) * need)


def visit_order_probability(intent: FloatArray, need: FloatArray) -> FloatArray:
    """Return the probability of an order in a visit that no click started."""
    return np.asarray((parameters.ORDER_BASE + parameters.ORDER_PER_INTENT * intent) * need)
