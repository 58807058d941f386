"""Target policies by name, as the command line takes them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from decision_service.learning.registry.base import RegistryUnavailable, Version
from decision_service.learning.registry.sql import SqlRegistry
from offline_eval.errors import NotAvailable
from offline_eval.logs.decisions import LoggedDecision
from offline_eval.logs.tables.probabilities import read_probabilities
from offline_eval.targets import CallableTarget, LoggedPolicyTarget, PolicyTarget, TableTarget, Target, UniformTarget
from offline_eval.vw_target import VwTarget
from policies.catalogue.rulebook import Rulebook
from policies.learning.model_learner import ModelMismatch
from policies.models.floor import check_epsilon
from policies.models.learned import DEFAULT
from policies.models.policy import DEFAULT_EPSILON, Policy
from policies.models.registry import BASELINES, POLICIES, find_learning

KNOWN = f"version:N, {', '.join(BASELINES)}, logging, table:FILE, call:module:function, vw:COMMAND LINE"


_OF_ANY_LOG: dict[str, Target] = {"logging": LoggedPolicyTarget(), "uniform": UniformTarget()}
"""Targets that need no catalogue, so that they evaluate on foreign logs too."""


class Targets:
    """Makes target policies.

    Parameters
    ----------
    registry_url
        The registry with the model versions; None where it is not known.
    """

    def __init__(self, registry_url: str | None) -> None:
        self._registry_url = registry_url
        self.learned_at: dict[str, float] = {}
        """By the name of a target that was learned: the latest time in the data that it was learned from."""

    def make(self, name: str) -> Target:
        """Make a target; the name of a policy that scores may end in ``@ε`` for another floor than the default.

        Raises
        ------
        NotAvailable
            When there is no such policy.
        """
        kind, colon, rest = name.partition(":")
        if not colon:
            return self._plain(*_split_floor(name))
        match kind:
            case "version":
                number, floor = _split_floor(rest)
                version = self._version(number)
                self.learned_at[name] = float(version.metadata["at"])
                return PolicyTarget(_compile_model(version, floor))
            case "table":
                return TableTarget(read_probabilities(Path(rest)))
            case "call":
                _see_current_directory()
                return CallableTarget.from_name(rest)
            case "vw":
                return VwTarget(rest)
        raise _unknown(name)

    @staticmethod
    def _plain(name: str, floor: float | None) -> Target:
        if name in _OF_ANY_LOG:
            if floor is not None:
                raise NotAvailable(f"{name} takes no floor: rule@FLOOR and version:N@FLOOR do")
            return _OF_ANY_LOG[name]
        if name not in BASELINES:
            raise _unknown(name)
        factory = BASELINES[name]
        _check(floor)
        return PolicyTarget(_once_per_catalogue(lambda rulebook: _with_floor(factory.make(rulebook), floor)))

    def _version(self, text: str) -> Version:
        if self._registry_url is None:
            raise NotAvailable("a model version needs the registry: give its URL with --registry")
        if not text.isdecimal():
            raise NotAvailable(f"a model version is a number, not {text!r}")
        try:
            registry = SqlRegistry.open(self._registry_url)
            try:
                return registry.load(int(text))
            finally:
                registry.close()
        except (RegistryUnavailable, ValueError) as error:
            raise NotAvailable(f"the registry cannot be read: {error}") from error
        except KeyError:
            raise NotAvailable(f"the registry has no model version {text}") from None


def _compile_model(version: Version, floor: float | None) -> Callable[[LoggedDecision], Policy]:
    number = version.number
    if version.payload is None:
        raise NotAvailable(f"the bytes of model version {number} were pruned")
    payload, policy = version.payload, version.metadata.get("policy", DEFAULT.name)
    if policy not in POLICIES:
        raise NotAvailable(f"model version {number} is of the policy {policy!r}, which is not known here")
    make_version = find_learning(policy).make_version

    def make(rulebook: Rulebook) -> Policy:
        try:
            return _with_floor(make_version(payload, rulebook, number), floor)
        except ModelMismatch as error:
            raise NotAvailable(f"model version {number}: {error}") from error

    return _once_per_catalogue(make)


def _once_per_catalogue(make: Callable[[Rulebook], Policy]) -> Callable[[LoggedDecision], Policy]:
    """Make the policy once for each catalogue version that the log goes through."""
    policies: dict[int, Policy] = {}

    def policy_of(decision: LoggedDecision) -> Policy:
        if decision.policy_inputs is None:
            raise NotAvailable("a policy needs a log of the service, with its catalogue and masks")
        rulebook = decision.policy_inputs.rulebook
        if rulebook.version not in policies:
            policies[rulebook.version] = make(rulebook)
        return policies[rulebook.version]

    return policy_of


def _see_current_directory() -> None:
    """Let modules of the current directory be imported, as ``python -m`` does and an installed command does not."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)


def _unknown(name: str) -> NotAvailable:
    return NotAvailable(f"there is no target {name!r}; known are {KNOWN}")


def _split_floor(name: str) -> tuple[str, float | None]:
    """Return a name and its floor; None where the name has no floor."""
    name, at, floor = name.partition("@")
    if not at:
        return name, None
    try:
        return name, float(floor)
    except ValueError:
        raise NotAvailable(f"a floor is a number, not {floor!r}") from None


def _check(floor: float | None) -> None:
    try:
        check_epsilon(DEFAULT_EPSILON if floor is None else floor, learns=False)
    except ValueError as error:
        raise NotAvailable(str(error)) from None


def _with_floor(policy: Policy, floor: float | None) -> Policy:
    try:
        return policy if floor is None else replace(policy, epsilon=floor)
    except ValueError as error:
        raise NotAvailable(str(error)) from None
