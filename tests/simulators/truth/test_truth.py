"""The truth: the probabilities of joint actions are those of the simulated reactions."""

from __future__ import annotations

import numpy as np
import pytest

from policies.catalogue.rulebook import Rulebook
from simulators.parameters import PARAMETERS
from simulators.scenario import Promo, Scenario
from simulators.world.deliveries import Sends
from simulators.world.expected_reward import ExpectedReward
from simulators.world.messages import Messages
from simulators.world.truth import Truth
from simulators.world.world import World
from tests.simulators.world.counting import count_outcomes

STILL = Scenario("still", weeks=6, own_orders=False)
LIVELY = Scenario(
    "lively",
    weeks=6,
    own_orders=False,
    weekly_shock=0.5,
    taste_flip_week=1,
    promos=(Promo(3, 2, presence=1.5, orders=2.0, offer_logit=1.5),),
    parameters=PARAMETERS.with_values({"lapsed_at_start": 0.5, "refunding_share": 1.0, "most_refunds": 0.6}),
)
"""Every mechanism that changes a probability while a message waits, half of the shoppers lapsed, many refunds."""


@pytest.mark.parametrize("scenario", [STILL, LIVELY], ids=["still", "lively"])
def test_the_truth_is_the_mean_of_what_happens(example_rulebook: Rulebook, scenario: Scenario) -> None:
    """3,000 shoppers get one random joint action each: |z| < 4.5 for each of four means, false-alarm rate 3e-5.

    Rewards are those of the probabilities when the message is seen, without the noise of rare, expensive orders.
    """
    shoppers, space, random = 3_000, example_rulebook.space, np.random.default_rng(1)
    world = World(scenario, shoppers, 1, Messages.of(example_rulebook))
    for _ in range(30):
        world.step()
    world.state.consent[:] = True
    truth = Truth(world, example_rulebook)
    actions = random.integers(len(space), size=shoppers)
    rows = []
    for shopper, action in enumerate(actions.tolist()):
        prospects = truth.prospects(shopper, {int(space.message_of[action]): 0.6})
        seen, click, order = (column[action] for column in (prospects.seen, prospects.click, prospects.order))
        refund = order * world.population.refunds[shopper]
        rows.append((seen, click, order, refund, prospects.out[action], prospects.reward[action]))
        assert order <= seen <= 1.0
    everybody = np.arange(shoppers)
    delays = np.asarray(space.delays_s)[space.delay_of[actions]] / 3_600.0
    warmth = np.full(shoppers, 0.6)
    world.send(Sends(everybody, everybody, space.message_of[actions], space.channel_of[actions], delays, warmth))
    ticks = [world.step() for _ in range(800)]
    counts = count_outcomes(ticks)
    counts["opt_out"] += counts["complaint"]
    counts["seen"] = sum(len(tickets) for tick in ticks for tickets, _ in tick.chances)
    *probabilities, expected = np.array(rows).T
    for name, chances in zip(("seen", "click", "conversion", "refund", "opt_out"), probabilities, strict=True):
        assert abs(counts[name] - chances.sum()) < 4.5 * (chances * (1 - chances)).sum() ** 0.5, name
    worth = ExpectedReward.of(example_rulebook, scenario.parameters)
    rewards = worth.unseen[actions]
    for tickets, chances in (seen for tick in ticks for seen in tick.chances):
        rewards[tickets] = (chances.joint() * worth.seen[actions[tickets]]).sum(axis=(1, 2, 3))
    errors = rewards - expected
    assert abs(errors.mean()) < 4.5 * errors.std() / shoppers**0.5
