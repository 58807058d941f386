"""Exposures: what a decision says about orders with a send and without one, from its row alone."""

from __future__ import annotations

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


class Window(msgspec.Struct, frozen=True, gc=False):
    """The attribution window of a send, or the window that a send would have had; [begins_at, ends_at).

    ``weight`` is how many sends of the log a HOLD stands for; 1 of a send.
    """

    cell: Cell
    begins_at: float
    ends_at: float
    weight: float = 1.0


class Exposure(msgspec.Struct, frozen=True):
    """A decision that could have been a send and could have been HOLD.

    A drawn send has its own window. A drawn HOLD has the windows of the sends that were eligible beside it.
    """

    event_id: str
    is_send: bool
    windows: tuple[Window, ...]


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
    sends = np.flatnonzero(unpack(row.verdicts, np.uint8) == Reason.eligible)
    probabilities: FloatArray = unpack(row.probabilities, np.float64)
    if not len(sends) or not probabilities[-1] > 0.0:
        return None
    if row.drawn == rulebook.space.hold:
        odds = probabilities[:-1] / probabilities[-1]
        return Exposure(row.event_id, False, tuple(_windows(row, rulebook, sends, odds)))
    return Exposure(row.event_id, True, tuple(_windows(row, rulebook, np.array([row.drawn]), np.ones(1))))


def _windows(row: DecisionRow, rulebook: Rulebook, sends: IntArray, weights: FloatArray) -> Iterator[Window]:
    """Yield one window for each trigger, channel and delay among sends, with the sum of the weights."""
    space, channels = rulebook.space, rulebook.catalogue.channels
    shape = len(row.triggers), len(space.channels), len(space.delays_s)
    answered = _triggers_of_messages(row.triggers, rulebook)[space.message_of[sends]]
    places = np.ravel_multi_index((answered, space.channel_of[sends], space.delay_of[sends]), shape)
    totals = np.bincount(places, weights=weights)
    for place in np.flatnonzero(totals).tolist():
        trigger, channel, delay = (int(number) for number in np.unravel_index(place, shape))
        name, begins_at = space.channels[channel], row.at + space.delays_s[delay]
        ends_at = begins_at + channels[name].attribution_window_s
        yield Window(Cell(row.triggers[trigger].type, name), begins_at, ends_at, totals.item(place))


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
