"""Replay: real purchases in virtual time. Each purchase asks a shop for a decision, and simulated shoppers react.

The purchases are real, and so is the pace at which shoppers buy. The reactions to messages are simulated by a
`World`, whose shoppers order nothing without a message here. Time passes in hours, as in a `Simulation`. All shops
meet the same arrivals and the same random numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby

import numpy as np

from policies.catalogue.rulebook import Rulebook
from policies.records.rows import Scalar
from simulators.arrays import Indices
from simulators.experiments.decision_log import DecisionLog, DecisionOutcomes
from simulators.replay.pace import DAY_S, Pace
from simulators.replay.purchases import Purchase
from simulators.replay.replay_world import SETTLES_DAYS, shopper_numbers
from simulators.reports.reporting import Reporting
from simulators.shops.base import Arrival, ConsentChange, Shop, ShopperEvent, SimulatedTrigger
from simulators.world.tick import TickEvents
from simulators.world.world import World

HOUR_S = 3_600.0
FIRST_TRIGGERS = ("welcome", "first_order")
"""Triggers of first purchases, in turns."""


class Replay:
    """Runs one shop through real purchases.

    Parameters
    ----------
    shop
        The shop that decides. A service over HTTP must be fresh.
    world
        The world of these purchases: see `world_of`.
    rulebook
        The shop's catalogue.
    purchases
        In time order.
    name
        Begins every event id, so that the draws differ between replays of different names.
    """

    def __init__(self, shop: Shop, world: World, rulebook: Rulebook, purchases: Sequence[Purchase], name: str) -> None:
        self._shop = shop
        self._world = world
        self._name = name
        self._known_triggers = frozenset(rulebook.catalogue.triggers)
        self._purchases = {
            int(hour): list(group) for hour, group in groupby(purchases, key=lambda purchase: purchase.at // HOUR_S)
        }
        self._last_hour = max(self._purchases)
        self._until = purchases[-1].at + SETTLES_DAYS * DAY_S
        self._numbers = shopper_numbers(purchases)
        self._decision_log = DecisionLog(world, rulebook)
        self._reporting = Reporting(world)
        self._pace = Pace()
        self._known_shoppers: set[str] = set()
        self._arrivals_so_far = 0

    @property
    def known_shoppers(self) -> Indices:
        """The numbers of the shoppers who have bought so far."""
        return np.array([self._numbers[name] for name in sorted(self._known_shoppers)], dtype=np.int64)

    def run(self, progress: Callable[[int], None] = lambda _: None) -> list[DecisionOutcomes]:
        """Replay all purchases from now on, and return every decision so far with its outcomes.

        ``progress`` is called with the number of purchases replayed in each hour with purchases.
        """
        while self._world.now < self._until:
            if count := self.step():
                progress(count)
        return self._decision_log.records

    def step(self) -> int:
        """Let one hour pass, and return the number of its purchases; after the last ones nothing is decided."""
        hour = int(self._world.now // HOUR_S)
        purchases = self._purchases.get(hour, [])
        self._step(purchases, decides=hour <= self._last_hour)
        return len(purchases)

    def _step(self, purchases: Sequence[Purchase], *, decides: bool) -> None:
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
        return Arrival(f"{self._name}-{self._arrivals_so_far}", shopper, (trigger,), now, context)
