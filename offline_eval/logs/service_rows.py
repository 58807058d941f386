"""Rows of the service's log: from a row to the decision, with its eligible set, distribution and triggers."""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offline_eval.errors import BadData
from offline_eval.logs.decisions import HOLD, Action, LoggedDecision, PolicyInputs
from policies.arrays import BoolArray
from policies.catalogue.action_space import ActionSpace, JointAction
from policies.catalogue.rulebook import Rulebook
from policies.catalogue.templates.template import FilledNames
from policies.records.erasure import is_pseudonym
from policies.records.reasons import Reason
from policies.records.rows import DecisionRow, PolicyRecord, TriggerRecord, unpack
from policies.rules.arbitration import urgency_of
from policies.shopper.model_inputs import numbers_in


def row_label(row: DecisionRow) -> str:
    """Return the name of a row in errors; the rows of the service's log have no numbers."""
    return f"event {row.event_id!r}"


def check_row(row: DecisionRow, rulebook: Rulebook) -> None:
    """Refuse a row with a draw that is not in the row's catalogue version.

    Raises
    ------
    BadData
        The error names event and column.
    """
    space, label = rulebook.space, row_label(row)
    if not row.triggers:
        raise BadData("triggers", "is empty", label)
    if row.drawn_trigger is not None and not 0 <= row.drawn_trigger < len(row.triggers):
        raise BadData("drawn_trigger", f"is {row.drawn_trigger} of {len(row.triggers)} triggers", label)
    if row.drawn is not None and not 0 <= row.drawn <= space.hold:
        raise BadData("drawn", f"is {row.drawn}, a number that the catalogue does not have", label)
    send = None if row.drawn is None or row.drawn == space.hold else space[row.drawn]
    if row.is_delivered and send != (row.message, row.channel, row.delay_s):
        raise BadData("drawn", f"is {row.drawn}, which is not the joint action that was delivered", label)


def decode_decision(row: DecisionRow, rulebook: Rulebook, reward: float) -> LoggedDecision:
    """Return the decision of a row that `check_row` has accepted, with the reward that it earned.

    ``rulebook`` must be of the row's catalogue version.

    Raises
    ------
    BadData
        When no decision can have written the row; the error names event and column.
    """
    space, label = rulebook.space, row_label(row)
    verdicts = _unpack(row, "verdicts", np.uint8)
    if len(verdicts) != len(space):
        raise BadData("verdicts", f"has {len(verdicts)} values, the catalogue {len(space)} joint actions", label)
    sends = np.flatnonzero(verdicts == Reason.eligible)
    numbers = np.append(sends, space.hold) if row.hold_eligible or not len(sends) else sends
    trigger_of = _trigger_of(row, rulebook, sends, len(numbers))
    policy_inputs = PolicyInputs(rulebook, row.triggers, numbers, trigger_of, numbers_in(row))
    drawn = np.flatnonzero(numbers == row.drawn)
    decision = LoggedDecision(
        event_id=row.event_id,
        shopper_id=row.shopper_id,
        at=row.at,
        context=row.context,
        actions=joint_actions(space, numbers),
        probabilities=_unpack(row, "probabilities", np.float64),
        drawn=int(drawn[0]) if len(drawn) else -1,
        reward=reward,
        policy_inputs=policy_inputs,
        of_service=True,
    )
    decision.check(label)
    if row.propensity is not None:
        decision.check_propensity(row.propensity, "propensity", label)
    return add_labels(decision, row.policy, row.arm, row.hold_reason)


def _unpack(row: DecisionRow, column: str, dtype: type[np.generic]) -> NDArray[Any]:
    try:
        return unpack(getattr(row, column), dtype)
    except (ValueError, zlib.error) as error:
        raise BadData(column, f"cannot be read: {error}", row_label(row)) from None


def joint_actions(space: ActionSpace, numbers: NDArray[np.int64]) -> tuple[Action, ...]:
    """Return the joint actions with these numbers; the number of HOLD is the number of sends."""
    return tuple(HOLD if number == space.hold else space[number] for number in numbers.tolist())


def add_labels(decision: LoggedDecision, policy: PolicyRecord, arm: str, hold_reason: str | None) -> LoggedDecision:
    """Return the decision with the labels by which decisions of the service can be grouped."""
    policy_inputs, drawn = decision.policy_inputs, decision.drawn
    if policy_inputs is None or not 0 <= drawn < len(decision.actions):
        return decision
    action, trigger = decision.actions[drawn], _answered_trigger(policy_inputs, drawn)
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


def _answered_trigger(policy_inputs: PolicyInputs, drawn: int) -> TriggerRecord:
    """Return the trigger that a drawn send answers; for HOLD the most urgent one with a send, else the most urgent."""
    place = int(policy_inputs.trigger_of[drawn])
    if place >= 0:
        return policy_inputs.triggers[place]
    answered = np.unique(policy_inputs.trigger_of[policy_inputs.trigger_of >= 0])
    return min([policy_inputs.triggers[place] for place in answered.tolist()] or policy_inputs.triggers, key=urgency_of)


def _trigger_of(row: DecisionRow, rulebook: Rulebook, sends: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Return the position of the trigger that each eligible send answers, by the rules of arbitration.

    The log has one mask for all triggers together. A send answers the first listed trigger, among the most urgent ones
    that allow the send, that has content for the send and has not expired. The trigger of a drawn send was logged, and
    the triggers of the other sends are as urgent. For a drawn HOLD the most urgent triggers count that together allow
    all eligible sends.
    """
    trigger_of = np.full(size, -1, dtype=np.int64)
    if not len(sends):
        return trigger_of
    if len(row.triggers) == 1:
        trigger_of[: len(sends)] = 0
        return trigger_of
    allowed = np.stack([_find_allowed(row, trigger, rulebook)[sends] for trigger in row.triggers])
    surviving = allowed & _most_urgent(row, allowed)[:, None]
    trigger_of[: len(sends)] = surviving.argmax(axis=0)
    if row.drawn_trigger is not None:
        trigger_of[: len(sends)][sends == row.drawn] = row.drawn_trigger
    return trigger_of


def _most_urgent(row: DecisionRow, allowed: BoolArray) -> BoolArray:
    """Return whether each trigger (T,) won the arbitration, from the sends that each can have allowed (T, S)."""
    urgencies = [urgency_of(trigger) for trigger in row.triggers]
    if row.drawn_trigger is not None:
        best = urgencies[row.drawn_trigger]
    else:
        of_urgency = {urgency: np.array([other == urgency for other in urgencies]) for urgency in urgencies}
        complete = [urgency for urgency, triggers in of_urgency.items() if allowed[triggers].any(axis=0).all()]
        best = min(complete or urgencies)
    return np.array([urgency == best for urgency in urgencies])


def _find_allowed(row: DecisionRow, trigger: TriggerRecord, rulebook: Rulebook) -> BoolArray:
    """Return whether a trigger can have allowed each joint action (n,), by the rules that depend on the trigger."""
    space = rulebook.space
    logged_locale = row.context.get("locale")
    locale = logged_locale if isinstance(logged_locale, str) else rulebook.catalogue.defaults.locale
    late = row.at + space.delay_seconds > trigger.expires_at
    if trigger.type not in rulebook.trigger_numbers:
        raise BadData("triggers", f"names {trigger.type!r}, which the catalogue does not have", row_label(row))
    not_candidate = ~rulebook.candidates[rulebook.trigger_numbers[trigger.type]]
    if is_pseudonym(row.shopper_id):
        return np.asarray(~(late | not_candidate))  # erasure removed the attributes that decide about content
    lacking = rulebook.without_content(locale, FilledNames.of(trigger.attributes))
    empty = False if lacking is None else lacking[space.message_of, space.channel_of, 0]
    return np.asarray(~(late | not_candidate | empty))
