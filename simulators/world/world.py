"""The world: many simulated shoppers, one hour at a time, with known truth. Begin to read at `World.step`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simulators.arrays import BoolArray, Indices
from simulators.random_streams import Seeds
from simulators.scenarios.scenario import Scenario
from simulators.shoppers.population import Population
from simulators.world.consents import ConsentLosses
from simulators.world.deliveries import Deliveries, Sends
from simulators.world.margins import Margins
from simulators.world.messages import STANDARD, Messages
from simulators.world.order_book import OrderBook
from simulators.world.reactions import Reactions
from simulators.world.tick import Tick
from simulators.world.triggers import SCHEDULED_TRIGGERS, TriggerSchedule
from simulators.world.visits import Visits
from simulators.world.world_state import WorldState, epoch_seconds


class CalendarEnded(RuntimeError):
    """The calendar of the scenario has no further hour."""


class World:
    """The shoppers of a simulated shop.

    In each hour, due sends are delivered and seen, shoppers react to them, visit the shop, leave carts and order.
    `step` returns what happened as a `Tick`. Then the shop decides and calls `send`.

    Parameters
    ----------
    scenario
        How the world differs from the base.
    shoppers
        The number of shoppers, including those who join later.
    seed
        Another seed gives other shoppers and other events. Two worlds with the same seed use the same random
        numbers whatever is sent, so the difference between the two is the effect of the sends. `Seeds` tells the seed
        of the shop from those of the shoppers.
    messages
        The messages that can be sent.

    Raises
    ------
    ValueError
        When a parameter has an impossible value; the message names the parameter.

    Examples
    --------
    >>> from simulators.scenarios.scenario import find_scenario
    >>> world = World(find_scenario("stationary"), shoppers=500, seed=1)
    >>> sum(len(visitors) for _ in range(168) for visitors in world.step().visitors)
    476
    """

    def __init__(self, scenario: Scenario, shoppers: int, seed: int | Seeds, messages: Messages = STANDARD) -> None:
        if not 1 <= shoppers < 1 << 32:
            raise ValueError(f"shoppers must be at least 1, not {shoppers}")
        seeds = Seeds(seed, seed) if isinstance(seed, int) else seed
        self.state = WorldState.draw(scenario, shoppers, seeds, messages, len(SCHEDULED_TRIGGERS))
        self.hour = 0
        self._trigger_schedule = TriggerSchedule(self.state)
        self._deliveries = Deliveries(self.state)
        self._orders = OrderBook(self.state, self._trigger_schedule)
        self._visits = Visits(self.state, self._trigger_schedule, self._orders)
        self._reactions = Reactions(self.state, self._trigger_schedule, self._orders)

    @property
    def scenario(self) -> Scenario:
        return self.state.scenario

    @property
    def population(self) -> Population:
        return self.state.population

    @property
    def messages(self) -> Messages:
        return self.state.messages

    @property
    def margins(self) -> Margins:
        return self.state.margins

    @property
    def consent_losses(self) -> ConsentLosses:
        return self.state.consent_losses

    @property
    def consent(self) -> BoolArray:
        """Present consent by channel, (N, C). Read only."""
        return self.state.consent

    @property
    def now(self) -> float:
        """Epoch seconds of the beginning of the next hour."""
        return epoch_seconds(self.scenario, self.hour)

    @property
    def has_joined(self) -> BoolArray:
        """Whether each shopper has joined, (N,)."""
        return self.population.joins < max(self.hour, 1)

    def joined_shoppers(self) -> Indices:
        return np.flatnonzero(self.has_joined)

    def step(self) -> Tick:
        """Let one hour pass, and return what happened in it.

        Raises
        ------
        CalendarEnded
            After the last hour of the calendar.
        """
        if self.hour >= self.scenario.hours:
            raise CalendarEnded(f"the calendar of {self.scenario.name!r} ends after {self.scenario.weeks} weeks")
        tick = Tick(self.hour)
        self._trigger_schedule.advance(tick)
        seen = self._deliveries.advance(tick)
        self._reactions.advance(tick, seen)
        self._visits.advance(tick)
        self._orders.advance(tick)
        self.hour += 1
        return tick

    def record_outside_orders(self, shoppers: Sequence[int]) -> None:
        """Record orders that were not simulated, as those of a replay: they lower the need of the shoppers."""
        self.state.mental_state.record_orders(self.hour, np.asarray(shoppers, dtype=np.int64))

    def send(self, sends: Sends) -> None:
        """Accept sends that were decided now. A send whose shopper has no consent when it is due is not delivered.

        Raises
        ------
        ValueError
            When a number is outside its range, or a shopper has not joined yet.
        """
        if not len(sends):
            return
        for name, values, size in (
            ("shoppers", sends.shoppers, self.state.size),
            ("messages", sends.messages, len(self.messages.names)),
            ("channels", sends.channels, len(self.messages.channels.names)),
        ):
            if not 0 <= values.min() <= values.max() < size:
                raise ValueError(f"{name} must be numbers from 0 to {size - 1}")
        if not 0.0 <= sends.delays_h.min() <= sends.delays_h.max() < np.inf:
            raise ValueError("delays_h must be numbers of at least 0")
        if self.population.joins[sends.shoppers].max() >= max(self.hour, 1):
            raise ValueError("shoppers must have joined: nobody can be written to before she joins")
        self._deliveries.accept(self.hour, sends)
