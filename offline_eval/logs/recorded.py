"""From a row of the service's log back to the decision: eligible set, distribution, and whom each send answers."""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offline_eval.errors import BadData
from offline_eval.logs.decisions import HOLD, Action, LoggedDecision, Recorded
from policies.arrays import BoolArray
from policies.catalogue.action_space import ActionSpace, JointAction
from policies.catalogue.rulebook import Rulebook
from policies.catalogue.templates import filled_names
from policies.records.erasure import is_pseudonym
from policies.records.reasons import Reason
from policies.records.rows import DecisionRow, PolicyRecord, TriggerRecord, unpack
from policies.rules.arbitration import urgency_of


def place_of(row: DecisionRow) -> str:
    """Name a row of the log, which numbers none: errors say where the data is bad."""
    return f"event {row.event_id!r}"


def check_row(row: DecisionRow, rulebook: Rulebook) -> None:
    """Refuse a row whose draw its catalogue version does not have.

    Raises
    ------
    BadData
        Naming event and column.
    """
    space, place = rulebook.space, place_of(row)
    if not row.triggers:
        raise BadData("triggers", "is empty", place)
    if row.drawn_trigger is not None and not 0 <= row.drawn_trigger < len(row.triggers):
        raise BadData("drawn_trigger", f"is {row.drawn_trigger} of {len(row.triggers)} triggers", place)
    if row.drawn is not None and not 0 <= row.drawn <= space.hold:
        raise BadData("drawn", f"is {row.drawn}, a number that the catalogue does not have", place)
    send = None if row.drawn is None or row.drawn == space.hold else space[row.drawn]
    if row.is_delivered and send != (row.message, row.channel, row.delay_s):
        raise BadData("drawn", f"is {row.drawn}, which is not the joint action that was delivered", place)


def decision_of(row: DecisionRow, rulebook: Rulebook, reward: float) -> LoggedDecision:
    """Read a decision row, which `check_row` has let pass, together with what it earned.

    ``rulebook`` must be of the row's catalogue version.

    Raises
    ------
    BadData
        When no decision can have written the row; naming event and column.
    """
    space, place = rulebook.space, place_of(row)
    verdicts = _unpacked(row, "verdicts", np.uint8)
    if len(verdicts) != len(space):
        raise BadData("verdicts", f"has {len(verdicts)} values, the catalogue {len(space)} joint actions", place)
    sends = np.flatnonzero(verdicts == Reason.eligible)
    numbers = np.append(sends, space.hold) if row.hold_eligible or not len(sends) else sends
    recorded = Recorded(rulebook, row.triggers, numbers, _trigger_of(row, rulebook, sends, len(numbers)))
    drawn = np.flatnonzero(numbers == row.drawn)
    decision = LoggedDecision(
        event_id=row.event_id,
        shopper_id=row.shopper_id,
        at=row.at,
        context=row.context,
        actions=actions_of(space, numbers),
        probabilities=_unpacked(row, "probabilities", np.float64),
        drawn=int(drawn[0]) if len(drawn) else -1,
        reward=reward,
        recorded=recorded,
        of_service=True,
    )
    decision.check(place)
    if row.propensity is not None:
        decision.check_propensity(row.propensity, "propensity", place)
    return labels_of(decision, row.policy, row.arm, row.hold_reason)


def _unpacked(row: DecisionRow, column: str, dtype: type[np.generic]) -> NDArray[Any]:
    try:
        return unpack(getattr(row, column), dtype)
    except (ValueError, zlib.error) as error:
        raise BadData(column, f"cannot be read: {error}", place_of(row)) from None


def actions_of(space: ActionSpace, numbers: NDArray[np.int64]) -> tuple[Action, ...]:
    """Give the joint actions of numbers; HOLD's is the number of sends."""
    return tuple(HOLD if number == space.hold else space[number] for number in numbers.tolist())


def labels_of(decision: LoggedDecision, policy: PolicyRecord, arm: str, hold_reason: str | None) -> LoggedDecision:
    """Add what a decision of the service can be grouped by."""
    recorded, drawn = decision.recorded, decision.drawn
    if recorded is None or not 0 <= drawn < len(decision.actions):
        return decision
    action, trigger = decision.actions[drawn], _answered(recorded, drawn)
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


def _answered(recorded: Recorded, drawn: int) -> TriggerRecord:
    """Give the trigger that a drawn send answers; for HOLD the most urgent that has a send, or of all."""
    own = int(recorded.trigger_of[drawn])
    if own >= 0:
        return recorded.triggers[own]
    answered = np.unique(recorded.trigger_of[recorded.trigger_of >= 0])
    return min([recorded.triggers[place] for place in answered.tolist()] or recorded.triggers, key=urgency_of)


def _trigger_of(row: DecisionRow, rulebook: Rulebook, sends: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Tell which trigger each eligible send answers, as arbitration did.

    The log keeps the merged mask only, but among the most urgent triggers that a send is eligible under, it
    answers the first listed one that has content for it and has not expired. What the drawn send answers was
    logged, and is as urgent as the rest; a drawn HOLD leaves the most urgent triggers that can account for all sends.
    """
    found = np.full(size, -1, dtype=np.int64)
    if not len(sends):
        return found
    if len(row.triggers) == 1:
        found[: len(sends)] = 0
        return found
    allowed = np.stack([_allowed(row, trigger, rulebook)[sends] for trigger in row.triggers])
    surviving = allowed & _most_urgent(row, allowed)[:, None]
    found[: len(sends)] = surviving.argmax(axis=0)
    if row.drawn_trigger is not None:
        found[: len(sends)][sends == row.drawn] = row.drawn_trigger
    return found


def _most_urgent(row: DecisionRow, allowed: BoolArray) -> BoolArray:
    """Tell which triggers (T,) arbitration let win, from the sends that each can have allowed (T, S)."""
    urgencies = [urgency_of(trigger) for trigger in row.triggers]
    if row.drawn_trigger is not None:
        best = urgencies[row.drawn_trigger]
    else:
        alike = {urgency: np.array([each == urgency for each in urgencies]) for urgency in urgencies}
        whole = [urgency for urgency, own in alike.items() if allowed[own].any(axis=0).all()]
        best = min(whole or urgencies)
    return np.array([urgency == best for urgency in urgencies])


def _allowed(row: DecisionRow, trigger: TriggerRecord, rulebook: Rulebook) -> BoolArray:
    """Tell which joint actions (n,) a trigger can have allowed: rules that do not depend on it are left out."""
    space = rulebook.space
    told = row.context.get("locale")
    locale = told if isinstance(told, str) else rulebook.catalogue.defaults.locale
    late = row.at + space.delay_seconds > trigger.expires_at
    if trigger.type not in rulebook.candidates:
        raise BadData("triggers", f"names {trigger.type!r}, which the catalogue does not have", place_of(row))
    stranger = rulebook.candidates[trigger.type][space.message_of, 0, 0] == 0
    if is_pseudonym(row.shopper_id):
        return np.asarray(~(late | stranger))  # erasure took the attributes that its content was judged by
    lacking = rulebook.without_content(locale, filled_names(trigger.attributes))
    empty = False if lacking is None else lacking[space.message_of, space.channel_of, 0]
    return np.asarray(~(late | stranger | empty))
