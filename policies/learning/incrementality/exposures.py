"""Exposures: what a decision says about orders with a send and without one, from its row alone."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from policies.arrays import FloatArray, IntArray
from policies.catalogue.rulebook import Rulebook
from policies.records.reasons import Reason
from policies.records.rows import DecisionRow, TriggerRecord, unpack
from policies.rules.arbitration import NO_TRIGGER, urgency_of


class Cell(NamedTuple):
    """What is measured by itself: the sends about triggers of one type on one channel."""

    trigger: str
    channel: str


class SendKind(NamedTuple):
    """A kind of sends that have one window: their cell, their delay, and the length of the window."""

    cell: Cell
    delay_s: float
    window_s: float


class Window(NamedTuple):
    """The attribution window of a send, or the window that a send would have had; [begins_at, ends_at).

    ``weight`` is how many sends of the log a HOLD stands for; 1 of a send.
    """

    cell: Cell
    begins_at: float
    ends_at: float
    weight: float


class Exposure(msgspec.Struct, frozen=True, gc=False):
    """A decision that could have been a send and could have been HOLD.

    A drawn send has its own kind. A drawn HOLD has the kinds of the sends that were eligible beside it, each with a
    weight. Kept small: a report keeps as many as there are decisions, and equal ``kinds`` can be shared.
    """

    event_id: str
    at: float
    is_send: bool
    kinds: tuple[SendKind, ...]
    weights: array[float]

    def windows(self) -> Iterator[Window]:
        """Yield the windows with their weights."""
        for (cell, delay_s, window_s), weight in zip(self.kinds, self.weights, strict=True):
            yield Window(cell, self.at + delay_s, self.at + delay_s + window_s, weight)


def exposure_of(row: DecisionRow, rulebook: Rulebook) -> Exposure | None:
    """Return the exposure of a decision; None where HOLD or every send was impossible.

    A HOLD has for each eligible send a the weight p(a) / p(HOLD), the odds with which a would have been drawn in place
    of HOLD. Summed over the drawn HOLDs, the weights of a kind of send have the mean of the number of such sends that
    were drawn. So the weighted HOLDs are what the drawn sends would have been, had they been held. A HOLD that the
    policy wanted counts little, and one that nothing but chance has drawn counts much. ``rulebook`` must be of the
    row's catalogue version.
    """
    if not row.hold_eligible or row.drawn is None or not row.probabilities:
        return None
    probabilities: FloatArray = unpack(row.probabilities, np.float64)
    if len(probabilities) < 2 or not probabilities[-1] > 0.0:
        return None
    space = rulebook.space
    triggers = _triggers_of_messages(row.triggers, rulebook)[space.message_of]
    if row.drawn != space.hold:
        return Exposure(row.event_id, row.at, True, (_kind(row, rulebook, row.drawn, triggers),), array("d", [1.0]))
    sends = np.flatnonzero(unpack(row.verdicts, np.uint8) == Reason.eligible)
    shape = len(row.triggers), len(space.channels), len(space.delays_s)
    places = np.ravel_multi_index((triggers[sends], space.channel_of[sends], space.delay_of[sends]), shape)
    _, first, group = np.unique(places, return_index=True, return_inverse=True)
    weights = np.bincount(group, weights=probabilities[:-1] / probabilities[-1])
    kinds = tuple(_kind(row, rulebook, number, triggers) for number in sends[first].tolist())
    return Exposure(row.event_id, row.at, False, kinds, array("d", weights.tobytes()))


def _kind(row: DecisionRow, rulebook: Rulebook, number: int, triggers: IntArray) -> SendKind:
    """Return the kind of a joint action; ``triggers`` (n,) are those that each joint action answers."""
    action = rulebook.space[number]
    cell = Cell(row.triggers[triggers.item(number)].type, action.channel)
    return SendKind(cell, action.delay_s, rulebook.catalogue.channels[action.channel].attribution_window_s)


def _triggers_of_messages(triggers: Sequence[TriggerRecord], rulebook: Rulebook) -> IntArray:
    """Return the position of the trigger that each message answers: the most urgent one, among equals the first.

    The row of a send says which trigger the send answers, and the row of a HOLD does not: so this rule is used for
    both. Where HOLD is eligible, no send answers a critical trigger.
    """
    answers = np.full(len(rulebook.space.messages), NO_TRIGGER)
    positions = [position for position, trigger in enumerate(triggers) if not trigger.critical]
    for position in sorted(positions, key=lambda position: (urgency_of(triggers[position]), position), reverse=True):
        for number, message in enumerate(rulebook.catalogue.messages.values()):
            if triggers[position].type in message.triggers:
                answers[number] = position
    return answers
