"""Arbitration: at most one notification for all the triggers of a request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import numpy as np

from policies.arrays import BoolArray, ByteArray, IntArray
from policies.catalogue.rulebook import Rulebook
from policies.records.model_input import ModelInput
from policies.records.reasons import Reason
from policies.records.request import Request
from policies.records.rows import TriggerRecord
from policies.rules.rules import RULES
from policies.rules.situation import NOTHING_ELSE, Situation, Surroundings
from policies.shopper.state import ShopperState

NO_TRIGGER = -1
_ELIGIBLE = np.uint8(Reason.eligible)


@dataclass(frozen=True, eq=False)
class Eligibility:
    """Which joint actions may be sent for one request, and why the others may not.

    ``verdicts`` (n,) holds the `Reason` of each joint action. HOLD is no number among them: HOLD is eligible unless a
    critical send is. ``answers`` (n,) holds `trigger_of` if the request has several triggers, else None.
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
    inputs
        For each request, what a model sees of each trigger of the request.
    trigger_of
        (r, n), `Eligibility.trigger_of` of each request; None where every request has a single trigger.
    """

    verdicts: ByteArray
    hold: BoolArray
    inputs: Sequence[Sequence[ModelInput]] = ()
    trigger_of: IntArray | None = None

    @classmethod
    def of(cls, eligibilities: Sequence[Eligibility], inputs: Sequence[Sequence[ModelInput]]) -> Eligibles:
        """Collect the eligible sets of single requests."""
        has_single_triggers = all(one.answers is None for one in eligibilities)
        return cls(
            verdicts=np.stack([one.verdicts for one in eligibilities]),
            hold=np.array([one.hold for one in eligibilities], dtype=np.bool_),
            inputs=inputs,
            trigger_of=None if has_single_triggers else np.stack([one.trigger_of for one in eligibilities]),
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
    """Return the eligible set of one request: `arbitrate_many` of one."""
    return arbitrate_many([situations_of(request, state, rulebook, surroundings)])[0]


def situations_of(
    request: Request, state: ShopperState, rulebook: Rulebook, surroundings: Surroundings
) -> list[Situation]:
    """Return what the triggers of a request are judged on."""
    return [RULES.situation_of(request, trigger, state, rulebook, surroundings) for trigger in request.triggers]


def arbitrate_many(situations: Sequence[Sequence[Situation]], inputs: Sequence[Sequence[ModelInput]] = ()) -> Eligibles:
    """Judge every trigger of every request; return the eligible sets, with the inputs of the policy's model.

    In each request, the most urgent trigger that still has an eligible send outranks the others. A critical trigger
    outranks every trigger that is not critical. A trigger without an eligible send outranks nothing. A message answers
    the first listed trigger that allows it, so joint actions stay unique.
    """
    verdicts = RULES.judge_many([situation for of_request in situations for situation in of_request])
    counts = list(map(len, situations))
    if len(verdicts) == len(counts):
        return Eligibles(verdicts, _holds(verdicts, situations), inputs)
    ends = list(accumulate(counts))
    first = verdicts[[end - count for end, count in zip(ends, counts, strict=True)]]
    hold, trigger_of = _holds(first, situations), np.where(first == _ELIGIBLE, 0, NO_TRIGGER)
    for row, (end, count) in enumerate(zip(ends, counts, strict=True)):
        if count > 1:
            triggers = [situation.trigger for situation in situations[row]]
            first[row], trigger_of[row], hold[row] = _outrank(triggers, verdicts[end - count : end])
    return Eligibles(first, hold, inputs, trigger_of)


def _holds(verdicts: ByteArray, situations: Sequence[Sequence[Situation]]) -> BoolArray:
    """Return for requests (r, n) with a single trigger whether HOLD is eligible: nothing can outrank the trigger."""
    critical = np.array([of_request[0].trigger.critical for of_request in situations], dtype=np.bool_)
    if critical.any():
        critical &= (verdicts == _ELIGIBLE).any(axis=1)
    return ~critical


def _outrank(triggers: Sequence[TriggerRecord], verdicts: ByteArray) -> tuple[ByteArray, IntArray, bool]:
    """Merge the verdicts (triggers, n) of a request.

    Return the verdicts (n,), the trigger that each joint action answers (n,), and whether HOLD is eligible.
    """
    allowed = verdicts == _ELIGIBLE
    urgencies = [urgency_of(trigger) for trigger in triggers]
    contenders = [urgency for urgency, sends in zip(urgencies, allowed, strict=True) if sends.any()]
    most_urgent = min(contenders, default=None)
    surviving = allowed & np.array([urgency == most_urgent for urgency in urgencies])[:, None]
    eligible = surviving.any(axis=0)
    merged = np.where(allowed.any(axis=0), np.uint8(Reason.outranked), _first_reason(verdicts))
    merged[eligible] = Reason.eligible
    critical = most_urgent is not None and most_urgent[0] == 0
    return merged, np.where(eligible, surviving.argmax(axis=0), NO_TRIGGER), not critical


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
