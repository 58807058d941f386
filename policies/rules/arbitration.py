"""Arbitration: at most one notification for all the triggers of a request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from policies.arrays import BoolArray, ByteArray, IntArray
from policies.catalogue.rulebook import Rulebook
from policies.records.reasons import Reason
from policies.records.request import Request
from policies.records.rows import Context, TriggerRecord
from policies.rules.rules import RULES
from policies.rules.situation import NOTHING_ELSE, Situation, Surroundings
from policies.shopper.state import ShopperState

NO_TRIGGER = -1
_ELIGIBLE = np.uint8(Reason.eligible)


@dataclass(frozen=True, eq=False)
class Eligibility:
    """Which joint actions may be sent for one request, and why the others may not.

    ``verdicts`` (n,) holds the `Reason` of each joint action. HOLD is no number among them: HOLD is eligible unless a
    critical send is. ``answers`` (n,) is `trigger_of` where the request has several triggers.
    """

    verdicts: ByteArray
    hold: bool
    answers: IntArray | None = None

    @cached_property
    def sends(self) -> IntArray:
        """The numbers of the eligible joint actions in increasing order."""
        return np.flatnonzero(self.verdicts == _ELIGIBLE)

    @property
    def trigger_of(self) -> IntArray:
        """The position of the trigger that an eligible joint action answers, `NO_TRIGGER` for the others; (n,)."""
        if self.answers is not None:
            return self.answers
        return np.where(self.verdicts == _ELIGIBLE, 0, NO_TRIGGER)

    @property
    def size(self) -> int:
        """Size of the eligible set, HOLD included."""
        return len(self.sends) + self.hold


@dataclass(frozen=True, eq=False)
class Eligibles:
    """The eligible sets of a list of requests (r) over the joint actions (n) of one rulebook; HOLD is column n.

    Parameters
    ----------
    verdicts
        (r, n), the `Reason` of each joint action.
    hold
        (r,), whether HOLD is eligible.
    contexts
        For each request, one context per trigger of the request.
    trigger_of
        (r, n), as `Eligibility.trigger_of`; None where every request has a single trigger.
    """

    verdicts: ByteArray
    hold: BoolArray
    contexts: Sequence[Sequence[Context]]
    trigger_of: IntArray | None = None

    @classmethod
    def of(cls, eligibilities: Sequence[Eligibility], contexts: Sequence[Sequence[Context]]) -> Eligibles:
        """Collect the eligible sets of single requests."""
        alone = all(one.answers is None for one in eligibilities)
        return cls(
            verdicts=np.stack([one.verdicts for one in eligibilities]),
            hold=np.array([one.hold for one in eligibilities], dtype=np.bool_),
            contexts=contexts,
            trigger_of=None if alone else np.stack([one.trigger_of for one in eligibilities]),
        )

    @cached_property
    def mask(self) -> BoolArray:
        """Which joint actions are eligible, (r, n + 1); HOLD is the last column."""
        return np.concatenate([self.verdicts == _ELIGIBLE, self.hold[:, None]], axis=1)

    def __len__(self) -> int:
        return len(self.verdicts)

    def __getitem__(self, number: int) -> Eligibility:
        """Return the eligible set of one request."""
        answers = None if self.trigger_of is None else self.trigger_of[number]
        return Eligibility(self.verdicts[number], bool(self.hold[number]), answers)


def arbitrate(
    request: Request, state: ShopperState, rulebook: Rulebook, surroundings: Surroundings = NOTHING_ELSE
) -> Eligibility:
    """Judge every trigger; the most urgent trigger that still has an eligible send outranks the others.

    A critical trigger outranks every trigger that is not critical. A trigger without an eligible send outranks
    nothing. A message answers the first listed trigger that allows it, so joint actions stay unique.
    """
    situations = [RULES.situation_of(request, trigger, state, rulebook, surroundings) for trigger in request.triggers]
    if len(situations) == 1:
        return _judge_alone(situations[0])
    verdicts = np.stack([RULES.judge(situation) for situation in situations])  # (triggers, n)
    allowed = verdicts == Reason.eligible
    urgencies = [urgency_of(trigger) for trigger in request.triggers]
    contenders = [urgency for urgency, sends in zip(urgencies, allowed, strict=True) if sends.any()]
    most_urgent = min(contenders, default=None)
    surviving = allowed & np.array([urgency == most_urgent for urgency in urgencies])[:, None]
    eligible = surviving.any(axis=0)
    merged = np.where(allowed.any(axis=0), np.uint8(Reason.outranked), _first_reason(verdicts))
    merged[eligible] = Reason.eligible
    critical = most_urgent is not None and most_urgent[0] == 0
    return Eligibility(
        verdicts=merged.astype(np.uint8),
        hold=not critical,
        answers=np.where(eligible, surviving.argmax(axis=0), NO_TRIGGER),
    )


def _judge_alone(situation: Situation) -> Eligibility:
    """Return the eligibility under a single trigger, the usual case: nothing can outrank it."""
    verdicts = RULES.judge(situation)
    critical = situation.trigger.critical and bool((verdicts == _ELIGIBLE).any())
    return Eligibility(verdicts, hold=not critical)


def urgency_of(trigger: TriggerRecord) -> tuple[int, int]:
    """Return the sorting key of a trigger, the most urgent first: critical triggers, then by priority."""
    return (0 if trigger.critical else 1, trigger.priority)


def _first_reason(verdicts: ByteArray) -> ByteArray:
    """Return each joint action's reason under the first listed trigger that it is a candidate of.

    ``verdicts`` has shape (triggers, n).
    """
    candidates = verdicts != Reason.not_a_candidate
    first = candidates.argmax(axis=0)
    return np.asarray(verdicts[first, np.arange(verdicts.shape[1])], dtype=np.uint8)
