"""The truth: the probabilities of joint actions are those of the simulated reactions."""

from __future__ import annotations

import numpy as np

from policies.catalogue.rulebook import Rulebook
from simulators.scenario import Scenario
from simulators.world.deliveries import Sends
from simulators.world.expected_reward import ExpectedReward
from simulators.world.messages import Messages
from simulators.world.truth import Truth
from simulators.world.world import World
from tests.simulators.world.counting import count_outcomes


def test_the_truth_is_the_mean_of_what_happens(example_rulebook: Rulebook) -> None:
    """3,000 shoppers get one random joint action each: |z| < 4.5 for each of four means, false-alarm rate 3e-5.

    Rewards are those of the probabilities when the message is seen, without the noise of rare, expensive orders.
    """
    shoppers, space, random = 3_000, example_rulebook.space, np.random.default_rng(1)
    world = World(Scenario("still", weeks=4, own_orders=False), shoppers, 1, Messages.of(example_rulebook))
    for _ in range(30):
        world.step()
    world.state.consent[:] = True
    truth = Truth(world, example_rulebook)
    actions = random.integers(len(space), size=shoppers)
    rows = []
    for shopper, action in enumerate(actions.tolist()):
        prospects = truth.prospects(shopper, {int(space.message_of[action]): 0.6})
        rows.append((prospects.click[action], prospects.order[action], prospects.out[action], prospects.reward[action]))
        assert prospects.order[action] <= prospects.seen[action] <= 1.0
    everybody = np.arange(shoppers)
    delays = np.asarray(space.delays_s)[space.delay_of[actions]] / 3_600.0
    warmth = np.full(shoppers, 0.6)
    world.send(Sends(everybody, everybody, space.message_of[actions], space.channel_of[actions], delays, warmth))
    ticks = [world.step() for _ in range(400)]
    counts = count_outcomes(ticks)
    counts["opt_out"] += counts["complaint"]
    *probabilities, expected = np.array(rows).T
    for name, chances in zip(("click", "conversion", "opt_out"), probabilities, strict=True):
        assert abs(counts[name] - chances.sum()) < 4.5 * (chances * (1 - chances)).sum() ** 0.5, name
    worth = ExpectedReward.of(example_rulebook)
    rewards = worth.unseen[actions]
    for tickets, chances in (seen for tick in ticks for seen in tick.chances):
        rewards[tickets] = (chances.joint() * worth.seen[actions[tickets]]).sum(axis=(1, 2, 3))
    errors = rewards - expected
    assert abs(errors.mean()) < 4.5 * errors.std() / shoppers**0.5
