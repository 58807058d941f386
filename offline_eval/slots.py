"""Marginal weights on slots: the target's whole joint action is rarely the logged one, its channel often is.

The quotient of two marginal probabilities varies far less than the weight of a whole joint action (among 60 to 250 of
them). It is right as long as the other slots do not change the reward, given these slots and the context.

References
----------
Saito, Joachims (2022), Off-Policy Evaluation for Large Action Spaces via Embeddings.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from offline_eval.columns import FloatArray, IntArray
from offline_eval.errors import NotAvailable
from offline_eval.logs.decisions import HOLD, Action, LoggedDecision
from policies.catalogue.action_space import JointAction

SLOTS = ("message", "channel", "delay_s")


def check_slots(slots: Sequence[str]) -> tuple[str, ...]:
    """Return the slots.

    Raises
    ------
    NotAvailable
        Naming the first one that does not exist.
    """
    for slot in slots:
        if slot not in SLOTS:
            raise NotAvailable(f"there is no slot {slot!r}; known are {', '.join(SLOTS)}")
    return tuple(slots)


def find_slot_codes(decision: LoggedDecision, slots: Sequence[str]) -> IntArray:
    """Return a code from 0 for each eligible joint action (K,), equal where the values of these slots are equal.

    HOLD has a code of its own.

    Raises
    ------
    NotAvailable
        When the actions of the log are labels, which have no slots.
    """
    for action in decision.actions:
        if not isinstance(action, JointAction) and action != HOLD:
            raise NotAvailable(f"slots are those of a catalogue's joint actions: {action!r} of this log has none")
    codes: dict[tuple[object, ...], int] = {}
    return np.array([codes.setdefault(_values(action, slots), len(codes)) for action in decision.actions])


def average_by_slot(predicted: FloatArray, logged: FloatArray, wanted: FloatArray, codes: IntArray) -> FloatArray:
    """Return the prediction for each slot value from predictions for whole joint actions (K,).

    The prediction is the mean over the joint actions with this slot value, weighted by the logging policy's
    probabilities, because the logged rewards are mixed in this way. Where the logging policy never draws the slot
    value, the target's probabilities are the weights.
    """
    share = np.where(sum_by_code(logged, codes)[codes] > 0, logged, wanted)
    mass = sum_by_code(share, codes)
    return np.divide(sum_by_code(share * predicted, codes), mass, out=np.zeros_like(mass), where=mass > 0)


def sum_by_code(amounts: FloatArray, codes: IntArray) -> FloatArray:
    """Return the sum of the amounts (K,) of each code."""
    return np.asarray(np.bincount(codes, amounts), dtype=np.float64)


def _values(action: Action, slots: Sequence[str]) -> tuple[object, ...]:
    if isinstance(action, JointAction):
        return tuple(getattr(action, slot) for slot in slots)
    return (action,)
