"""The price of an opt-out is the worth of the live consents that the world books as lost."""

from __future__ import annotations

import numpy as np

from policies.catalogue.rulebook import Rulebook
from simulators.scenarios.scenario import Scenario
from simulators.shops.later_costs import LaterCosts, Prices
from simulators.truth.truth import Truth
from simulators.world.consents import live_consents, losses_per_opt_out
from simulators.world.messages import Messages
from simulators.world.world import World

FREE = Prices(consent=0.0, visit=0.0, load=0.0, place=0.0)


def test_an_opt_out_costs_each_lost_consent_once(example_rulebook: Rulebook) -> None:
    scenario = Scenario("short", weeks=1)
    world = World(scenario, 30, 5, Messages.of(example_rulebook))
    mental = world.state.mental_state
    shoppers = np.flatnonzero(~mental.lapsed)
    worth = dict(zip(example_rulebook.space.channels, (3.0, 2.0, 1.0, 0.5, 0.25), strict=True))
    warmth = np.ones((len(shoppers), len(world.messages.names)))
    prospects = Truth(world, example_rulebook).prospects(shoppers, warmth)

    scores = LaterCosts(world, example_rulebook, worth, [FREE]).score(shoppers, prospects)

    lost = losses_per_opt_out(world.messages.channels, scenario.parameters)[prospects.space.channel_of]  # (n, C)
    live = live_consents(world.consent, mental.lapsed)[shoppers] * np.array([*worth.values()])  # (S, C)
    booked = prospects.out * (live @ lost.T)
    assert prospects.out.max() > 1e-4
    # The world books an opt-out together with an uninstall twice, the planner once: a product of two small numbers.
    assert np.allclose(prospects.margin - scores, booked, rtol=0.002, atol=1e-6)
