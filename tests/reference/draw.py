"""Check a logged draw: whether it can come from the distribution in its row."""

from __future__ import annotations

from collections.abc import Iterator
from math import isclose

import numpy as np

from policies.records.rows import DecisionRow, unpack
from tests.reference.names import Document
from tests.reference.rules import money, send_cost

ELIGIBLE = 0
"""The verdict on an eligible joint action."""


def joint_actions(document: Document) -> list[tuple[str, str, int]]:
    """Return the sends of a catalogue in the order of their numbers: by message, channel of a template, delay."""
    return [
        (name, channel, delay)
        for name, message in document["messages"].items()
        for channel in message["templates"]
        for delay in message.get("delays_s") or document["delays_s"]
    ]


def find_mistakes(row: DecisionRow, document: Document) -> Iterator[str]:
    """Yield the codes of the mistakes in one row, independent of the rest of the log."""
    if row.hold_reason is not None and row.send_at is not None:
        yield "held_and_sent"
    if row.drawn is None:
        if row.send_at is not None:
            yield "not_drawn"
        return
    actions = joint_actions(document)
    verdicts = unpack(row.verdicts, np.uint8).tolist()
    eligible = [number for number, verdict in enumerate(verdicts) if verdict == ELIGIBLE]
    choices = eligible + [len(actions)] * row.hold_eligible
    yield from _distribution_mistakes(row, choices)
    yield from _hold_mistakes(row, eligible)
    if row.drawn < len(actions):
        yield from _send_mistakes(row, actions[row.drawn], document)
    elif row.message is not None or row.send_at is not None:
        yield "mislabelled"


def _distribution_mistakes(row: DecisionRow, choices: list[int]) -> Iterator[str]:
    p = unpack(row.probabilities, np.float64).tolist()
    if not isclose(sum(p), 1.0, abs_tol=1e-9) or min(p, default=0.0) < 0.0 or len(p) != len(choices):
        yield "distribution"
    elif row.drawn not in choices:
        yield "drawn_not_eligible"
    elif p[choices.index(row.drawn)] != row.propensity or not row.propensity:
        yield "propensity"


def _hold_mistakes(row: DecisionRow, eligible: list[int]) -> Iterator[str]:
    """HOLD is eligible unless the trigger is critical and a send is eligible."""
    critical = any(trigger.critical for trigger in row.triggers)
    if not row.hold_eligible and (not critical or not eligible):
        yield "hold_withheld"
    if row.hold_eligible and row.is_critical:
        yield "hold_offered"


def _send_mistakes(row: DecisionRow, action: tuple[str, str, int], document: Document) -> Iterator[str]:
    message, channel, delay_s = action
    category = document["messages"][message]["category"]
    if (row.message, row.channel, row.delay_s, row.category) != (message, channel, delay_s, category):
        yield "mislabelled"
    elif row.send_at is not None and row.send_at != row.at + delay_s:
        yield "send_time"
    if money(row.cost) != send_cost(document, message, channel):
        yield "cost"
