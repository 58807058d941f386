"""A simulation: a shop and the shoppers of a world, hour by hour.

In each hour the shop gets the changes of consent, then the outcomes, then the shoppers' events. At midnight the
clock advances, and the shop publishes what it has learned. Then the shop makes one decision for every shopper who
has at least one trigger in this hour.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping

from msgspec.structs import replace

from policies.catalogue.rulebook import Rulebook
from policies.records.rows import Scalar
from simulators.experiments.counts import Counts
from simulators.experiments.decision_log import DecisionLog, DecisionOutcomes
from simulators.reports.reporting import Reporting
from simulators.scenarios.trigger_traits import PRODUCT_CATEGORIES
from simulators.shops.base import Arrival, ConsentChange, Shop, ShopperEvent, SimulatedTrigger, shopper_id
from simulators.world.tick import Tick
from simulators.world.world import World
from simulators.world.world_state import epoch_seconds

_PRODUCTS = {
    "shoes": ("Runner 3", 89.9),
    "apparel": ("Rain shell", 119.0),
    "accessories": ("Leather belt", 39.5),
    "home": ("Wool throw", 64.0),
}
"""Category → product and price, for the templates."""


class Simulation:
    """Runs one shop in one world.

    Parameters
    ----------
    shop
        The shop that decides. A service over HTTP must be fresh.
    world
        A world with the messages ``Messages.of(rulebook)``.
    rulebook
        The shop's catalogue. Triggers that the catalogue does not have make no arrivals.
    name
        Begins every event id, so that the draws differ between runs of different names.
    campaign
        Returns the shoppers about whom the shop asks by itself now, each with a type of trigger; nobody by default.
    """

    def __init__(
        self,
        shop: Shop,
        world: World,
        rulebook: Rulebook,
        name: str,
        campaign: Callable[[], Mapping[int, str]] = dict,
    ) -> None:
        self._shop = shop
        self._world = world
        self._known_triggers = frozenset(rulebook.catalogue.triggers)
        self._name = name
        self._campaign = campaign
        self._decision_log = DecisionLog(world, rulebook)
        self.reporting = Reporting(world)
        self.counts = Counts(world.scenario.weeks, world.messages)

    @property
    def records(self) -> list[DecisionOutcomes]:
        """Every decision with its outcomes, in the order of the decisions."""
        return self._decision_log.records

    def run(self, report_hours: Callable[[int], None] = lambda _: None) -> list[DecisionOutcomes]:
        """Run to the end of the simulated period; ``report_hours`` is called with 1 after each hour."""
        while self._world.hour < self._world.scenario.hours:
            self.step()
            report_hours(1)
        return self.records

    def step(self) -> None:
        """Let one hour pass: report to the shop what happened, and let the shop decide."""
        tick, now = self._world.step(), self._world.now
        reported = self.reporting.report(tick)
        if changes := self._consent_changes(tick):
            self._shop.change_consent(changes, now)
        if outcomes := self._decision_log.collect_outcomes(tick, reported):
            self._shop.record_outcomes(outcomes, now)
        self.counts.record_tick(tick)
        if events := self._events(reported):
            self._shop.record_events(events, now)
        if self._world.hour % 24 == 0:
            self._shop.advance_clock(now)
        triggers = self._triggers_by_shopper(reported)
        addressed = {shopper: kind for shopper, kind in self._campaign().items() if shopper not in triggers}
        arrivals = [self._arrival(shopper, triggers[shopper], now) for shopper in sorted(triggers)]
        arrivals += [self._campaign_arrival(shopper, addressed[shopper], now) for shopper in sorted(addressed)]
        if arrivals:
            self._decide(arrivals, [*sorted(triggers), *sorted(addressed)])

    def _decide(self, arrivals: list[Arrival], shoppers: list[int]) -> None:
        sends = self._decision_log.send(arrivals, self._shop.decide(arrivals), shoppers)
        if sends is not None:
            self.reporting.record_sends(sends)
            self.counts.record_sends(self._world.hour, sends)

    def _consent_changes(self, tick: Tick) -> list[ConsentChange]:
        channels, consent = self._world.messages.channels, self._world.population.consent
        joined = [
            ConsentChange(shopper_id(shopper), dict(zip(channels.names, consent[shopper].tolist(), strict=True)))
            for shopper in tick.joined.tolist()
        ]
        of_app = [name for name, is_of_app in zip(channels.names, channels.of_app, strict=True) if is_of_app]
        uninstalled = [
            ConsentChange(shopper_id(shopper), dict.fromkeys(of_app, False)) for shopper in tick.uninstalled.tolist()
        ]
        return joined + uninstalled

    def _events(self, tick: Tick) -> list[ShopperEvent]:
        scenario, shopper_events = self._world.scenario, []
        for events in tick.events:
            for row, (shopper, at) in enumerate(zip(events.shoppers.tolist(), events.at.tolist(), strict=True)):
                attributes: dict[str, Scalar] = {}
                if events.category is not None:
                    attributes["category"] = PRODUCT_CATEGORIES[events.category[row]]
                if events.values is not None:
                    attributes["value"] = float(events.values[row])
                shopper_events.append(
                    ShopperEvent(shopper_id(shopper), events.kind, epoch_seconds(scenario, at), attributes)
                )
        return shopper_events

    def _triggers_by_shopper(self, tick: Tick) -> Mapping[int, list[SimulatedTrigger]]:
        by_shopper: dict[int, list[SimulatedTrigger]] = defaultdict(list)
        for triggers in tick.triggers:
            if triggers.kind in self._known_triggers:
                for row, shopper in enumerate(triggers.shoppers.tolist()):
                    category = None if triggers.category is None else int(triggers.category[row])
                    trigger = SimulatedTrigger(triggers.kind, _attributes(triggers.kind, category))
                    by_shopper[shopper].append(trigger)
        return by_shopper

    def _arrival(self, shopper: int, triggers: list[SimulatedTrigger], now: float) -> Arrival:
        # A request names each trigger once: of two triggers of one type only the first counts.
        by_type = {trigger.type: trigger for trigger in reversed(triggers)}
        device = "mobile" if self._world.population.mobile[shopper] else "desktop"
        return Arrival(
            event_id=f"{self._name}-{self._world.hour}-{shopper}",
            shopper_id=shopper_id(shopper),
            triggers=tuple(by_type[kind] for kind in sorted(by_type)),
            at=now,
            context={"device": device},
        )

    def _campaign_arrival(self, shopper: int, kind: str, now: float) -> Arrival:
        trigger = SimulatedTrigger(kind, _attributes(kind, int(self._world.population.favourite[shopper])))
        return replace(self._arrival(shopper, [trigger], now), campaign=True)


def _attributes(kind: str, category: int | None) -> dict[str, Scalar]:
    if category is None:
        return {"promo_code": "HELLO10"}
    name = PRODUCT_CATEGORIES[category]
    product, price = _PRODUCTS[name]
    attributes: dict[str, Scalar] = {"category": name, "product": product, "price": price, "currency": "EUR"}
    if kind == "cart_abandoned":
        attributes |= {"promo_code": "HELLO10", "missing_amount": 12.5}
    return attributes
