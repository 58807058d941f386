"""The policies that the batteries run over: all that are registered, and one for each exploration."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from policies.catalogue.rulebook import Rulebook
from policies.explorations.base import Exploration
from policies.explorations.registry import EXPLORATIONS, make_exploration
from policies.models.policy import Policy
from policies.models.registry import POLICIES
from tests.policies.explorations.gaussian import GaussianModel
from tests.policies.models.bayes.learned_heads import learn_some

MakePolicy = Callable[[Rulebook], Policy]

PARAMETERS: Mapping[str, Mapping[str, float]] = {
    "greedy": {},
    "epsilon-greedy": {"epsilon": 0.2},
    "softmax": {"temperature": 0.3},
    "difference-softmax": {"temperature": 0.5},
    "inverse-gap": {"gamma": 20.0},
    "thompson": {"draws": 5},
}


def gaussian_policy(rulebook: Rulebook, exploration: Exploration, keys: Sequence[int] | None = None) -> Policy:
    """Return a policy whose scores are partly below HOLD's, and partly equal; ``keys`` reorders the joint actions."""
    numbers = np.arange(len(rulebook.space)) if keys is None else np.array(keys)
    means = np.asarray(0.5 - numbers // 2 * 0.25, dtype=np.float64)
    return Policy(exploration.name, GaussianModel(means, 0.4, keys), exploration)


BY_EXPLORATION: dict[str, MakePolicy] = {
    name: partial(gaussian_policy, exploration=make_exploration(name, **PARAMETERS[name])) for name in EXPLORATIONS
}


def learned_bayes(rulebook: Rulebook) -> Policy:
    """Return the policy `bayes` after it has learned from random sends."""
    parts = POLICIES["bayes"].learning
    assert parts is not None
    return parts.make_version(learn_some(rulebook).publish(rulebook.catalogue.reward), rulebook, 7)


SERVED: dict[str, MakePolicy] = {
    **{name: factory.make for name, factory in POLICIES.items()},
    "bayes that has learned": learned_bayes,
    **{f"{name} that holds at random": POLICIES[name].with_hold_share(0.1).make for name in ("default", "uniform")},
    **{f"exploration {name}": make for name, make in BY_EXPLORATION.items()},
    "sampling that holds at random": lambda rulebook: replace(BY_EXPLORATION["thompson"](rulebook), hold_share=0.03),
}
