"""The business rule in the environment."""

from __future__ import annotations

import numpy as np

from policies.catalogue.rulebook import Rulebook
from simulators.envs.actions import HOLD, describe_action
from simulators.envs.agents.rule import CAP, CHANNEL_CAPS, RuleAgent
from simulators.envs.episodes import play, play_returns
from simulators.envs.observations import OBSERVATIONS
from tests.simulators.envs.agents.small import make_env


def test_the_rule_answers_triggers_at_once_within_consents_and_caps() -> None:
    episode = play(make_env(200), RuleAgent(), seed=1)
    sends = episode.actions < HOLD
    facts = {name: episode.observations[:-1, :, place] for place, name in enumerate(OBSERVATIONS)}
    carts = facts["trigger_cart_abandoned"] > 0
    assert 0.02 < sends.mean() < 0.5
    words = [describe_action(int(action)) for action in episode.actions[sends & carts]]
    assert words
    assert all(word.startswith("cart_reminder") for word in words)
    assert all(word.endswith("after 0 h") for word in words)
    weekly = sum(facts[f"sends_{channel}"] * 7 for channel in ("push", "email", "sms", "webpush", "inapp"))
    assert np.max(weekly) <= 7.001
    assert (episode.masks[np.nonzero(sends)][np.arange(sends.sum()), episode.actions[sends]] == 1).all()


def test_the_weekly_caps_are_those_of_the_example_catalogue(example_rulebook: Rulebook) -> None:
    catalogue = example_rulebook.catalogue
    assert {name: channel.caps[0].max for name, channel in catalogue.channels.items()} == CHANNEL_CAPS
    assert [cap.max for cap in catalogue.caps if cap.window_s == 7 * 86_400] == [CAP]


def test_returns_are_the_sums_of_the_rewards_of_the_same_episode() -> None:
    agent = RuleAgent()
    assert np.allclose(play_returns(make_env(5), agent, 2), play(make_env(5), agent, 2).rewards.sum(axis=0))
