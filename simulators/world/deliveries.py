"""Deliveries: sends on their way, until they are seen or expire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulators.parameters import NIGHT_LEVEL
from simulators.random_streams import FloatArray, Purpose
from simulators.world.schedule import Schedule
from simulators.world.tick import Rows, Tick, TickOutcomes
from simulators.world.world_state import WorldState

_COLUMNS = {
    **{"ticket": np.int64, "shopper": np.int64, "message": np.int64, "channel": np.int64},
    **{"triggered": np.float64, "intent": np.float64, "decided": np.float64},
}


@dataclass(frozen=True)
class Sends:
    """Sends to make, as columns (n,).

    Attributes
    ----------
    tickets
        The sender's numbers: outcomes come back under them.
    shoppers, messages, channels
        Numbers of the population and the repertoire.
    delays_h
        Hours from now.
    warmth
        How welcome the occasion makes it, in [0, 1] as intent is; 0 for a broadcast, which intent does not
        make more welcome either.
    """

    tickets: Rows
    shoppers: Rows
    messages: Rows
    channels: Rows
    delays_h: FloatArray
    warmth: FloatArray

    def __len__(self) -> int:
        return len(self.tickets)


@dataclass(frozen=True)
class Seen:
    """Messages seen in one tick, as columns (n,); ``at`` in calendar hours, ``at_night`` of their arrival."""

    at: FloatArray
    ticket: Rows
    shopper: Rows
    message: Rows
    channel: Rows
    triggered: FloatArray
    intent: FloatArray
    decided: FloatArray
    at_night: NDArray[np.bool_]

    @property
    def positions(self) -> Rows:
        """Positions in random streams: two messages to one shopper in one hour differ."""
        return self.shopper + (self.message * 8 + self.channel) * _STRIDE


_STRIDE = 1 << 32


class Deliveries:
    """Carries sends to shoppers: delivered when due, if consent still stands, then seen some time or never."""

    def __init__(self, society: WorldState) -> None:
        self._society = society
        self._scheduled = Schedule(_COLUMNS)
        self._delivered = Schedule({**_COLUMNS, "at_night": np.bool_})

    def take(self, tick: int, sends: Sends) -> None:
        """Take sends that were decided at the beginning of a tick."""
        self._scheduled.add(
            tick + sends.delays_h,
            ticket=sends.tickets,
            shopper=sends.shoppers,
            message=sends.messages,
            channel=sends.channels,
            triggered=sends.warmth > 0.0,
            intent=np.maximum(self._society.moods.intent(tick, sends.shoppers), sends.warmth),
            decided=np.full(len(sends), float(tick)),
        )

    def pass_hour(self, hour: Tick) -> Seen:
        """Deliver what is due and give what is seen in this tick."""
        due, rows = self._scheduled.pop(hour.tick + 1)
        if len(due):
            self._deliver(hour, due, rows)
        at, seen = self._delivered.pop(hour.tick + 1)
        return Seen(at, **seen)

    def _deliver(self, hour: Tick, due: FloatArray, rows: dict[str, NDArray[Any]]) -> None:
        society = self._society
        shopper, channel = rows["shopper"], rows["channel"]
        standing = society.consent[shopper, channel]
        for name in self._failing(hour.tick):
            lost = standing & (channel == name)
            hour.outcomes.append(TickOutcomes("bounce", rows["ticket"][lost], due[lost]))
            standing &= ~lost
        if not standing.all():
            due, rows = due[standing], {name: column[standing] for name, column in rows.items()}
            shopper, channel = rows["shopper"], rows["channel"]
        costs = society.repertoire.costs[rows["message"], channel]
        society.ledger.paid(society.week(hour.tick), shopper, costs)
        hour.outcomes.append(TickOutcomes("delivered", rows["ticket"], due))
        seen = self._when_seen(hour.tick, due, rows)
        will = np.flatnonzero(np.isfinite(seen))
        rows = {name: column[will] for name, column in rows.items()}
        at_night = society.presence_at(due[will], shopper[will]) < NIGHT_LEVEL
        self._delivered.add(seen[will], **rows, at_night=at_night)

    def _failing(self, tick: int) -> list[int]:
        """Give the channels that deliver nothing today."""
        day, names = tick // 24, self._society.repertoire.channels.names
        return [
            names.index(each.channel)
            for each in self._society.scenario.outages
            if each.channel in names and 0 <= day - each.first_day < each.days
        ]

    def _when_seen(self, tick: int, due: FloatArray, rows: dict[str, NDArray[Any]]) -> FloatArray:
        """Draw when messages are seen, calendar hours; inf for never.

        P(seen within h) = looked * (1 - exp(-rate * presence integrated over h)); in-app at the next own visit.
        """
        society, channels = self._society, self._society.repertoire.channels
        shopper, channel = rows["shopper"], rows["channel"]
        positions = shopper + (rows["message"] * 8 + channel) * _STRIDE
        looked, wait = society.streams.uniforms(tick, [Purpose.looked, Purpose.seen], positions)
        shift = society.population.shift_h[shopper]
        with np.errstate(divide="ignore"):  # in-app has no rate: it waits for a visit instead
            passed = society.presence.passed(due - shift) - np.log1p(-wait) / channels.per_hour[channel]
        seen = society.presence.reached(passed) + shift
        seen[looked >= channels.looked[channel]] = np.inf
        inside = channels.in_app[channel]
        if inside.any():
            visit = society.next_visit[shopper[inside]]
            seen[inside] = np.where(visit >= due[inside], visit, np.inf)
        return np.where(seen < due + channels.stays_h[channel], seen, np.inf)
