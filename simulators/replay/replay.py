"""Replay: real purchases in virtual time. Each purchase asks a shop for a decision, and simulated shoppers react.

The purchases are real, and so is the pace at which shoppers buy. The reactions to messages are simulated by a
`World`, whose shoppers order nothing without a message here. Time passes in hours, as in a `Simulation`. All shops
meet the same arrivals and the same random numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np

from policies.catalogue.rulebook import Rulebook
from policies.records.rows import Scalar
from simulators.experiments.decision_log import DecisionLog, DecisionOutcomes
from simulators.replay.pace import DAY_S, Pace
from simulators.replay.purchases import Purchase
from simulators.reports.reporting import Reporting
from simulators.scenario import Scenario
from simulators.shops.base import Arrival, ConsentChange, Shop, ShopperEvent, SimulatedTrigger
from simulators.world.messages import Messages
from simulators.world.tick import TickEvents
from simulators.world.world import World

HOUR_S = 3_600.0
FIRST_TRIGGERS = ("welcome", "first_order")
"""Triggers of first purchases, in turns."""

_SETTLES_DAYS = 31
"""Days after the last purchase until all outcomes are known: a message is seen within 8 days, an order follows within
a week, and is sent back within 16 days."""


class Replay:
    """Runs one shop through real purchases.

    Parameters
    ----------
    rulebook
        The shop's catalogue.
    purchases
        In time order.
    seed
        Decides the traits of the shoppers and their reactions.
    scenario
        The scenario of the world; `scenario_of` the purchases if absent.

    Raises
    ------
    ValueError
        When the purchases span more than two years.
    """

    def __init__(
        self,
        shop: Shop,
        rulebook: Rulebook,
        purchases: Sequence[Purchase],
        seed: int,
        scenario: Scenario | None = None,
    ) -> None:
        self._shop = shop
        self._known_triggers = frozenset(rulebook.catalogue.triggers)
        self._purchases = purchases
        self._seed = seed
        names = dict.fromkeys(purchase.shopper for purchase in purchases)
        self._numbers = {name: number for number, name in enumerate(names)}
        self._world = World(scenario or scenario_of(purchases), len(names), seed, Messages.of(rulebook))
        self._decision_log = DecisionLog(self._world, rulebook)
        self._reporting = Reporting(self._world)
        self._pace = Pace()
        self._known_shoppers: set[str] = set()
        self._arrivals_so_far = 0

    @property
    def world(self) -> World:
        """The world of the simulated reactions."""
        return self._world

    def run(self, progress: Callable[[int], None] = lambda _: None) -> list[DecisionOutcomes]:
        """Replay all purchases, and return every decision with its outcomes.

        ``progress`` is called with the number of purchases replayed in each hour with purchases.
        """
        for hour, group in groupby(self._purchases, key=lambda purchase: purchase.at // HOUR_S):
            while self._world.now < hour * HOUR_S:
                self._step([])
            purchases = list(group)
            self._step(purchases)
            progress(len(purchases))
        until = self._purchases[-1].at + _SETTLES_DAYS * DAY_S
        while self._world.now < until:
            self._step([], decides=False)
        return self._decision_log.records

    def _step(self, purchases: Sequence[Purchase], *, decides: bool = True) -> None:
        """Let one hour with these purchases pass."""
        tick, now = self._world.step(), self._world.now
        if changes := [*self._first_consents(purchases), *self._withdrawals(tick.uninstalled.tolist())]:
            self._shop.change_consent(changes, now)
        reported = self._reporting.report(tick, self._orders(purchases))
        if outcomes := self._decision_log.collect_outcomes(tick, reported):
            self._shop.record_outcomes(outcomes, now)
        if purchases:
            self._record_purchases(purchases, now)
        if self._world.hour % 24 == 0:
            self._shop.advance_clock(now)
        arrivals = self._arrivals(purchases, now) if decides else []
        if arrivals:
            numbers = [self._numbers[arrival.shopper_id] for arrival in arrivals]
            sends = self._decision_log.send(arrivals, self._shop.decide(arrivals), numbers)
            if sends is not None:
                self._reporting.record_sends(sends)

    def _orders(self, purchases: Sequence[Purchase]) -> TickEvents:
        """Return the orders of an hour, which a rule of attribution may credit to sends."""
        return TickEvents(
            "purchase",
            np.array([self._numbers[purchase.shopper] for purchase in purchases], dtype=np.int64),
            np.array([(purchase.at - self._world.scenario.start) / HOUR_S for purchase in purchases]),
            values=np.array([max(purchase.value, 0.0) for purchase in purchases]),
        )

    def _first_consents(self, purchases: Sequence[Purchase]) -> list[ConsentChange]:
        """Return the consent of the shoppers who buy for the first time."""
        names = dict.fromkeys(purchase.shopper for purchase in purchases)
        new = (name for name in names if name not in self._known_shoppers)
        return [ConsentChange(name, self._consent(self._numbers[name])) for name in new]

    def _consent(self, number: int) -> dict[str, bool]:
        names = self._world.messages.channels.names
        return dict(zip(names, self._world.population.consent[number].tolist(), strict=True))

    def _withdrawals(self, uninstalled: Sequence[int]) -> list[ConsentChange]:
        channels = self._world.messages.channels
        of_app = [name for name, is_of_app in zip(channels.names, channels.of_app, strict=True) if is_of_app]
        names = list(self._numbers)
        return [ConsentChange(names[number], dict.fromkeys(of_app, False)) for number in uninstalled]

    def _record_purchases(self, purchases: Sequence[Purchase], now: float) -> None:
        events = [
            ShopperEvent(
                purchase.shopper,
                "purchase",
                purchase.at,
                {"value": max(purchase.value, 0.0), "invoice": purchase.invoice},
            )
            for purchase in purchases
        ]
        self._shop.record_events(events, now)
        names = dict.fromkeys(purchase.shopper for purchase in purchases)
        self._world.record_outside_orders([self._numbers[name] for name in names])
        for purchase in purchases:
            self._pace.record_order(purchase.shopper, purchase.at)

    def _arrivals(self, purchases: Sequence[Purchase], now: float) -> list[Arrival]:
        """Return one arrival for every shopper who bought in this hour, or for whom a trigger is due."""
        triggers: dict[str, SimulatedTrigger] = {}
        for purchase in purchases:
            if purchase.shopper not in triggers:
                kind = self._purchase_trigger(purchase.shopper)
                triggers[purchase.shopper] = SimulatedTrigger(kind, {"product": purchase.product})
        for _, shopper, kind in self._pace.pop_due(now):
            if kind in self._known_triggers and shopper not in triggers:
                triggers[shopper] = SimulatedTrigger(kind)
        return [self._arrival(shopper, trigger, now) for shopper, trigger in triggers.items()]

    def _purchase_trigger(self, shopper: str) -> str:
        if shopper in self._known_shoppers:
            return "post_purchase"
        self._known_shoppers.add(shopper)
        return FIRST_TRIGGERS[len(self._known_shoppers) % 2]

    def _arrival(self, shopper: str, trigger: SimulatedTrigger, now: float) -> Arrival:
        self._arrivals_so_far += 1
        mobile = self._world.population.mobile[self._numbers[shopper]]
        context: dict[str, Scalar] = {"device": "mobile" if mobile else "desktop"}
        return Arrival(f"replay-{self._seed}-{self._arrivals_so_far}", shopper, (trigger,), now, context)


def scenario_of(purchases: Sequence[Purchase], base: Scenario | None = None) -> Scenario:
    """Return the scenario of a replay: it spans the purchases, and shoppers order nothing without a message.

    Everything else is as in ``base``, by default the world without changes.
    """
    start = int(purchases[0].at // DAY_S * DAY_S)
    days = (purchases[-1].at - start) / DAY_S + _SETTLES_DAYS + 1
    return replace(base or Scenario("replay"), weeks=math.ceil(days / 7), start=start, own_orders=False)
