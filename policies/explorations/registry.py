"""The explorations by name. The laws that every exploration must keep read this table.

To add an exploration: write a file in this folder, and add its class here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from typing import Any

from policies.explorations.base import Exploration
from policies.explorations.difference_softmax import DifferenceSoftmax
from policies.explorations.epsilon_greedy import EpsilonGreedy
from policies.explorations.greedy import Greedy
from policies.explorations.inverse_gap import InverseGapWeighting
from policies.explorations.softmax import Softmax
from policies.explorations.thompson import ThompsonSampling

EXPLORATIONS: Mapping[str, Callable[..., Exploration]] = {
    exploration.name: exploration
    for exploration in (
        Greedy,
        EpsilonGreedy,
        Softmax,
        DifferenceSoftmax,
        InverseGapWeighting,
        ThompsonSampling,
    )
}
"""Name → class, whose fields are the parameters."""


def make_exploration(name: str, **parameters: float) -> Exploration:
    """Make an exploration by its name and its parameters.

    Raises
    ------
    ValueError
        When no exploration has the name; when a parameter is unknown, missing or not allowed.

    Examples
    --------
    >>> make_exploration("epsilon-greedy", epsilon=0.1)
    EpsilonGreedy(epsilon=0.1)
    """
    if name not in EXPLORATIONS:
        raise ValueError(f"there is no exploration {name!r}; known are {', '.join(EXPLORATIONS)}")
    known = find_parameters(name)
    unknown = parameters.keys() - set(known)
    if unknown:
        raise ValueError(f"the exploration {name!r} takes no {min(unknown)!r}, but {', '.join(known)}")
    missing = [parameter for parameter, is_needed in known.items() if is_needed and parameter not in parameters]
    if missing:
        raise ValueError(f"the exploration {name!r} needs {', '.join(missing)}")
    return EXPLORATIONS[name](**parameters)


def find_parameters(name: str) -> dict[str, bool]:
    """Return the parameters of an exploration by name, and whether each one must be given.

    >>> find_parameters("softmax"), find_parameters("thompson")
    ({'temperature': True}, {'draws': False})
    """
    parameters: Any = EXPLORATIONS[name]
    return {parameter.name: parameter.default is MISSING for parameter in fields(parameters)}
