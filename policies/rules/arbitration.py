"""Arbitration: at most one notification for all the triggers of a request."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from policies.arrays import ByteArray, IntArray
from policies.catalogue.rulebook import Rulebook
from policies.records.reasons import Reason
from policies.records.request import Request
from policies.records.rows import TriggerRecord
from policies.rules.rules import RULES
from policies.rules.situation import NOTHING_ELSE, Situation, Surroundings
from policies.shopper.state import ShopperState

NO_TRIGGER = -1
_ELIGIBLE = np.uint8(Reason.eligible)


@dataclass(frozen=True)
class Eligibility:
    """Which joint actions may be sent, and why the others may not.

    ``verdicts`` (n,) holds the `Reason` of each joint action. ``trigger_of`` (n,) holds the position of the trigger
    that an eligible joint action answers, `NO_TRIGGER` for the others. ``sends`` holds the numbers of the eligible
    joint actions in increasing order. HOLD is no number among them: HOLD is eligible unless a critical send is.
    ``locale`` is the locale of the content.
    """

    verdicts: ByteArray
    trigger_of: IntArray
    sends: IntArray
    hold: bool
    locale: str

    @property
    def size(self) -> int:
        """Size of the eligible set, HOLD included."""
        return len(self.sends) + self.hold


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
        trigger_of=np.where(eligible, surviving.argmax(axis=0), NO_TRIGGER),
        sends=np.flatnonzero(eligible),
        hold=not critical,
        locale=situations[0].locale,
    )


def _judge_alone(situation: Situation) -> Eligibility:
    """Return the eligibility under a single trigger, the usual case: nothing can outrank it."""
    verdicts = RULES.judge(situation)
    eligible = verdicts == _ELIGIBLE
    sends = eligible.nonzero()[0]
    return Eligibility(
        verdicts=verdicts,
        trigger_of=np.add(eligible, NO_TRIGGER, dtype=np.int64),  # trigger 0, or none
        sends=sends,
        hold=not (situation.trigger.critical and len(sends)),
        locale=situation.locale,
    )


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
