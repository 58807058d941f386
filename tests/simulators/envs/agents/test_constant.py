"""The constant policy: its days, and the search for the best one."""

from __future__ import annotations

import numpy as np
import pytest

from simulators.envs.actions import HOLD, describe_action
from simulators.envs.agents.constant import ConstantAgent, find_constant
from simulators.envs.episodes import play, play_returns
from tests.simulators.envs.agents.small import make_env


@pytest.mark.parametrize("days", [1, 3, 7])
def test_a_constant_agent_sends_its_action_on_its_days(days: int) -> None:
    episode = play(make_env(20), ConstantAgent(27, days), seed=1)
    always_legal = episode.masks[:, :, 27].all(axis=0)
    expected = np.where(np.arange(len(episode.actions)) % days == 0, 27, HOLD)
    assert always_legal.any()
    assert (episode.actions[:, always_legal] == expected[:, None]).all()
    assert (episode.actions[episode.masks[:, :, 27] == 0] == HOLD).all()


def test_the_search_finds_a_constant_that_is_better_than_a_bad_one() -> None:
    best = find_constant(make_env, seed=1, shoppers=(1, 8))
    offer_by_sms = ConstantAgent(36, 1)
    assert describe_action(36) == "cart_offer by sms after 2 h"
    ours, theirs = (play_returns(make_env(100), agent, seed=9).mean() for agent in (best, offer_by_sms))
    assert ours > theirs
