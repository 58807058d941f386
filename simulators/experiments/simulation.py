"""A simulation: a shop deals with the shoppers of a world, hour by hour.

In each tick the shop is told of consent, then of outcomes, then of what shoppers did; at midnight the clock is
set; then it decides for every shopper to whom something happened, once for all that happened at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping

from policies.catalogue.rulebook import Rulebook
from policies.records.rows import Scalar
from simulators.experiments.counts import Counts
from simulators.experiments.decision_log import DecisionLog, DecisionOutcomes
from simulators.parameters import PRODUCT_CATEGORIES
from simulators.shops.base import Arrival, ConsentChange, Shop, ShopperEvent, Trigger, shopper_id
from simulators.world.tick import Tick
from simulators.world.world import World
from simulators.world.world_state import seconds

_PRODUCTS = {
    "shoes": ("Runner 3", 89.9),
    "apparel": ("Rain shell", 119.0),
    "accessories": ("Leather belt", 39.5),
    "home": ("Wool throw", 64.0),
}
"""Product and price by category: what templates are filled with."""


class Simulation:
    """Drives one shop through one world.

    Parameters
    ----------
    shop
        What decides. Over HTTP it must be fresh.
    world
        Made with ``Repertoire.of(rulebook)``.
    rulebook
        The shop's catalogue: triggers that it lacks do not ask.
    name
        Starts every event id, so that draws belong to the run.
    """

    def __init__(self, shop: Shop, world: World, rulebook: Rulebook, name: str) -> None:
        self._shop = shop
        self._world = world
        self._known = frozenset(rulebook.catalogue.triggers)
        self._name = name
        self._courier = DecisionLog(world, rulebook)
        self.tally = Counts(world.scenario.weeks, world.repertoire)

    @property
    def records(self) -> list[DecisionOutcomes]:
        """Every decision with what became of it, in order."""
        return self._courier.records

    def run(self, progress: Callable[[int], None] = lambda _: None) -> list[DecisionOutcomes]:
        """Run to the calendar's end; ``progress`` hears of each hour."""
        while self._world.tick < self._world.scenario.hours:
            self.step()
            progress(1)
        return self.records

    def step(self) -> None:
        """Let an hour pass, tell the shop what it brought, and let it decide."""
        hour, now = self._world.step(), self._world.now
        if wishes := self._wishes(hour):
            self._shop.wishes(wishes, now)
        if outcomes := self._courier.outcomes(hour):
            self._shop.tell(outcomes, now)
        self.tally.saw(hour)
        if acts := self._acts(hour):
            self._shop.saw(acts, now)
        if self._world.tick % 24 == 0:
            self._shop.reach(now)
        if happened := self._happened(hour):
            shoppers = sorted(happened)
            arrivals = [self._arrival(shopper, happened[shopper], now) for shopper in shoppers]
            sends = self._courier.send(arrivals, self._shop.decide(arrivals), shoppers)
            if sends is not None:
                self.tally.sent(self._world.tick, sends)

    def _wishes(self, hour: Tick) -> list[ConsentChange]:
        names, consent = self._world.repertoire.channels.names, self._world.population.consent
        joined = [
            ConsentChange(shopper_id(shopper), dict(zip(names, consent[shopper].tolist(), strict=True)))
            for shopper in hour.joined.tolist()
        ]
        apps = [name for name, own in zip(names, self._world.repertoire.channels.of_app, strict=True) if own]
        gone = [ConsentChange(shopper_id(shopper), dict.fromkeys(apps, False)) for shopper in hour.uninstalled.tolist()]
        return joined + gone

    def _acts(self, hour: Tick) -> list[ShopperEvent]:
        acts = []
        for events in hour.events:
            for row, (shopper, at) in enumerate(zip(events.shoppers.tolist(), events.at.tolist(), strict=True)):
                attributes: dict[str, Scalar] = {}
                if events.category is not None:
                    attributes["category"] = PRODUCT_CATEGORIES[events.category[row]]
                if events.values is not None:
                    attributes["value"] = float(events.values[row])
                acts.append(
                    ShopperEvent(shopper_id(shopper), events.kind, seconds(self._world.scenario, at), attributes)
                )
        return acts

    def _happened(self, hour: Tick) -> Mapping[int, list[Trigger]]:
        happened: dict[int, list[Trigger]] = defaultdict(list)
        for triggers in hour.triggers:
            if triggers.kind in self._known:
                for row, shopper in enumerate(triggers.shoppers.tolist()):
                    number = None if triggers.category is None else int(triggers.category[row])
                    happened[shopper].append(Trigger(triggers.kind, _attributes(triggers.kind, number)))
        return happened

    def _arrival(self, shopper: int, happenings: list[Trigger], now: float) -> Arrival:
        # Of two that are alike only the first counts: a request names each trigger once.
        distinct = {each.type: each for each in reversed(happenings)}
        device = "mobile" if self._world.population.mobile[shopper] else "desktop"
        return Arrival(
            event_id=f"{self._name}-{self._world.tick}-{shopper}",
            shopper_id=shopper_id(shopper),
            happenings=tuple(distinct[kind] for kind in sorted(distinct)),
            at=now,
            context={"device": device},
        )


def _attributes(kind: str, category: int | None) -> dict[str, Scalar]:
    if category is None:
        return {"promo_code": "HELLO10"}
    name = PRODUCT_CATEGORIES[category]
    product, price = _PRODUCTS[name]
    attributes: dict[str, Scalar] = {"category": name, "product": product, "price": price, "currency": "EUR"}
    if kind == "cart_abandoned":
        attributes |= {"promo_code": "HELLO10", "missing_amount": 12.5}
    return attributes
