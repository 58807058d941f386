"""The policies by name. Commands, settings, refusals and the tests that every policy must pass read this table.

To add a policy: write a file in this folder that ends in a `PolicyFactory`, and add the factory here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from policies.catalogue.rulebook import Rulebook
from policies.models.bayes.policy import BAYES, BAYES_GREEDY
from policies.models.learned import DEFAULT, LEARNING
from policies.models.policy import LearningParts, Policy, PolicyFactory
from policies.models.rule import RULE
from policies.models.uniform import UNIFORM

POLICIES: Mapping[str, PolicyFactory] = {
    factory.name: factory for factory in (DEFAULT, BAYES, BAYES_GREEDY, RULE, UNIFORM)
}

BASELINES: Mapping[str, PolicyFactory] = {name: factory for name, factory in POLICIES.items() if not factory.learns}
"""The policies that never learn, to compare others with."""


def policy_without_floor(factory: PolicyFactory, rulebook: Rulebook) -> Policy:
    """Return a baseline as comparisons use it: without the floor that a served policy needs for its log."""
    return replace(factory.make(rulebook), epsilon=0.0)


def describe_policies() -> str:
    """Return the names of all policies with their descriptions, for help texts.

    >>> "rule (the business rule)" in describe_policies()
    True
    """
    return ", ".join(f"{factory.name} ({factory.description})" for factory in POLICIES.values())


def find_learning(name: str) -> LearningParts:
    """Return what a service with a policy learns with. Where the policy does not learn, the default one learns beside.

    >>> find_learning("rule") is LEARNING
    True
    """
    return POLICIES[name].learning or LEARNING
