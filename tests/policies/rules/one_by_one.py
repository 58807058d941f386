"""The specification of verdict tables and of `RuleTable.judge_many`: each denial is asked about each joint action."""

from __future__ import annotations

from typing import Any

import numpy as np

from policies.catalogue.action_space import ActionSpace
from policies.records.reasons import Reason
from policies.rules.rule import Rule, RuleTable
from policies.rules.situation import Situation

Slots = tuple[int, int, int]
"""The numbers of a message, a channel and a send time."""


def denies(by: str, denied: Any, slots: Slots, space: ActionSpace, delays: int) -> bool:
    """Return whether what a method of `VerdictTable` is given denies a joint action."""
    message, channel, delay = slots
    if by == "by_delay":
        return bool(denied and denied[delay])
    if by == "by_slots":
        return denied is not None and bool(np.broadcast_to(denied, (*space.shape[:2], delays))[slots])
    names = {"by_message": space.messages, "by_category": space.categories}.get(by, space.channels)
    mask = denied.get(names[channel if by == "by_channel" else message])
    return bool(mask and mask[delay])


def judge_one_by_one(table: RuleTable, situation: Situation) -> list[Reason]:
    """Return the first reason why each joint action is excluded, in the order of the rules."""
    space, trigger = situation.rulebook.space, situation.trigger
    answers = [(rule, rule.denies(situation)) for rule in table.rules if rule.binds_critical or not trigger.critical]

    def reason_of(slots: Slots) -> Reason:
        if trigger.type not in situation.rulebook.catalogue.messages[space.messages[slots[0]]].triggers:
            return Reason.not_a_candidate
        return next((rule.reason for rule, denied in answers if _denies(rule, denied, slots, space)), Reason.eligible)

    return [reason_of(slots) for slots in map(tuple, space.slots.tolist())]


def _denies(rule: Rule[Any], denied: Any, slots: Slots, space: ActionSpace) -> bool:
    return denies(rule.write.__name__, denied, slots, space, len(space.delays_s))
