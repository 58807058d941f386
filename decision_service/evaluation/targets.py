"""Target policies by name, as the command line takes them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from decision_service.registry.base import RegistryUnavailable
from decision_service.registry.sql import SqlRegistry
from decision_service.versions import learned_policy
from offline_eval.decisions import Decision
from offline_eval.errors import NotAvailable
from offline_eval.tables.probabilities import read_probabilities
from offline_eval.targets import Call, Logging, OfPolicy, Table, Target, Uniform
from offline_eval.vw_target import VwTarget
from policies.compiled_model import ModelMismatch, ModelSnapshot
from policies.policy import Policy, rule

KNOWN = "version:N, rule, uniform, logging, table:FILE, call:module:function, vw:COMMAND LINE"


class Targets:
    """Makes target policies.

    Parameters
    ----------
    registry_url
        Where model versions are; None where that is not known.
    """

    def __init__(self, registry_url: str | None) -> None:
        self._registry_url = registry_url

    def named(self, name: str) -> Target:
        """Make a target; ``rule`` and ``version:N`` may end in ``@ε`` for another floor than the default.

        Raises
        ------
        NotAvailable
            When there is no such policy.
        """
        kind, _, rest = name.partition(":")
        kind, _, floor = kind.partition("@")
        match kind:
            case "logging":
                return Logging()
            case "uniform":
                return Uniform()
            case "rule":
                policy = rule(_epsilon(floor)) if floor else rule()
                return OfPolicy(lambda decision: policy)
            case "version":
                return self._version(rest)
            case "table":
                return Table(read_probabilities(Path(rest)))
            case "call":
                return Call.named(rest)
            case "vw":
                return VwTarget(rest)
        raise NotAvailable(f"there is no target {name!r}; known are {KNOWN}")

    def _version(self, text: str) -> Target:
        if self._registry_url is None:
            raise NotAvailable("a model version needs the registry: give its URL with --registry")
        if not text.isdecimal():
            raise NotAvailable(f"a model version is a number, not {text!r}")
        try:
            registry = SqlRegistry.open(self._registry_url)
            try:
                payload = registry.load(int(text)).payload
            finally:
                registry.close()
        except (RegistryUnavailable, ValueError) as error:
            raise NotAvailable(f"the registry cannot be read: {error}") from error
        except KeyError:
            raise NotAvailable(f"the registry has no model version {text}") from None
        if payload is None:
            raise NotAvailable(f"the bytes of model version {text} were pruned")
        return OfPolicy(_compiled(payload, int(text)))


def _compiled(payload: bytes, number: int) -> Callable[[Decision], Policy]:
    """Compile the model once for each catalogue version that the log goes through."""
    snapshot = ModelSnapshot.from_bytes(payload)
    policies: dict[int, Policy] = {}

    def make(decision: Decision) -> Policy:
        if decision.recorded is None:
            raise NotAvailable("a model version needs a log of the service, with its catalogue and masks")
        rulebook = decision.recorded.rulebook
        if rulebook.version not in policies:
            try:
                policies[rulebook.version] = learned_policy(snapshot, rulebook, number)
            except ModelMismatch as error:
                raise NotAvailable(f"model version {number}: {error}") from error
        return policies[rulebook.version]

    return make


def _epsilon(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise NotAvailable(f"a floor is a number, not {text!r}") from None
