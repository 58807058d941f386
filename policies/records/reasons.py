"""Reasons: why a joint action is excluded; the numbers are stored in the log."""

from __future__ import annotations

from enum import IntEnum


class Reason(IntEnum):
    """Why a joint action is excluded (stable names, in the order in which the rules are asked)."""

    eligible = 0
    excluded_by_caller = 1
    no_content = 2
    expired = 3
    no_consent = 4
    unreachable = 5
    preference = 6
    holdout = 7
    quiet_hours = 8
    suppression_window = 9
    cooldown = 10
    min_gap = 11
    cap_message = 12
    cap_category = 13
    cap_channel = 14
    cap_global = 15
    budget = 16
    outranked = 17
    not_a_candidate = 255
