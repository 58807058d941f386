"""Logged decisions: who was decided for, what was eligible, with which probabilities, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from offline_eval.batch import FloatArray, check_distribution
from offline_eval.errors import BadData, RowLabel
from policies.catalogue.action_space import JointAction
from policies.catalogue.rulebook import Rulebook
from policies.records.reasons import Reason
from policies.records.rows import Context, TriggerRecord
from policies.rules.arbitration import NO_TRIGGER, Eligibility
from policies.shopper.context import trigger_context

HOLD = "HOLD"
Action = JointAction | str
"""A joint action of a catalogue, `HOLD`, or another log's own label."""

_ROUNDING = 2e-4
"""By how much of itself a logged propensity may differ from its distribution's: both may be rounded apart."""

_YEAR_10000 = 253_402_300_800.0
"""Calendars end there; times beyond it are milliseconds."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a service's own log tells beyond that, from which its policies can decide anew.

    ``numbers`` (K,) are joint action numbers of the catalogue version, HOLD's the number of sends, last;
    ``trigger_of`` (K,) the position of the trigger that each answers, -1 for HOLD.
    """

    rulebook: Rulebook
    triggers: tuple[TriggerRecord, ...]
    numbers: NDArray[np.int64]
    trigger_of: NDArray[np.int64]

    def contexts(self, shared: Context) -> list[Context]:
        """Give the context of each trigger."""
        return [trigger_context(shared, trigger) for trigger in self.triggers]

    def eligibility(self) -> Eligibility:
        """Give the mask at log time: what was excluded stays so, without its reasons."""
        size = len(self.rulebook.space)
        hold = bool(len(self.numbers)) and int(self.numbers[-1]) == size
        sends = self.numbers[: len(self.numbers) - hold]
        verdicts = np.full(size, Reason.not_a_candidate, dtype=np.uint8)
        verdicts[sends] = Reason.eligible
        trigger_of = np.full(size, NO_TRIGGER, dtype=np.int64)
        trigger_of[sends] = self.trigger_of[: len(sends)]
        return Eligibility(verdicts, trigger_of, sends, hold, self.rulebook.catalogue.defaults.locale)


@dataclass(frozen=True, slots=True)
class LoggedDecision:
    """One logged decision.

    Parameters
    ----------
    event_id, shopper_id
        Its name and whom it was made for; where the log does not say, it stands for itself, and they are the same.
    at
        When, in epoch seconds.
    context
        What was known.
    actions
        The eligible set (K,).
    probabilities
        The logging policy's distribution over it (K,).
    drawn
        Position of the drawn joint action.
    reward
        What it earned.
    labels
        What it can be grouped by.
    recorded
        Only of the service's own log.
    of_service
        Whether the service logged it, whatever format it was read from: HOLD is then worth 0 by definition.
    raw
        The line it was read from, of dsjson.
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
    recorded: Recorded | None = None
    of_service: bool = False
    raw: str = ""

    @property
    def has_shopper(self) -> bool:
        """Whether the log says whom it was made for."""
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
            Naming row and column.
        """
        if len(self.probabilities) != len(self.actions):
            found = f"has {len(self.probabilities)} values for {len(self.actions)} eligible joint actions"
            raise BadData("probabilities", found, row)
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
        """Refuse a propensity logged beside the distribution that is not the one in it.

        Raises
        ------
        BadData
            Naming row and column.
        """
        # Relative: a small propensity makes a large weight, whatever its rounding.
        if not abs(logged - self.propensity) <= _ROUNDING * self.propensity:
            found = f"is {logged:.9g}, but the distribution says {self.propensity:.9g}"
            raise BadData(column, found, row)


def context_of(decision: LoggedDecision) -> Context:
    """Give the context in which a decision's joint actions are assessed: that of the most urgent trigger drawn."""
    recorded = decision.recorded
    if recorded is None:
        return decision.context
    answered = max(0, int(recorded.trigger_of.max(initial=0)))
    return recorded.contexts(decision.context)[answered]
