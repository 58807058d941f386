"""Target policies: each has a distribution over the eligible set of a logged decision."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

import numpy as np

from offline_eval.columns import FloatArray, check_distribution
from offline_eval.errors import BadData, NotAvailable
from offline_eval.logs.decisions import Action, LoggedDecision
from policies.catalogue.action_space import JointAction
from policies.draw import SampleSeeds
from policies.models.policy import Policy
from policies.rules.arbitration import Eligibles


class Target(Protocol):
    """A policy to be evaluated; decisions come in the order of time."""

    def distribution(self, decision: LoggedDecision) -> FloatArray:
        """Return the probabilities (K,) over the decision's eligible set."""
        ...


def ask_target(target: Target, decision: LoggedDecision, row: int) -> FloatArray:
    """Return a target's distribution (K,) for a decision after checking it.

    Raises
    ------
    BadData
        When the target fails, or its answer is not a distribution; the error names row, event and column.
    """
    label, column = f"{decision.place or f'row {row}'}, event {decision.event_id!r}", "target distribution"
    try:
        probabilities = target.distribution(decision)
    except BadData as error:
        raise BadData(error.column, error.reason, label) from error.__cause__
    if probabilities.shape != (len(decision.actions),):
        problem = f"has the shape {probabilities.shape} for {len(decision.actions)} eligible joint actions"
        raise BadData(column, problem, label)
    check_distribution(probabilities, column, label)
    return probabilities


@dataclass(frozen=True)
class LoggedPolicyTarget:
    """The logging policy: its value is the mean reward."""

    def distribution(self, decision: LoggedDecision) -> FloatArray:
        return decision.probabilities


@dataclass(frozen=True)
class UniformTarget:
    """The uniform distribution over the joint actions logged as eligible, HOLD among them."""

    def distribution(self, decision: LoggedDecision) -> FloatArray:
        return np.full(len(decision.actions), 1.0 / len(decision.actions))


@dataclass(frozen=True)
class PolicyTarget:
    """A policy of the package `policies`, on the service's log.

    The policy decides again, over the joint actions logged as eligible. ``make`` returns the policy for a decision's
    catalogue version, because a model is compiled for one version. A policy that samples its model draws other samples
    than it would in the service, whose seed is not in the log, and the same ones in each evaluation.
    """

    make: Callable[[LoggedDecision], Policy]

    def distribution(self, decision: LoggedDecision) -> FloatArray:
        policy_inputs = decision.policy_inputs
        if policy_inputs is None:
            raise NotAvailable("this target needs a log of the service, with its catalogue and masks")
        inputs = policy_inputs.model_inputs(decision.context, decision.event_id)
        eligibles = Eligibles.of([policy_inputs.eligibility()], [inputs])
        seeds = SampleSeeds(b"", [decision.event_id])
        distributions = self.make(decision).distributions(eligibles, policy_inputs.rulebook, seeds)
        return np.asarray(distributions.probabilities[eligibles.mask])


@dataclass(frozen=True)
class TableTarget:
    """Probabilities from a table: event id → joint action → probability.

    Joint actions that are not in the table get probability 0.
    """

    probabilities: Mapping[str, Mapping[str, float]]

    def distribution(self, decision: LoggedDecision) -> FloatArray:
        probabilities = self.probabilities.get(decision.event_id)
        if probabilities is None:
            raise NotAvailable(f"the table of probabilities has no event {decision.event_id!r}")
        labels = [action_label(action) for action in decision.actions]
        for label in probabilities:
            if labels.count(label) > 1:
                problem = f"event {decision.event_id!r}: {label!r} is the name of {labels.count(label)} actions"
                raise NotAvailable(f"{problem}, which a table cannot tell apart")
        unknown = probabilities.keys() - set(labels)
        if unknown:
            raise NotAvailable(f"event {decision.event_id!r}: {min(unknown)!r} of the table was not eligible")
        return np.array([probabilities.get(label, 0.0) for label in labels])


@dataclass(frozen=True)
class CallableTarget:
    """A Python callable that returns the probabilities (K,) for a `LoggedDecision`.

    The callable gets a copy: what it changes there, changes no log.
    """

    function: Callable[[LoggedDecision], FloatArray]

    @classmethod
    def from_name(cls, name: str) -> CallableTarget:
        """Import ``module:function``.

        Raises
        ------
        NotAvailable
            When there is no such function, or its module cannot be run.
        """
        module, _, attribute = name.partition(":")
        try:
            function = getattr(import_module(module), attribute)
        except Exception as error:  # a module of others may raise anything
            raise NotAvailable(f"{name!r} cannot be imported: {error or type(error).__name__}") from error
        if not callable(function):
            raise NotAvailable(f"{name!r} is {function!r}, not a function")
        return cls(function)

    def distribution(self, decision: LoggedDecision) -> FloatArray:
        """Return what the callable returns.

        Raises
        ------
        BadData
            When the callable raises an error, or the answer is not an array of numbers; the error names the event.
        """
        column, label = "target distribution", f"event {decision.event_id!r}"
        try:
            answer: Any = self.function(decision.writable_copy())
        except Exception as error:  # a function of others may raise anything
            raise BadData(column, f"the policy raised {type(error).__name__}: {error}", label) from error
        try:
            return np.array(answer, dtype=np.float64)  # a copy, as the callable may use its array again
        except (TypeError, ValueError, OverflowError):
            raise BadData(column, f"is {answer!r}, not an array of probabilities", label) from None


def action_label(action: Action) -> str:
    """Return the name of a joint action in tables of probabilities.

    >>> action_label(JointAction("hint", "push", 3600)), action_label("HOLD")
    ('hint/push/3600', 'HOLD')
    """
    return "/".join(map(str, action)) if isinstance(action, JointAction) else action
