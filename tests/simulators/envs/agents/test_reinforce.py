"""The example agent learns."""

from __future__ import annotations

from simulators.envs.agents.reinforce import evaluate, train
from simulators.envs.episodes import UniformAgent


def test_masked_reinforce_beats_random() -> None:
    """The same 600 shoppers, not trained on, paired: the lower 99.99 % bound of the difference is above zero."""
    agent = train(shoppers=128, weeks=2, episodes=15, seed=1)
    paired = evaluate(agent, shoppers=600, weeks=3, seed=99) - evaluate(UniformAgent(), shoppers=600, weeks=3, seed=99)
    assert paired.mean() - 3.7 * paired.std(ddof=1) / 600**0.5 > 0.0
