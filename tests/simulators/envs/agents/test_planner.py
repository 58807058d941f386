"""The planner of the environment."""

from __future__ import annotations

import numpy as np

from simulators.envs.actions import CHANNELS, HOLD, SENDS, Slots
from simulators.envs.agents.planner import LOAD_PRICES, PlannerAgent, find_load_price
from simulators.envs.episodes import play_returns
from simulators.envs.notification_vector_env import NotificationVectorEnv
from simulators.family.draw import draw_world
from tests.simulators.envs.agents.small import make_env


def test_the_planner_takes_the_best_action_and_a_price_makes_it_send_less() -> None:
    env = make_env(8)
    observations, info = env.reset(seed=4)
    best = np.nanargmax(env.action_values(), axis=1)
    chosen = PlannerAgent(env, 0.0).probabilities(observations, info["action_mask"]).argmax(axis=1)
    assert (chosen == best).all()
    dear = PlannerAgent(env, 1e6).probabilities(observations, info["action_mask"]).argmax(axis=1)
    assert (dear == HOLD).all()


def test_a_send_has_the_load_of_its_channel_in_the_world_of_the_environment() -> None:
    world = draw_world(60)
    channels = world.parameters.channel_table(CHANNELS)
    loads = np.append((channels.weight * channels.looked)[Slots.of(np.arange(SENDS)).channels], 0.0)
    env = NotificationVectorEnv(40, world, weeks=2, reward="expected")
    observations, info = env.reset(seed=4)
    best = np.nanargmax(env.action_values() - 0.02 * loads, axis=1)
    chosen = PlannerAgent(env, 0.02).probabilities(observations, info["action_mask"]).argmax(axis=1)
    assert (chosen == best).all()


def test_the_search_returns_the_price_that_earns_the_most() -> None:
    price = find_load_price(make_env, seed=1, shoppers=20)
    values = {}
    for one in LOAD_PRICES:
        env = make_env(20)
        values[one] = play_returns(env, PlannerAgent(env, one), seed=1).mean()
    assert values[price] == max(values.values()) > min(values.values())
