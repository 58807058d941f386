"""Sight ahead: the probabilities that messages which are sent now are seen in each of the next hours."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from simulators.arrays import BoolArray, FloatArray, Indices
from simulators.shoppers.presence import is_night
from simulators.shoppers.response import opt_out_probability
from simulators.shoppers.sight import look_probability, share_unseen
from simulators.world.world_state import WorldState

POWERS = 3
"""`Sight.weights` hold the powers 0, 1 and 2 of the probability of an opt-out. The square is needed by channels of the
app alone: from them two ways lead out, an opt-out and an uninstall."""


@dataclass(frozen=True)
class Sight:
    """When some shoppers would see the messages of some channels; a row (J) is a shopper and a channel with consent.

    Attributes
    ----------
    row_of
        The row of each shopper and channel, (S, C); -1 without a row.
    weights
        The probability that a message is seen in an hour, times a power of the probability that a shopper who does not
        click then opts out, (J, powers, delays, hours): `POWERS`, or one less where no channel is of the app.
    delivered
        Whether a message would be delivered, (J, delays).
    """

    row_of: Indices
    weights: FloatArray
    delivered: BoolArray


class SightAhead:
    """Looks ahead at the channels whose messages have one lifetime.

    Parameters
    ----------
    channels
        The numbers of the channels.
    delays_h
        The delays of the joint actions, (delays,).

    Attributes
    ----------
    hours_ahead
        The hours in which messages can be seen, counted from now, (hours,).
    """

    def __init__(self, state: WorldState, channels: Indices, delays_h: FloatArray) -> None:
        self._state, self._channels, self._delays_h = state, channels, delays_h
        self._stays_h = float(state.messages.channels.stays_h[channels[0]])
        self._powers = POWERS if state.messages.channels.of_app[channels].any() else POWERS - 1
        self.hours_ahead = np.arange(math.ceil(delays_h.max() + self._stays_h))

    def look(self, hour: int, shoppers: Indices, overload: FloatArray) -> Sight:
        """Return when shoppers would see messages that are sent now.

        Parameters
        ----------
        overload
            In each hour ahead, (S, at least the hours of this object).
        """
        state, channels = self._state, self._state.messages.channels
        consent = np.zeros((len(shoppers), len(channels.names)), dtype=np.bool_)
        consent[:, self._channels] = state.consent[shoppers[:, None], self._channels]
        rows, numbers = consent.nonzero()
        row_of = np.full(consent.shape, -1, dtype=np.int64)
        row_of[rows, numbers] = np.arange(len(rows))
        due = hour + self._delays_h
        delivered = self._find_delivered(due)[numbers]
        seen = self._compute_seen(hour, shoppers, rows, numbers) * delivered[:, :, None]
        at_night = is_night(due - state.population.shift_h[shoppers[rows], None])
        base = channels.opt_out[numbers] * state.population.irritability[shoppers[rows]]
        overload = overload[rows, None, : len(self.hours_ahead)]
        out = opt_out_probability(base[:, None, None], overload, at_night[:, :, None], state.scenario.parameters)
        weights = np.empty((len(rows), self._powers, *seen.shape[1:]))
        weights[:, 0] = seen
        for power in range(1, self._powers):
            np.multiply(weights[:, power - 1], out, out=weights[:, power])
        return Sight(row_of, weights, delivered)

    def _find_delivered(self, due: FloatArray) -> BoolArray:
        """Return whether each channel delivers messages that are due then, (C, delays)."""
        delivered = np.ones((len(self._state.messages.channels.names), len(due)), dtype=np.bool_)
        if not self._state.scenario.outages:
            return delivered
        for delay, hour in enumerate(due.astype(np.int64).tolist()):
            delivered[self._state.channels_in_outage(hour), delay] = False
        return delivered

    def _compute_seen(self, hour: int, shoppers: Indices, rows: Indices, numbers: Indices) -> FloatArray:
        """Return the probabilities that messages are seen in each hour, (J, delays, hours)."""
        state, channels, people = self._state, self._state.messages.channels, self._state.population
        shift, lapsed = people.shift_h[shoppers, None], state.mental_state.lapsed[shoppers[rows]]
        due = hour + self._delays_h - shift  # (S, delays)
        edges = hour + np.arange(len(self.hours_ahead) + 1, dtype=np.float64) - shift
        integral_at = state.presence.integral_at
        begin = integral_at(due)
        longest = integral_at(due + self._stays_h) - begin
        waited = np.maximum(integral_at(edges)[:, None, :] - begin[:, :, None], 0.0)
        waited = np.minimum(waited, longest[:, :, None])  # (S, delays, hours + 1)
        visits = np.where(lapsed, 0.0, people.visits_per_hour[shoppers[rows]])
        rate = np.where(channels.in_app[numbers], visits, channels.per_hour[numbers])
        unseen = share_unseen(waited[rows], rate[:, None, None], channels.tail[numbers, None, None])
        presence = state.presence.presence_at(due)[rows]
        looked = look_probability(channels.looked[numbers, None], channels.hour_effect[numbers, None], presence)
        looked *= np.where(lapsed, state.scenario.parameters.lapsed_looks, 1.0)[:, None]
        return np.asarray(looked[:, :, None] * (unseen[:, :, :-1] - unseen[:, :, 1:]))
