"""Target policies by name, as the command line takes them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from decision_service.learning.registry.base import RegistryUnavailable, Version
from decision_service.learning.registry.sql import SqlRegistry
from decision_service.learning.serving import learned_policy
from offline_eval.errors import NotAvailable
from offline_eval.logs.decisions import LoggedDecision
from offline_eval.logs.tables.probabilities import read_probabilities
from offline_eval.targets import CallableTarget, LoggingTarget, PolicyTarget, TableTarget, Target, UniformTarget
from offline_eval.vw_target import VwTarget
from policies.models.compiled import ModelMismatch, ModelSnapshot
from policies.models.policy import Policy, rule_policy

KNOWN = "version:N, rule (both also with @FLOOR), uniform, logging, table:FILE, call:module:function, vw:COMMAND LINE"


class Targets:
    """Makes target policies.

    Parameters
    ----------
    registry_url
        Where model versions are; None where that is not known.
    """

    def __init__(self, registry_url: str | None) -> None:
        self._registry_url = registry_url
        self.learned_at: dict[str, float] = {}
        """The latest time that a target knew when it was learned, by its name: of those made so far that were."""

    def make(self, name: str) -> Target:
        """Make a target; ``rule_policy`` and ``version:N`` may end in ``@ε`` for another floor than the default.

        Raises
        ------
        NotAvailable
            When there is no such policy.
        """
        kind, colon, rest = name.partition(":")
        if not colon:
            return self._plain(*_floored(name))
        match kind:
            case "version":
                number, floor = _floored(rest)
                version = self._version(number)
                self.learned_at[name] = float(version.facts["at"])
                return PolicyTarget(_compiled(version, floor))
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
        if name == "rule":
            policy = _with_floor(rule_policy(), floor)
            return PolicyTarget(lambda decision: policy)
        if name not in ("logging", "uniform"):
            raise _unknown(name)
        if floor is not None:
            raise NotAvailable(f"{name} takes no floor: rule@FLOOR and version:N@FLOOR do")
        return LoggingTarget() if name == "logging" else UniformTarget()

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


def _compiled(version: Version, floor: float | None) -> Callable[[LoggedDecision], Policy]:
    """Compile the model once for each catalogue version that the log goes through."""
    number = version.number
    if version.payload is None:
        raise NotAvailable(f"the bytes of model version {number} were pruned")
    snapshot = ModelSnapshot.from_bytes(version.payload)
    policies: dict[int, Policy] = {}

    def make(decision: LoggedDecision) -> Policy:
        if decision.policy_inputs is None:
            raise NotAvailable("a model version needs a log of the service, with its catalogue and masks")
        rulebook = decision.policy_inputs.rulebook
        if rulebook.version not in policies:
            try:
                policies[rulebook.version] = _with_floor(learned_policy(snapshot, rulebook, number), floor)
            except ModelMismatch as error:
                raise NotAvailable(f"model version {number}: {error}") from error
        return policies[rulebook.version]

    return make


def _see_current_directory() -> None:
    """Let modules of the current directory be imported, as ``python -m`` does and an installed command does not."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)


def _unknown(name: str) -> NotAvailable:
    return NotAvailable(f"there is no target {name!r}; known are {KNOWN}")


def _floored(name: str) -> tuple[str, float | None]:
    """Part a name from its floor, None where it has none."""
    name, at, floor = name.partition("@")
    if not at:
        return name, None
    try:
        return name, float(floor)
    except ValueError:
        raise NotAvailable(f"a floor is a number, not {floor!r}") from None


def _with_floor(policy: Policy, floor: float | None) -> Policy:
    try:
        return policy if floor is None else replace(policy, epsilon=floor)
    except ValueError as error:
        raise NotAvailable(str(error)) from None
