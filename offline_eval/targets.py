"""Target policies: what gives a distribution over the eligible set of a logged decision."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

import numpy as np

from offline_eval.batch import FloatArray, check_distribution
from offline_eval.errors import BadData, NotAvailable
from offline_eval.logs.decisions import Action, LoggedDecision
from policies.catalogue.action_space import JointAction
from policies.models.policy import Policy


class Target(Protocol):
    """A policy to be evaluated; asked in the order of time."""

    def distribution(self, decision: LoggedDecision) -> FloatArray:
        """Give its probabilities (K,) over the decision's eligible set."""
        ...


def checked(target: Target, decision: LoggedDecision, row: int) -> FloatArray:
    """Ask a target for its distribution (K,), and refuse what is none.

    Raises
    ------
    BadData
        Naming row, event and column.
    """
    place, column = f"row {row}, event {decision.event_id!r}", "target distribution"
    found = target.distribution(decision)
    if found.shape != (len(decision.actions),):
        raise BadData(column, f"has the shape {found.shape} for {len(decision.actions)} eligible joint actions", place)
    check_distribution(found, column, place)
    return found


@dataclass(frozen=True)
class Logging:
    """The logging policy itself: its value is the mean reward."""

    def distribution(self, decision: LoggedDecision) -> FloatArray:
        """Give what was logged."""
        return decision.probabilities


@dataclass(frozen=True)
class Uniform:
    """Every eligible joint action alike, HOLD included."""

    def distribution(self, decision: LoggedDecision) -> FloatArray:
        """Give 1/K everywhere."""
        return np.full(len(decision.actions), 1.0 / len(decision.actions))


@dataclass(frozen=True)
class OfPolicy:
    """Any policy of `policies`, on the service's own log: it decides anew under the mask of the log.

    ``policies`` makes the policy of a catalogue version's rulebook, as a model is compiled for one.
    """

    make: Callable[[LoggedDecision], Policy]

    def distribution(self, decision: LoggedDecision) -> FloatArray:
        """Let the policy decide."""
        recorded = decision.recorded
        if recorded is None:
            raise NotAvailable("this target needs a log of the service, with its catalogue and masks")
        contexts = recorded.contexts(decision.context)
        policy = self.make(decision)
        return policy.distribution(contexts, recorded.eligibility(), recorded.rulebook).probabilities


@dataclass(frozen=True)
class Table:
    """Probabilities from a table: event id → joint action → probability; what is absent has 0."""

    probabilities: Mapping[str, Mapping[str, float]]

    def distribution(self, decision: LoggedDecision) -> FloatArray:
        """Look them up."""
        own = self.probabilities.get(decision.event_id)
        if own is None:
            raise NotAvailable(f"the table of probabilities has no event {decision.event_id!r}")
        known = [action_label(action) for action in decision.actions]
        stray = own.keys() - set(known)
        if stray:
            raise NotAvailable(f"event {decision.event_id!r}: {min(stray)!r} of the table was not eligible")
        return np.array([own.get(label, 0.0) for label in known])


@dataclass(frozen=True)
class Call:
    """A Python callable: from a `LoggedDecision` to its probabilities (K,)."""

    function: Callable[[LoggedDecision], FloatArray]

    @classmethod
    def named(cls, name: str) -> Call:
        """Import ``module:function``.

        Raises
        ------
        NotAvailable
            When there is no such function.
        """
        module, _, function = name.partition(":")
        try:
            found = getattr(import_module(module), function)
        except (ImportError, AttributeError, ValueError) as error:
            raise NotAvailable(f"{name!r} cannot be imported: {error}") from error
        return cls(found)

    def distribution(self, decision: LoggedDecision) -> FloatArray:
        """Call it.

        Raises
        ------
        BadData
            When the answer is no array of numbers; naming the event.
        """
        answer: Any = self.function(decision)
        try:
            return np.asarray(answer, dtype=np.float64)
        except (TypeError, ValueError):
            found = f"is {answer!r}, no array of probabilities"
            raise BadData("target distribution", found, f"event {decision.event_id!r}") from None


def action_label(action: Action) -> str:
    """Write a joint action as one word, as tables of probabilities name it.

    >>> action_label(JointAction("hint", "push", 3600)), action_label("HOLD")
    ('hint/push/3600', 'HOLD')
    """
    return "/".join(map(str, action)) if isinstance(action, JointAction) else action
