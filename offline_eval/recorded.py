"""From a row of the service's log back to the decision: eligible set, distribution, and whom each send answers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from offline_eval.decisions import HOLD, Action, Decision, Recorded
from policies.actions import ActionSpace, JointAction
from policies.content import filled_names
from policies.guardrails import Reason
from policies.rows import DecisionRow, PolicyRecord, TriggerRecord, unpack
from policies.rulebook import BoolArray, Rulebook


def decision_of(row: DecisionRow, rulebook: Rulebook, reward: float) -> Decision:
    """Read a decision row together with what it earned.

    ``rulebook`` must be of the row's catalogue version.
    """
    space = rulebook.space
    sends = np.flatnonzero(unpack(row.verdicts, np.uint8) == Reason.eligible)
    numbers = np.append(sends, space.hold) if row.hold_eligible or not len(sends) else sends
    recorded = Recorded(rulebook, row.triggers, numbers, _trigger_of(row, rulebook, sends, len(numbers)))
    drawn = np.flatnonzero(numbers == row.drawn)
    decision = Decision(
        event_id=row.event_id,
        shopper_id=row.shopper_id,
        at=row.at,
        context=row.context,
        actions=actions_of(space, numbers),
        probabilities=unpack(row.probabilities, np.float64),
        drawn=int(drawn[0]) if len(drawn) else -1,
        reward=reward,
        recorded=recorded,
    )
    return labels_of(decision, row.policy, row.arm, row.hold_reason)


def actions_of(space: ActionSpace, numbers: NDArray[np.int64]) -> tuple[Action, ...]:
    """Give the joint actions of numbers; HOLD's is the number of sends."""
    return tuple(HOLD if number == space.hold else space[number] for number in numbers.tolist())


def labels_of(decision: Decision, policy: PolicyRecord, arm: str, hold_reason: str | None) -> Decision:
    """Add what a decision of the service can be grouped by."""
    recorded, drawn = decision.recorded, decision.drawn
    if recorded is None or not 0 <= drawn < len(decision.actions):
        return decision
    action, trigger = decision.actions[drawn], recorded.triggers[max(0, int(recorded.trigger_of[drawn]))]
    slots = action._asdict() if isinstance(action, JointAction) else dict.fromkeys(JointAction._fields, HOLD)
    labels = {
        **{name: str(value) for name, value in slots.items()},
        "trigger": trigger.type,
        "segment": str(decision.context.get("segment", "")),
        "policy": f"{policy.name} {policy.version}",
        "mode": policy.mode,
        "arm": arm,
        "hold_reason": hold_reason or "",
    }
    return replace(decision, labels=labels)


def _trigger_of(row: DecisionRow, rulebook: Rulebook, sends: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Tell which trigger each eligible send answers, as arbitration did.

    The log keeps the merged mask only, but among the most urgent triggers that a send is eligible under, it
    answers the first listed one that has content for it and has not expired.
    """
    found = np.full(size, -1, dtype=np.int64)
    if not len(sends):
        return found
    if len(row.triggers) == 1:
        found[: len(sends)] = 0
        return found
    allowed = np.stack([_allowed(row, trigger, rulebook)[sends] for trigger in row.triggers])
    urgencies = [(0 if trigger.critical else 1, trigger.priority) for trigger in row.triggers]
    contenders = [urgency for urgency, own in zip(urgencies, allowed, strict=True) if own.any()]
    best = min(contenders, default=min(urgencies))
    surviving = allowed & np.array([urgency == best for urgency in urgencies])[:, None]
    found[: len(sends)] = surviving.argmax(axis=0)
    if row.drawn_trigger is not None:
        found[: len(sends)][sends == row.drawn] = row.drawn_trigger
    return found


def _allowed(row: DecisionRow, trigger: TriggerRecord, rulebook: Rulebook) -> BoolArray:
    """Tell which joint actions (n,) a trigger can have allowed: rules that do not depend on it are left out."""
    space = rulebook.space
    told = row.context.get("locale")
    locale = told if isinstance(told, str) else rulebook.catalogue.defaults.locale
    late = row.at + space.delay_seconds > trigger.expires_at
    stranger = rulebook.not_candidates[trigger.type][space.message_of, 0, 0] > 0
    lacking = rulebook.without_content(locale, filled_names(trigger.attributes))
    empty = False if lacking is None else lacking[space.message_of, space.channel_of, 0]
    return np.asarray(~(late | stranger | empty))
