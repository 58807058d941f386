"""Reactions ahead: how shoppers would react to messages that they see in each of the next hours."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from simulators.arrays import FloatArray, Indices
from simulators.shoppers.mental_state import ReaderState, fade_intent
from simulators.shoppers.response import (
    click_probability,
    conversion_probability,
    return_probability,
    tired_logit,
    visit_order_probability,
)
from simulators.world.world_state import WorldState


class ReactionsAhead:
    """The reactions of a list of shoppers (S) to pairs (P) of a shopper and a message, if nothing else reaches them.

    Parameters
    ----------
    hours_ahead
        (hours,), counted from now.
    rows, messages
        Position in the list of shoppers, and number of the message, (P,).
    warmth
        How welcome a trigger makes the message, (P,); 0 for a broadcast.

    Attributes
    ----------
    overload
        The overload of the shoppers in each hour, (S, hours).
    """

    def __init__(
        self,
        state: WorldState,
        hour: int,
        hours_ahead: Indices,
        shoppers: Indices,
        pairs: tuple[Indices, Indices, FloatArray],
    ) -> None:
        rows, messages, warmth = pairs
        parameters, mental = state.scenario.parameters, state.mental_state
        self._state, self._hour, self._calendar = state, hour, hour + hours_ahead
        self._readers, self._messages, self._triggered = shoppers[rows], messages, warmth > 0.0
        hours, everybody, readers = self._calendar.astype(np.float64), shoppers[:, None], self._readers[:, None]
        self.overload = mental.overload(hours, everybody)
        self._attention = mental.attention(hours, everybody)[rows]
        self._need = mental.need(hours, everybody)[rows]
        intent = np.maximum(mental.intent(hour, shoppers)[rows], warmth)
        self._intent = fade_intent(intent[:, None], hours_ahead.astype(np.float64), parameters)
        staleness = mental.staleness(hours, readers, messages[:, None])
        reader = ReaderState(self.overload[rows], staleness, self._attention, self._need)
        self._tired, self._promotion = tired_logit(reader, parameters), state.order_factor(self._calendar)
        self._orders = conversion_probability(self._intent, self._need, self._promotion, parameters)

    def of(self, pairs: Indices, channels: Indices, hours: int) -> FloatArray:
        """Return probabilities by hour, (Q, 3, hours): a click, a click and an order, an order without a click.

        Parameters
        ----------
        pairs, channels
            Positions in the list of pairs, and numbers of channels, (Q,).
        hours
            How many of the hours.
        """
        traits = self._state.messages.channels
        intent, tired = self._intent[pairs, :hours], self._tired[pairs, :hours]
        attention = self._attention[pairs, :hours]
        lift = (traits.per_intent[channels] * self._triggered[pairs])[:, None] * intent
        reactions = np.zeros((len(pairs), 3, hours))
        click = reactions[:, 0]
        click[:] = click_probability(self._appeal(pairs, channels, hours), lift, tired, attention)
        np.multiply(click, self._orders[pairs, :hours], out=reactions[:, 1])
        returning = traits.returning[channels, None]
        if returning.any():
            orders = self._return_orders[pairs, :hours]
            np.multiply((1.0 - click) * return_probability(returning, tired, attention), orders, out=reactions[:, 2])
        return reactions

    @cached_property
    def _return_orders(self) -> FloatArray:
        """The probability of an order in a visit after a message that was not clicked, (P, hours)."""
        parameters = self._state.scenario.parameters
        interest = np.maximum(self._intent, parameters.view_intent)
        return visit_order_probability(interest, self._need, self._promotion, parameters)

    def _appeal(self, pairs: Indices, channels: Indices, hours: int) -> FloatArray:
        """Return the logits of clicks by rested shoppers without intent, (Q, hours) or (Q, 1)."""
        state = self._state
        when = self._calendar[:hours] if state.appeal_changes else self._calendar[:1]
        return state.appeal_logits(when, self._readers[pairs, None], self._messages[pairs, None], channels[:, None])
