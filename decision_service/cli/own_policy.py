"""The policy of a command: one of the registry, or an own one in a module (``my_module:policy``)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from traceback import format_exception
from typing import Any

from policies.catalogue.rulebook import Rulebook
from policies.models.policy import Policy, PolicyFactory
from policies.models.registry import POLICIES, policy_without_floor
from simulators.shops.learning import LearningPolicy
from simulators.shops.local import FixedPolicy, PolicySource


class PolicyFailed(ValueError):
    """A policy raised an error: the text names both, and the cause is the error."""


@contextmanager
def name_failures(policy: str, but: tuple[type[Exception], ...] = (PolicyFailed,)) -> Iterator[None]:
    """Raise `PolicyFailed` for an error within; the errors ``but`` stay as they are.

    The code of a stranger may fail with anything, hours after a simulation has begun.
    """
    try:
        yield
    except but:
        raise
    except Exception as error:
        raise PolicyFailed(f"policy: {policy} failed with {type(error).__name__}: {error}") from error


def trace_failure(error: BaseException | None) -> str:
    """Return the traceback of what a policy raised, if that is a cause of an error; empty otherwise."""
    while error is not None:
        if isinstance(error, PolicyFailed):
            return "".join(format_exception(error.__cause__))
        error = error.__cause__
    return ""


def find_policy(name: str) -> PolicyFactory:
    """Return a policy of the registry, or the object that a module of the working directory or a library names.

    The object is a `PolicyFactory`, or a function that takes a `Rulebook` and returns a `Policy`.

    Raises
    ------
    ValueError
        When there is no such policy.
    """
    if name in POLICIES:
        return POLICIES[name]
    module, colon, attribute = name.partition(":")
    if not (colon and module and attribute):
        raise ValueError(f"policy must be one of {', '.join(POLICIES)}, or my_module:my_policy, not {name!r}")
    definition = _load(module, attribute)
    if isinstance(definition, PolicyFactory):
        return definition
    if not callable(definition):
        raise ValueError(f"policy: {name} is neither a PolicyFactory nor a function that makes a Policy")

    def make(rulebook: Rulebook) -> Policy:
        with name_failures(name):
            policy = definition(rulebook)
        if not isinstance(policy, Policy):
            raise ValueError(f"policy: {name} must return a Policy, not {type(policy).__name__}")
        return policy

    return PolicyFactory(attribute, name, make)


def _load(module: str, attribute: str) -> Any:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)  # as `python -m` does
    try:
        return getattr(import_module(module), attribute)
    except Exception as error:  # the code of a stranger may fail with anything
        raise ValueError(f"policy: {module}:{attribute} cannot be loaded: {type(error).__name__}: {error}") from error


def make_source(factory: PolicyFactory, rulebook: Rulebook) -> PolicySource:
    """Return the policy of one run: a policy that learns in this run, or a fixed one without a floor.

    Raises
    ------
    ValueError
        When the policy cannot be made.
    """
    with name_failures(factory.name, but=(ValueError,)):  # a policy refuses by a ValueError
        if factory.learns:
            return LearningPolicy(rulebook, factory)
        return FixedPolicy(policy_without_floor(factory, rulebook))
