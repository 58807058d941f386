"""The world: shoppers by the thousand, one hour at a time, with known truth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from simulators.scenario import Scenario
from simulators.shoppers.population import Population
from simulators.world.deliveries import Deliveries, Sends
from simulators.world.margins import Margins
from simulators.world.messages import STANDARD, Messages
from simulators.world.reactions import Reactions
from simulators.world.tick import Rows, Tick
from simulators.world.triggers import KINDS, TriggerSchedule
from simulators.world.visits import Visits
from simulators.world.world_state import WorldState, seconds


class CalendarEnded(RuntimeError):
    """The calendar of the scenario has no more hours."""


class World:
    """A simulated shop's shoppers.

    In each tick sends that are due are delivered and seen, shoppers react, come by themselves, look, leave
    carts and order; what became known comes back as an `Tick`. Then the shop decides and calls `send`.

    Parameters
    ----------
    scenario
        Which world.
    shoppers
        How many, those who join later included.
    seed
        Another seed gives other shoppers and other moods. Two worlds of one seed meet the same random
        numbers whatever is sent, so their difference is what the sends did.
    repertoire
        What can be sent.

    Raises
    ------
    ValueError
        Naming the parameter that makes no world.

    Examples
    --------
    >>> from simulators.scenario import scenario
    >>> world = World(scenario("stationary"), shoppers=500, seed=1)
    >>> sum(len(visitors) for _ in range(168) for visitors in world.step().visitors)
    558
    """

    def __init__(self, scenario: Scenario, shoppers: int, seed: int, repertoire: Messages = STANDARD) -> None:
        if not 1 <= shoppers < 1 << 32:
            raise ValueError(f"shoppers must be at least 1, not {shoppers}")
        self.society = WorldState.found(scenario, shoppers, seed, repertoire, len(KINDS))
        self.tick = 0
        occasions = TriggerSchedule(self.society)
        self._occasions = occasions
        self._mail = Deliveries(self.society)
        self._visits = Visits(self.society, occasions)
        self._reading = Reactions(self.society, occasions)

    @property
    def scenario(self) -> Scenario:
        """The scenario."""
        return self.society.scenario

    @property
    def population(self) -> Population:
        """Who the shoppers are."""
        return self.society.population

    @property
    def repertoire(self) -> Messages:
        """What can be sent."""
        return self.society.repertoire

    @property
    def ledger(self) -> Margins:
        """What orders brought and sends cost."""
        return self.society.ledger

    @property
    def consent(self) -> NDArray[np.bool_]:
        """Consent as it is now, (N, C); to read, not to write."""
        return self.society.consent

    @property
    def now(self) -> float:
        """Epoch seconds: the beginning of the next tick."""
        return seconds(self.scenario, self.tick)

    def present(self) -> Rows:
        """Give the shoppers who have joined."""
        return np.flatnonzero(self.population.joins < max(self.tick, 1))

    def step(self) -> Tick:
        """Let an hour pass.

        Raises
        ------
        CalendarEnded
            After the last hour.
        """
        if self.tick >= self.scenario.hours:
            raise CalendarEnded(f"the calendar of {self.scenario.name!r} ends after {self.scenario.weeks} weeks")
        hour = Tick(self.tick)
        self._occasions.pass_hour(hour)
        seen = self._mail.pass_hour(hour)
        self._reading.pass_hour(hour, seen)
        self._visits.pass_hour(hour)
        self.tick += 1
        return hour

    def ordered_outside(self, shoppers: Sequence[int]) -> None:
        """Note orders that come from elsewhere, as in a replay: they meet the shoppers' need for now."""
        self.society.moods.ordered(self.tick, np.asarray(shoppers, dtype=np.int64))

    def send(self, sends: Sends) -> None:
        """Take sends that were decided now; those without consent when they are due are not delivered.

        Raises
        ------
        ValueError
            When a number is outside its range.
        """
        for name, values, size in (
            ("shoppers", sends.shoppers, self.society.size),
            ("messages", sends.messages, len(self.repertoire.messages)),
            ("channels", sends.channels, len(self.repertoire.channels.names)),
        ):
            if len(values) and not 0 <= values.min() <= values.max() < size:
                raise ValueError(f"{name} must be numbers from 0 to {size - 1}")
        if len(sends) and not (sends.delays_h.min() >= 0.0 and np.isfinite(sends.delays_h).all()):
            raise ValueError("delays_h must be numbers of at least 0")
        self._mail.take(self.tick, sends)
