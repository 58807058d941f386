"""Foresight: one row for each arrival, for the messages that answer its triggers."""

from __future__ import annotations

import numpy as np

from policies.catalogue.rulebook import Rulebook
from simulators.scenarios.scenario import find_scenario
from simulators.shops.base import Arrival, SimulatedTrigger, shopper_id
from simulators.shops.foresight import Foresight
from simulators.truth.truth import Truth
from simulators.world.messages import Messages
from simulators.world.world import World


def arrival(shopper: int, *kinds: str) -> Arrival:
    return Arrival(f"e-{shopper}", shopper_id(shopper), tuple(map(SimulatedTrigger, kinds)), 0.0)


def test_an_arrival_has_the_prospects_of_the_warmest_trigger_that_a_message_answers(example_rulebook: Rulebook) -> None:
    world, space = World(find_scenario("stationary"), 3, 1, Messages.of(example_rulebook)), example_rulebook.space
    world.step()
    world.state.consent[:] = True
    truth = Truth(world, example_rulebook)
    foresight = Foresight(truth, example_rulebook)
    prospects = foresight.prospects(
        [arrival(2, "product_viewed", "wishlist"), arrival(0, "cart_abandoned"), arrival(1, "unknown")]
    )
    warmth = np.full((2, len(space.messages)), np.nan)
    for message, first in (("browse_hint", 0.5), ("cross_sell", 0.4), ("price_alert", 0.5)):
        warmth[0, space.messages.index(message)] = first
    warmth[1, [space.messages.index(name) for name in ("cart_reminder", "cart_offer", "cart_free_delivery")]] = 1.0
    expected = truth.prospects(np.array([2, 0]), warmth)
    assert (prospects.margin[:2] == expected.margin).all()
    assert (prospects.click[:2] > 0.0).any(axis=1).all()
    assert not prospects.margin[2].any()


def test_no_arrivals_have_no_prospects(example_rulebook: Rulebook) -> None:
    world = World(find_scenario("stationary"), 3, 1, Messages.of(example_rulebook))
    assert len(Foresight(Truth(world, example_rulebook), example_rulebook).prospects([]).margin) == 0
