"""The plan of the planner in a replay: what a consent is worth there, and the planner's prices.

Both come from replays of a training population: the purchases of some shoppers of the file, to whom other traits and
other reactions are drawn than to the shoppers that the planner is judged on.

The purchases after the file are not known. Those of the second half of the file, at most its last 26 weeks, stand for
them: at their beginning each replay but the first withdraws the consents of its shoppers so far to one channel. The
difference of the margins from then on, divided by the number of these consents that were live, is the worth of a
consent: at least 0, and in proportion to 26 weeks.

A replay asks when a shopper buys and at the shopper's pace, and nothing else: the planner asks nothing by itself here.
"""

from __future__ import annotations

from collections.abc import Sequence

from policies.catalogue.rulebook import Rulebook
from simulators.experiments.weekly_values import values_of
from simulators.plans.consent_worth import withdraw_consents
from simulators.plans.plan import Plan
from simulators.plans.price_search import SHOPPERS, Compared, search_plan
from simulators.plans.training_world import FIRST_TRAINING_SHOPPER, TRAINING_SHOP
from simulators.random_streams import Seeds
from simulators.replay.pace import DAY_S
from simulators.replay.purchases import Purchase
from simulators.replay.replay import Replay
from simulators.replay.replay_world import shopper_numbers, world_of
from simulators.scenarios.scenario import Scenario
from simulators.shops.later_costs import AFTER_WEEKS, ConsentWorth, Prices
from simulators.shops.planner import PLANNER, Planner
from simulators.world.world import World

_AFTER_S = AFTER_WEEKS * 7 * DAY_S


def make_plan(
    purchases: Sequence[Purchase], scenario: Scenario, rulebook: Rulebook, shoppers: int = SHOPPERS, rounds: int = 1
) -> Plan:
    """Find the worth of consents in a replay, then the planner's prices in so many rounds.

    Parameters
    ----------
    shoppers
        Size of the training population.
    """
    population = _ReplayPopulation(choose_purchases(purchases, shoppers), scenario, rulebook)
    return search_plan(population, scenario, rulebook, rounds)


def make_planner(
    world: World, rulebook: Rulebook, purchases: Sequence[Purchase], plan: Plan, seed: bytes = PLANNER.encode()
) -> Planner:
    """Return the planner as the shop of a replay in a world of these purchases; ``seed`` is that of the draws."""
    number_of = shopper_numbers(purchases).__getitem__
    return Planner(world, rulebook, plan.worth, [plan.prices], seed, number_of)


def choose_purchases(purchases: Sequence[Purchase], shoppers: int) -> list[Purchase]:
    """Return the purchases of so many shoppers, or of all: evenly spread over the order of first purchases.

    >>> bought = [Purchase(str(number), f"s-{number % 5}", number, 1.0, "") for number in range(10)]
    >>> [purchase.shopper for purchase in choose_purchases(bought, 2)]
    ['s-0', 's-2', 's-0', 's-2']
    """
    names = [*shopper_numbers(purchases)]
    count = min(shoppers, len(names))
    chosen = {names[number * len(names) // count] for number in range(count)}
    return [purchase for purchase in purchases if purchase.shopper in chosen]


class _ReplayPopulation:
    """The training population of a replay. Its replays begin on the first day of the purchases."""

    def __init__(self, purchases: Sequence[Purchase], scenario: Scenario, rulebook: Rulebook) -> None:
        self._purchases = purchases
        self._scenario = scenario
        self._rulebook = rulebook
        self._names = [*shopper_numbers(purchases)]

    def compare(self, worth: ConsentWorth, prices: Sequence[Prices]) -> Compared:
        compared = []
        for one in prices:
            world, _, replay = self._open(Plan(worth, one))
            replay.run()
            compared.append((one, values_of(world, worth)))
        return compared

    def measure_worth(self, guess: Plan) -> ConsentWorth:
        """Return what a consent earns the planner with this plan in 26 weeks, by channel."""
        bought_first, bought_last = self._purchases[0].at, self._purchases[-1].at
        begin = max(bought_last - _AFTER_S, (bought_first + bought_last) / 2.0)
        share = _AFTER_S / max(bought_last - begin, DAY_S)
        margin, _ = self._margin_without(None, begin, guess)
        worth = {}
        for channel, name in enumerate(self._rulebook.space.channels):
            lower, live = self._margin_without(channel, begin, guess)
            worth[name] = max(0.0, (margin - lower) / max(1, live) * share)
        return worth

    def _margin_without(self, channel: int | None, begin: float, plan: Plan) -> tuple[float, int]:
        """Return the margin where a channel loses its consents, and how many of these were live."""
        world, planner, replay = self._open(plan)
        while world.now < begin:
            replay.step()
        live = 0
        if channel is not None:
            live = withdraw_consents(world, planner, replay.known_shoppers, channel, self._names.__getitem__)
        replay.run()
        return float(world.margins.expected.sum()), live

    def _open(self, plan: Plan) -> tuple[World, Planner, Replay]:
        world = world_of(self._purchases, self._rulebook, Seeds(TRAINING_SHOP, FIRST_TRAINING_SHOPPER), self._scenario)
        planner = make_planner(world, self._rulebook, self._purchases, plan)
        return world, planner, Replay(planner, world, self._rulebook, self._purchases, "training")
