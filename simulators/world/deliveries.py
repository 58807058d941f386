"""Deliveries: sends on their way, from the decision until the shopper sees the message or it expires."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulators.arrays import BoolArray, FloatArray, Indices
from simulators.random_streams import Purpose
from simulators.shoppers.presence import is_night
from simulators.shoppers.sight import draw_wait, look_probability
from simulators.world.schedule import Schedule
from simulators.world.tick import Tick, TickOutcomes
from simulators.world.world_state import WorldState

_COLUMNS = {
    **{"ticket": np.int64, "shopper": np.int64, "message": np.int64, "channel": np.int64},
    **{"triggered": np.float64, "intent": np.float64, "decided": np.float64},
}


@dataclass
class Sends:
    """Sends to make, as columns (n,).

    Attributes
    ----------
    tickets
        The sender's numbers of the sends: the world reports outcomes under these numbers.
    shoppers, messages, channels
        Numbers of the population and of the world's messages.
    delays_h
        Hours from now.
    warmth
        How welcome the message is because of the trigger that it answers, in [0, 1] like intent. 0 for a
        broadcast: a shopper's intent then has no effect on the click either.
    """

    tickets: Indices
    shoppers: Indices
    messages: Indices
    channels: Indices
    delays_h: FloatArray
    warmth: FloatArray

    def __len__(self) -> int:
        return len(self.tickets)


@dataclass
class SeenMessages:
    """Messages that shoppers see in one hour, as columns (n,).

    Attributes
    ----------
    at
        When the message is seen, in hours of the calendar.
    triggered
        1 if the message answers a trigger, else 0.
    intent
        The intent that the message carries, as of the decision.
    decided
        The hour of the decision.
    at_night
        Whether the message arrived at the shopper's night.
    """

    at: FloatArray
    ticket: Indices
    shopper: Indices
    message: Indices
    channel: Indices
    triggered: FloatArray
    intent: FloatArray
    decided: FloatArray
    at_night: BoolArray

    @property
    def positions(self) -> Indices:
        """Positions in the random streams: see `stream_positions`."""
        return stream_positions(self.shopper, self.message, self.channel)


def stream_positions(shoppers: Indices, messages: Indices, channels: Indices) -> Indices:
    """Return positions that differ for two messages to one shopper in one hour."""
    return shoppers + (messages * 8 + channels) * (1 << 32)


class Deliveries:
    """Delivers sends when they are due, if the shopper still consents, and draws when shoppers see them."""

    def __init__(self, state: WorldState) -> None:
        self._state = state
        self._scheduled = Schedule(_COLUMNS)
        self._delivered = Schedule({**_COLUMNS, "at_night": np.bool_})

    def accept(self, hour: int, sends: Sends) -> None:
        """Schedule sends that were decided at the beginning of an hour."""
        intent = self._state.mental_state.intent(hour, sends.shoppers)
        self._scheduled.add(
            hour + sends.delays_h,
            ticket=sends.tickets,
            shopper=sends.shoppers,
            message=sends.messages,
            channel=sends.channels,
            triggered=sends.warmth > 0.0,
            intent=np.maximum(intent, sends.warmth),
            decided=np.full(len(sends), float(hour)),
        )

    def advance(self, tick: Tick) -> SeenMessages:
        """Deliver the sends that are due in this hour, and return the messages that are seen in it."""
        due, sends = self._scheduled.pop(tick.hour + 1)
        if len(due):
            self._deliver(tick, due, sends)
        at, seen = self._delivered.pop(tick.hour + 1)
        return SeenMessages(at, **seen)

    def _deliver(self, tick: Tick, due: FloatArray, sends: dict[str, NDArray[Any]]) -> None:
        state = self._state
        shopper, channel = sends["shopper"], sends["channel"]
        deliverable = state.consent[shopper, channel]
        for failing in state.channels_in_outage(tick.hour):
            lost = deliverable & (channel == failing)
            tick.outcomes.append(TickOutcomes("bounce", sends["ticket"][lost], due[lost]))
            deliverable &= ~lost
        rows = deliverable.nonzero()[0]
        if len(rows) < len(due):
            due, sends = due[rows], {name: column[rows] for name, column in sends.items()}
            shopper, channel = sends["shopper"], sends["channel"]
        costs = state.messages.costs[sends["message"], channel]
        state.margins.book_sends(state.week(tick.hour), shopper, costs)
        tick.outcomes.append(TickOutcomes("delivered", sends["ticket"], due))
        seen_at = self._draw_seen_at(tick.hour, due, sends)
        seen = (seen_at < due + state.messages.channels.stays_h[channel]).nonzero()[0]
        sends = {name: column[seen] for name, column in sends.items()}
        at_night = is_night(due[seen] - state.population.shift_h[shopper[seen]])
        self._delivered.add(seen_at[seen], **sends, at_night=at_night)

    def _draw_seen_at(self, hour: int, due: FloatArray, sends: dict[str, NDArray[Any]]) -> FloatArray:
        """Draw when shoppers see messages that do not expire, in hours of the calendar; inf for never.

        Both whether and when follow `simulators.shoppers.sight`. In-app messages are seen at the next visit; a shopper
        who has lapsed makes none.
        """
        state, channels = self._state, self._state.messages.channels
        shopper, channel = sends["shopper"], sends["channel"]
        positions = stream_positions(shopper, sends["message"], channel)
        looked, wait = state.streams.uniforms(hour, [Purpose.looked, Purpose.seen], positions)
        shift = state.population.shift_h[shopper]
        arrival = due - shift
        with np.errstate(divide="ignore"):  # in-app has no rate: its messages wait for a visit
            waits = draw_wait(wait, channels.per_hour[channel], channels.tail[channel])
        seen_at = state.presence.hours_at(state.presence.integral_at(arrival) + waits) + shift
        presence = state.presence.presence_at(arrival)
        looks = look_probability(channels.looked[channel], channels.hour_effect[channel], presence)
        looks *= np.where(state.mental_state.lapsed[shopper], state.scenario.parameters.lapsed_looks, 1.0)
        seen_at[looked >= looks] = np.inf
        in_app = channels.in_app[channel].nonzero()[0]
        readers = shopper[in_app]
        visit = state.next_visit[readers]
        visit[state.mental_state.lapsed[readers] | (visit < due[in_app])] = np.inf
        seen_at[in_app] = visit
        return np.asarray(seen_at)
