"""Whether an agent can learn in the environment: the example agent against random choice, on new shoppers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from decision_service.cli.measurements import Measured
from simulators.envs.agents.reinforce import evaluate, train
from simulators.envs.episodes import UniformAgent

_SHOPPERS, _WEEKS = 2_000, 4
_NORMAL = 1.959963984540054


def measure(*, episodes: int, seed: int) -> list[Measured]:
    """Train the agent; measure the value per shopper of both, and of their paired difference."""
    agent = train(episodes=episodes, seed=seed)
    trained, random = (
        evaluate(player, shoppers=_SHOPPERS, weeks=_WEEKS, seed=1_000 + seed) for player in (agent, UniformAgent())
    )
    return [
        _mean("reinforce.value", trained),
        _mean("reinforce.random.value", random),
        _mean("reinforce.value_minus_random", trained - random),
    ]


def _mean(name: str, values: NDArray[np.float64]) -> Measured:
    """Return the mean with its 95 % interval."""
    mean, error = float(values.mean()), _NORMAL * float(values.std(ddof=1)) / len(values) ** 0.5
    return Measured(name, mean, mean - error, mean + error, f"expected reward per shopper in {_WEEKS} weeks")
