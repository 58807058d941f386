"""Logged decisions: the shopper, the eligible set, its probabilities, the draw and the reward."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from offline_eval.columns import FloatArray, check_distribution, read_only
from offline_eval.errors import BadData, RowLabel
from policies.catalogue.action_space import JointAction
from policies.catalogue.rulebook import Rulebook
from policies.records.model_input import ModelInput
from policies.records.reasons import Reason
from policies.records.rows import Context, TriggerRecord
from policies.records.shopper_numbers import ShopperNumbers
from policies.rules.arbitration import NO_TRIGGER, Eligibility
from policies.shopper.model_inputs import trigger_input

HOLD = "HOLD"
Action = JointAction | str
"""A joint action of a catalogue, `HOLD`, or the label that another log uses."""

_ROUNDING = 2e-4
"""The relative difference allowed between a logged propensity and its distribution, as both may be rounded."""

_YEAR_10000 = 253_402_300_800.0
"""The end of the calendar in seconds; a greater time is one in milliseconds."""


@dataclass(frozen=True, slots=True)
class PolicyInputs:
    """What a policy of the service needs to decide again; only the service's log has it.

    ``numbers`` (K,) are the joint actions' numbers in the catalogue version; the number of HOLD is the number of sends,
    and comes last. ``trigger_of`` (K,) is the position of the trigger that each answers, -1 for HOLD.
    ``shopper_numbers`` are the numbers about the shopper in the row.
    """

    rulebook: Rulebook
    triggers: tuple[TriggerRecord, ...]
    numbers: NDArray[np.int64]
    trigger_of: NDArray[np.int64]
    shopper_numbers: ShopperNumbers

    def __post_init__(self) -> None:
        for name in ("numbers", "trigger_of"):
            object.__setattr__(self, name, read_only(getattr(self, name)))

    def writable_copy(self) -> PolicyInputs:
        """Return a copy that may be changed; the rulebook is shared."""
        triggers, numbers = deepcopy((self.triggers, self.shopper_numbers))
        copied = replace(self, triggers=triggers, shopper_numbers=numbers)
        for name in ("numbers", "trigger_of"):
            object.__setattr__(copied, name, getattr(self, name).copy())
        return copied

    def model_inputs(self, shared: Context, event_id: str) -> list[ModelInput]:
        """Return what a model saw of each trigger."""
        return [trigger_input(shared, self.shopper_numbers, trigger, event_id) for trigger in self.triggers]

    def eligibility(self) -> Eligibility:
        """Return the logged mask; the reasons of excluded joint actions are not in it."""
        size = len(self.rulebook.space)
        hold = bool(len(self.numbers)) and int(self.numbers[-1]) == size
        sends = self.numbers[: len(self.numbers) - hold]
        verdicts = np.full(size, Reason.not_a_candidate, dtype=np.uint8)
        verdicts[sends] = Reason.eligible
        trigger_of = np.full(size, NO_TRIGGER, dtype=np.int64)
        trigger_of[sends] = self.trigger_of[: len(sends)]
        return Eligibility(verdicts, hold, trigger_of)


@dataclass(frozen=True, slots=True)
class LoggedDecision:
    """One logged decision. Whatever it holds can be read only, so that no policy changes the log.

    Parameters
    ----------
    event_id, shopper_id
        The id of the decision, and of its shopper. Where the log names no shopper, both are the same, and the decision
        is independent of all others.
    at
        Time in epoch seconds.
    context
        The features known at the decision.
    actions
        The eligible set (K,).
    action_features
        What a foreign log tells about each eligible action (K), as texts ``name=value``; empty where it tells nothing.
    probabilities
        The logging policy's distribution over it (K,).
    drawn
        Position of the drawn joint action in the eligible set.
    reward
        What the drawn joint action earned.
    labels
        Labels to group by.
    policy_inputs
        What the service's policies need to decide again; None for other logs.
    of_service
        Whether the service made the decision, in whatever format it was read: the reward of HOLD is then 0 by
        definition.
    raw
        The line of dsjson that the decision was read from.
    place
        Where the decision stands, for errors: file and row; empty where the log has no such places.
    """

    event_id: str
    shopper_id: str
    at: float
    context: Context
    actions: Sequence[Action]
    probabilities: FloatArray
    drawn: int
    reward: float
    labels: Mapping[str, str] = field(default_factory=dict)
    policy_inputs: PolicyInputs | None = None
    of_service: bool = False
    raw: str = ""
    action_features: Sequence[Sequence[str]] = ()
    place: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "probabilities", read_only(self.probabilities))
        for name in ("context", "labels"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    def __reduce__(self) -> tuple[object, ...]:
        """Return what a pickle or a deep copy makes the decision from: views of dicts that are read only have none."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        values |= {name: dict(values[name]) for name in ("context", "labels")}
        return LoggedDecision, (*values.values(),)

    def writable_copy(self) -> LoggedDecision:
        """Return a copy that a policy of others may change as it likes: the log keeps what it holds."""
        copied = replace(self, policy_inputs=self.policy_inputs and self.policy_inputs.writable_copy())
        for name in ("context", "labels"):
            object.__setattr__(copied, name, dict(getattr(self, name)))
        object.__setattr__(copied, "probabilities", self.probabilities.copy())
        return copied

    @property
    def has_shopper(self) -> bool:
        """Whether the log names the shopper."""
        return self.shopper_id != self.event_id

    @property
    def propensity(self) -> float:
        """Probability with which the joint action was drawn."""
        return float(self.probabilities[self.drawn])

    @property
    def action(self) -> Action:
        """The drawn joint action."""
        return self.actions[self.drawn]

    def check(self, row: RowLabel) -> None:
        """Refuse a decision that no policy can have made.

        Raises
        ------
        BadData
            The error names row and column.
        """
        if len(self.probabilities) != len(self.actions):
            problem = f"has {len(self.probabilities)} values for {len(self.actions)} eligible joint actions"
            raise BadData("probabilities", problem, row)
        if not 0 <= self.drawn < len(self.actions):
            raise BadData("drawn", "the logged joint action is not among the eligible ones", row)
        check_distribution(self.probabilities, "probabilities", row)
        if not self.propensity > 0:
            raise BadData("propensity", "is 0, must be above 0 and at most 1", row)
        if not np.isfinite(self.reward):
            raise BadData("reward", f"is {self.reward}, must be a finite number", row)
        if not 0 <= self.at < _YEAR_10000:
            raise BadData("at", f"is {self.at:g}, must be seconds since 1970", row)

    def check_propensity(self, logged: float, column: str, row: RowLabel) -> None:
        """Refuse a propensity, logged beside the distribution, that differs from the distribution.

        Raises
        ------
        BadData
            The error names row and column.
        """
        # Relative, because the error of a small propensity is multiplied by a large weight.
        if not abs(logged - self.propensity) <= _ROUNDING * self.propensity:
            raise BadData(column, f"is {logged:.9g}, but the distribution says {self.propensity:.9g}", row)


def context_of(decision: LoggedDecision) -> Context:
    """Return the context for a decision's joint actions: the logged one, with the features of the trigger answered."""
    policy_inputs = decision.policy_inputs
    if policy_inputs is None:
        return decision.context
    answered = max(0, int(policy_inputs.trigger_of.max(initial=0)))
    return policy_inputs.model_inputs(decision.context, decision.event_id)[answered].context
