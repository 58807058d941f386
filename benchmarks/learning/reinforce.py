"""Does the environment teach? The example agent against random choice, on shoppers that it was not trained on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from decision_service.cli.measurements import Measured
from simulators.envs.reinforce import UniformAgent, evaluate, train

_SHOPPERS, _WEEKS = 2_000, 4
_NORMAL = 1.959963984540054


def measure(*, episodes: int, seed: int) -> list[Measured]:
    """Train, and give the value per shopper of both and of their paired difference, with 95 % intervals."""
    agent = train(episodes=episodes, seed=seed)
    own, random = (evaluate(each, shoppers=_SHOPPERS, weeks=_WEEKS, seed=1_000 + seed) for each in (agent, UniformAgent()))
    return [
        _measured("reinforce.value", own),
        _measured("reinforce.random.value", random),
        _measured("reinforce.value_minus_random", own - random),
    ]


def _measured(name: str, values: NDArray[np.float64]) -> Measured:
    mean, error = float(values.mean()), _NORMAL * float(values.std(ddof=1)) / len(values) ** 0.5
    return Measured(name, mean, mean - error, mean + error, f"expected reward per shopper in {_WEEKS} weeks")
