"""Replay: real purchases in virtual time, each asking a shop for a decision, answered by a world's shoppers.

The purchases are real, and so is the pace at which their buyers come back; how a buyer responds to a
notification is simulated by the `World`, whose shoppers order nothing by themselves here. Time passes in ticks
of one hour, as in a `Simulation`. All shops meet the same arrivals and the same random numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import groupby

from policies.catalogue.document import Catalogue
from policies.catalogue.rulebook import Rulebook
from policies.records.rows import Scalar
from simulators.experiments.decision_log import DecisionLog, DecisionOutcomes
from simulators.replay.pace import Pace
from simulators.replay.purchases import Purchase
from simulators.scenario import Scenario
from simulators.shops.base import Arrival, ConsentChange, Shop, ShopperEvent, Trigger
from simulators.world.messages import Messages
from simulators.world.world import World

TICK_S = 3_600.0
DAY_S = 86_400.0
FIRST_TRIGGERS = ("welcome", "first_order")
_SETTLES_DAYS = 8
"""Days after the last purchase until every outcome is known: no order comes later than a week after its click."""


class Replay:
    """Runs one shop through the purchases.

    Parameters
    ----------
    rulebook
        The shop's catalogue.
    purchases
        In time order.
    seed
        Decides who the buyers are and how they respond.
    scenario
        The world; the one that `scenario_of` the purchases makes, if absent.

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
        self._catalogue: Catalogue = rulebook.catalogue
        self._purchases = purchases
        self._seed = seed
        names = dict.fromkeys(purchase.shopper for purchase in purchases)
        self._numbers = {name: number for number, name in enumerate(names)}
        self._world = World(scenario or scenario_of(purchases), len(names), seed, Messages.of(rulebook))
        self._courier = DecisionLog(self._world, rulebook)
        self._pace = Pace()
        self._known: set[str] = set()
        self._asked = 0

    @property
    def world(self) -> World:
        """Whose shoppers answer."""
        return self._world

    def run(self, progress: Callable[[int], None] = lambda _: None) -> list[DecisionOutcomes]:
        """Replay all purchases; give the records in their order."""
        for tick, group in groupby(self._purchases, key=lambda purchase: purchase.at // TICK_S):
            while self._world.now < tick * TICK_S:
                self._hour([])
            now = list(group)
            self._hour(now)
            progress(len(now))
        until = self._purchases[-1].at + _SETTLES_DAYS * DAY_S
        while self._world.now < until:
            self._hour([], asks=False)
        return self._courier.records

    def _hour(self, purchases: Sequence[Purchase], *, asks: bool = True) -> None:
        hour, now = self._world.step(), self._world.now
        if wishes := [*self._introduce(purchases), *self._gone(hour.uninstalled.tolist())]:
            self._shop.wishes(wishes, now)
        if outcomes := self._courier.outcomes(hour):
            self._shop.tell(outcomes, now)
        if purchases:
            self._buy(purchases, now)
        if self._world.tick % 24 == 0:
            self._shop.reach(now)
        arrivals = self._arrivals(purchases, now) if asks else []
        if arrivals:
            numbers = [self._numbers[arrival.shopper_id] for arrival in arrivals]
            self._courier.send(arrivals, self._shop.decide(arrivals), numbers)

    def _introduce(self, purchases: Sequence[Purchase]) -> list[ConsentChange]:
        new = [name for name in dict.fromkeys(each.shopper for each in purchases) if name not in self._known]
        return [ConsentChange(name, self._consent(self._numbers[name])) for name in new]

    def _consent(self, number: int) -> dict[str, bool]:
        names = self._world.repertoire.channels.names
        return dict(zip(names, self._world.population.consent[number].tolist(), strict=True))

    def _gone(self, numbers: Sequence[int]) -> list[ConsentChange]:
        channels = self._world.repertoire.channels
        apps = [name for name, own in zip(channels.names, channels.of_app, strict=True) if own]
        names = list(self._numbers)
        return [ConsentChange(names[number], dict.fromkeys(apps, False)) for number in numbers]

    def _buy(self, purchases: Sequence[Purchase], now: float) -> None:
        acts = [
            ShopperEvent(each.shopper, "purchase", each.at, {"value": max(each.value, 0.0), "invoice": each.invoice})
            for each in purchases
        ]
        self._shop.saw(acts, now)
        self._world.ordered_outside([self._numbers[name] for name in dict.fromkeys(each.shopper for each in purchases)])
        for each in purchases:
            self._pace.ordered(each.shopper, each.at)

    def _arrivals(self, purchases: Sequence[Purchase], now: float) -> list[Arrival]:
        """Ask once for every shopper who bought in this hour, or to whom something is due."""
        happened: dict[str, list[Trigger]] = {}
        for each in purchases:
            if each.shopper not in happened:
                happened[each.shopper] = [Trigger(self._occasion(each.shopper), {"product": each.product})]
        for _, shopper, kind in self._pace.due(now):
            if kind in self._catalogue.triggers and shopper not in happened:
                happened[shopper] = [Trigger(kind)]
        return [self._arrival(shopper, happenings, now) for shopper, happenings in happened.items()]

    def _occasion(self, shopper: str) -> str:
        if shopper in self._known:
            return "post_purchase"
        self._known.add(shopper)
        return FIRST_TRIGGERS[len(self._known) % 2]

    def _arrival(self, shopper: str, happenings: list[Trigger], now: float) -> Arrival:
        self._asked += 1
        mobile = self._world.population.mobile[self._numbers[shopper]]
        context: dict[str, Scalar] = {"device": "mobile" if mobile else "desktop"}
        return Arrival(f"replay-{self._seed}-{self._asked}", shopper, tuple(happenings), now, context)


def scenario_of(purchases: Sequence[Purchase]) -> Scenario:
    """Make the world of a replay: it spans the purchases, and its shoppers order nothing by themselves."""
    start = int(purchases[0].at // DAY_S * DAY_S)
    days = (purchases[-1].at - start) / DAY_S + _SETTLES_DAYS + 1
    return Scenario("replay", weeks=math.ceil(days / 7), start=start, own_orders=False)
