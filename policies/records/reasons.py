"""Reasons: why a joint action is excluded."""

from __future__ import annotations

from enum import IntEnum


class Reason(IntEnum):
    """Why a joint action is excluded.

    Names and numbers are stable: the log stores the number, one byte per joint action. A new rule takes the next
    free number (17 is taken by arbitration). The order in which rules are asked is the order of the table in
    `policies.rules.rules`, not the order of the numbers.
    """

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
