"""The planner: it pays for what a send costs later, and keeps the guardrails in its campaigns."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields

import pytest

from policies.catalogue.rulebook import Rulebook
from simulators.experiments.decision_log import DecisionOutcomes
from simulators.experiments.simulation import Simulation
from simulators.scenarios.scenario import Scenario, find_scenario
from simulators.shops.later_costs import ConsentWorth, Prices
from simulators.shops.planner import Planner
from simulators.world.messages import Messages
from simulators.world.world import World

BUSY = Scenario("busy", weeks=1, visits_per_week=12.0)


def play(
    scenario: Scenario, rulebook: Rulebook, prices: Prices, worth: ConsentWorth
) -> tuple[World, list[DecisionOutcomes]]:
    world = World(scenario, 40, 5, Messages.of(rulebook))
    planner = Planner(world, rulebook, worth, [prices])
    simulation = Simulation(planner, world, rulebook, "planner", planner.campaign)
    return world, simulation.run()


def test_dear_consents_places_and_loads_are_spared(example_rulebook: Rulebook) -> None:
    cheap, records = play(BUSY, example_rulebook, Prices(consent=0.0, visit=0.0, load=0.0), {})
    assert cheap.margins.sends == sum(record.delivered for record in records) > 5
    dear = dict.fromkeys(example_rulebook.space.channels, 50.0)
    spared, _ = play(BUSY, example_rulebook, Prices(), dear)
    assert spared.margins.sends < cheap.margins.sends
    assert spared.consent_losses.expected.sum() < cheap.consent_losses.expected.sum()
    for prices in (Prices(place=1_000.0), Prices(load=1_000.0)):
        none, _ = play(BUSY, example_rulebook, prices, {})
        assert none.margins.sends == 0


def test_campaigns_write_to_shoppers_who_did_nothing_within_the_caps(example_rulebook: Rulebook) -> None:
    rare = Scenario("rare", weeks=1, visits_per_week=0.2)
    waiting, _ = play(rare, example_rulebook, Prices(load=0.0), {})
    asking, records = play(rare, example_rulebook, Prices(load=0.0, campaigns=7.0), {})
    assert asking.margins.sends > 3 * waiting.margins.sends
    sends = Counter(
        (record.shopper, record.action.channel) for record in records if record.action is not None and record.delivered
    )
    most = {name: channel.caps[0].max for name, channel in example_rulebook.catalogue.channels.items()}
    assert all(count <= most[channel] for (_, channel), count in sends.items())


@pytest.mark.parametrize("name", [one.name for one in fields(Prices)])
def test_an_impossible_price_is_refused(name: str) -> None:
    for value in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=name):
            Prices(**{name: value})
    with pytest.raises(ValueError, match="campaigns must be a whole number"):
        Prices(campaigns=2.5)


def test_nobody_is_addressed_before_she_joins(example_rulebook: Rulebook) -> None:
    scenario = find_scenario("new_shoppers").with_weeks(1)
    world, records = play(scenario, example_rulebook, Prices(load=0.0, campaigns=7.0), {})
    joins = {f"s-{number}": world.scenario.start + 3_600 * hour for number, hour in enumerate(world.population.joins)}
    assert records
    assert all(record.at >= joins[record.shopper] for record in records)
