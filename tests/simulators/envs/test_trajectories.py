"""Episodes as a log: what is read back is what was played, and the log can be evaluated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from offline_eval.logs.tables.log import read_log, write_rewarded_rows
from simulators.arrays import FloatArray
from simulators.envs.actions import HOLD, action_rulebook
from simulators.envs.episodes import Episode, UniformAgent, play
from simulators.envs.notification_vector_env import NotificationVectorEnv
from simulators.envs.observations import OBSERVATIONS
from simulators.envs.trajectories import decision_rows

SHOPPERS = 30


class HalfHold:
    """Sends nothing with probability ½, any legal action otherwise."""

    def probabilities(self, observations: np.ndarray, mask: np.ndarray) -> FloatArray:
        p = 0.5 * UniformAgent().probabilities(observations, mask)
        p[:, HOLD] += 0.5
        return p


class Lawless:
    """Does not look at the mask."""

    def probabilities(self, observations: np.ndarray, mask: np.ndarray) -> FloatArray:
        return np.full(mask.shape, 1.0 / mask.shape[1])


@pytest.fixture(scope="module")
def episode() -> Episode:
    return play(NotificationVectorEnv(SHOPPERS, "new_shoppers", weeks=2), HalfHold(), seed=4, world=1)


def test_the_log_is_the_episode(episode: Episode, tmp_path: Path) -> None:
    file, days = tmp_path / "trajectories.parquet", len(episode.actions)
    assert write_rewarded_rows(file, decision_rows(episode, "half"), action_rulebook()) == days * SHOPPERS
    decisions = list(read_log(file, "evaluated"))
    assert len({decision.event_id for decision in decisions}) == days * SHOPPERS
    weights = []
    for place, decision in enumerate(decisions):
        day, shopper = divmod(place, SHOPPERS)
        mask = episode.masks[day, shopper] > 0
        assert decision.shopper_id == f"half-{shopper}"
        assert decision.policy_inputs is not None
        assert decision.policy_inputs.numbers.tolist() == np.flatnonzero(mask).tolist()
        assert decision.policy_inputs.numbers[decision.drawn] == episode.actions[day, shopper]
        assert decision.probabilities.tolist() == episode.probabilities[day, shopper][mask].tolist()
        assert decision.propensity == episode.propensities[day, shopper]
        assert decision.reward == episode.rewards[day, shopper]
        observed = episode.observations[day, shopper].tolist()
        sends = int((episode.actions[max(0, day - 7) : day, shopper] != HOLD).sum())
        assert decision.context == dict(zip(OBSERVATIONS, observed, strict=True)) | {"recent_sends": sends}
        weights.append(1.0 / mask.sum() / decision.propensity)
    errors = np.std(weights, ddof=1) / len(weights) ** 0.5
    assert abs(np.mean(weights) - 1.0) < 4.5 * errors, "the uniform target's mean weight is 1"


def test_an_episode_does_not_depend_on_autoreset_and_its_agent_draws_by_its_distribution(episode: Episode) -> None:
    for mode in ("SameStep", "Disabled"):
        env = NotificationVectorEnv(SHOPPERS, "new_shoppers", weeks=2, autoreset_mode=mode)
        again = play(env, HalfHold(), seed=4, world=1)
        for name in ("observations", "masks", "probabilities", "actions", "rewards"):
            assert (getattr(again, name) == getattr(episode, name)).all()
    can_send = episode.masks.sum(axis=2) > 1
    held = (episode.actions == HOLD)[can_send]
    expected = episode.probabilities[..., HOLD][can_send]
    assert abs((held - expected).mean()) < 4.5 * (expected * (1 - expected)).mean() ** 0.5 / held.size**0.5


def test_an_agent_that_breaks_the_mask_has_no_log() -> None:
    episode = play(NotificationVectorEnv(3, weeks=1), Lawless(), seed=1)
    with pytest.raises(ValueError, match="illegal actions the probability 0"):
        next(decision_rows(episode, "lawless"))
    with pytest.raises(ValueError, match="mask_in_observation must be False"):
        play(NotificationVectorEnv(3, mask_in_observation=True), Lawless(), seed=1)
