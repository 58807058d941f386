"""Responses: the true probabilities of a shopper's reactions to a message that the shopper sees.

Nothing is drawn here. `simulators.world.reactions` draws the reactions with these probabilities, and
`simulators.truth` computes expected values from them.

A click and a return without a click tire in the same way: with A the attention,

    P(click)  = A · sigmoid(appeal + per_intent · intent · [triggered] + f)
    P(return) = A · sigmoid(logit(returning) + f)
    f         = -1.0 min(overload, 4) - .3 staleness

One randomised e-mail test is the calibration of ``returning`` (Hillstrom, 2008), so f = 0 and A = 1 in that test. That
returns tire like clicks is judgement; a shop that sends 10 e-mails instead of the 7 that are best earns 16 % less
(Zhang, Kumar and Cosguner, 2017), so the effect of an e-mail does fall with their number.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from simulators.arrays import BoolArray, FloatArray
from simulators.scenarios.parameters import Parameters
from simulators.shoppers.mental_state import ReaderState


@dataclass
class Chances:
    """True probabilities of the reactions to seen messages, as columns (n,).

    Attributes
    ----------
    click, order
        Probability of a click, and of an order, given a click.
    opt_out, opt_out_after_click
        Probability of an opt-out without a click, and after a click.
    return_visit, order_on_return
        Probability of a later visit if there was no click, and of an order if this visit happens.
    kept
        Probability that an order is not sent back.
    """

    click: FloatArray
    order: FloatArray
    opt_out: FloatArray
    opt_out_after_click: FloatArray
    return_visit: FloatArray
    order_on_return: FloatArray
    kept: FloatArray

    @cached_property
    def kept_orders(self) -> FloatArray:
        """The probability of an order that is not sent back."""
        orders = self.click * self.order + (1.0 - self.click) * self.return_visit * self.order_on_return
        return np.asarray(orders * self.kept)

    @cached_property
    def withdrawals(self) -> FloatArray:
        """The probability of an opt-out, with or without a click."""
        return np.asarray(self.opt_out + self.click * (self.opt_out_after_click - self.opt_out))

    def joint(self) -> FloatArray:
        """Return the joint probabilities (n, 2, 2, 2) of a click, a kept order and an opt-out (0 no, 1 yes).

        >>> half = np.array([0.5])
        >>> float(Chances(half, half, half, half, half, half, half).joint().sum())
        1.0
        """
        p_click = np.stack([1.0 - self.click, self.click], axis=1)[:, :, None, None]
        # Orders and opt-outs depend on the click: axis 1 is without a click, with a click.
        order = np.stack([self.return_visit * self.order_on_return, self.order], axis=1) * self.kept[:, None]
        p_order = np.stack([1.0 - order, order], axis=2)[:, :, :, None]
        opt_out = np.stack([self.opt_out, self.opt_out_after_click], axis=1)
        p_opt_out = np.stack([1.0 - opt_out, opt_out], axis=2)[:, :, None, :]
        return np.asarray(p_click * p_order * p_opt_out)


def tired_logit(reader: ReaderState, parameters: Parameters) -> FloatArray:
    """Return what fatigue changes in the logits of a click and of a return: f above."""
    logit = parameters.click_logit_per_overload * np.minimum(reader.overload, parameters.most_overload)
    logit = logit + parameters.click_logit_per_staleness * reader.staleness
    return np.asarray(-logit)


def click_probability(appeal: FloatArray, lift: FloatArray, tired: FloatArray, attention: FloatArray) -> FloatArray:
    """Return the probability of a click on a seen message.

    Parameters
    ----------
    appeal
        Logit of a click by a rested shopper without intent: see `WorldState.appeal_logits`.
    lift
        Logits that the intent adds to a message that answers a trigger: per_intent · intent · [triggered].
    tired
        See `tired_logit`.

    Examples
    --------
    >>> zero = np.array([0.0])
    >>> click_probability(zero, zero, zero, np.array([0.8]))
    array([0.4])
    """
    return np.asarray(attention / (1.0 + np.exp(-(appeal + lift + tired))))


def return_probability(returning: FloatArray, tired: FloatArray, attention: FloatArray) -> FloatArray:
    """Return the probability of a later visit by a shopper who saw a message and did not click.

    Parameters
    ----------
    returning
        The probability for a rested, attentive shopper: see `ChannelTraits.returning`.
    tired
        See `tired_logit`.

    Examples
    --------
    >>> return_probability(np.array([0.1, 0.0]), np.zeros(2), np.ones(2))
    array([0.1, 0. ])
    """
    fresh = returning * np.exp(tired)
    return np.asarray(attention * fresh / (1.0 - returning + fresh))


def opt_out_probability(
    base: FloatArray, overload: FloatArray, at_night: BoolArray, parameters: Parameters
) -> FloatArray:
    """Return the probability of an opt-out by a shopper who saw a message and did not click.

    base · exp(1.1 min(overload, 3)); twice as much for a message that arrived at night; at most 1.

    Parameters
    ----------
    base
        Opt-out probability of this shopper on this channel, when rested and when the message arrives by day.
    overload
        See `ReaderState.overload`.
    """
    overload = np.minimum(overload, parameters.most_opt_out_overload)
    hazard = base * np.exp(parameters.opt_out_per_overload * overload)
    return np.asarray(np.minimum(hazard * np.where(at_night, parameters.opt_out_factor_at_night, 1.0), 1.0))


def conversion_probability(
    intent: FloatArray, need: FloatArray, promotion: FloatArray | float, parameters: Parameters
) -> FloatArray:
    """Return the probability of an order, given a click; ``promotion`` is the factor of today's promotion on orders."""
    probability = (parameters.conversion_base + parameters.conversion_per_intent * intent) * need
    return np.asarray(np.minimum(probability * promotion, 1.0))


def visit_order_probability(
    intent: FloatArray, need: FloatArray, promotion: FloatArray | float, parameters: Parameters
) -> FloatArray:
    """Return the probability of an order in a visit that no click started."""
    probability = (parameters.order_base + parameters.order_per_intent * intent) * need
    return np.asarray(np.minimum(probability * promotion, 1.0))
