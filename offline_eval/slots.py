"""Marginal weights on slots: whole joint actions rarely match, their channel often does.

Weights made of two marginal probabilities vary far less than those of whole joint actions (60 to 250 of them), and
are right as long as the other slots do not change the reward, given these and the context.

References
----------
Saito, Joachims (2022), Off-Policy Evaluation for Large Action Spaces via Embeddings.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from offline_eval.batch import FloatArray, IntArray
from offline_eval.errors import NotAvailable
from offline_eval.logs.decisions import HOLD, Action, LoggedDecision
from policies.catalogue.action_space import JointAction

SLOTS = ("message", "channel", "delay_s")


def check_slots(slots: Sequence[str]) -> tuple[str, ...]:
    """Refuse what is no slot.

    Raises
    ------
    NotAvailable
        Naming it.
    """
    for slot in slots:
        if slot not in SLOTS:
            raise NotAvailable(f"there is no slot {slot!r}; known are {', '.join(SLOTS)}")
    return tuple(slots)


def by_slots(decision: LoggedDecision, slots: Sequence[str]) -> IntArray:
    """Tell which eligible joint actions (K,) share these slots' values: codes from 0, equal where the values are.

    HOLD shares with HOLD alone.

    Raises
    ------
    NotAvailable
        When the log names its actions by labels of its own, which have no slots.
    """
    for action in decision.actions:
        if not isinstance(action, JointAction) and action != HOLD:
            raise NotAvailable(f"slots are those of a catalogue's joint actions: {action!r} of this log has none")
    codes: dict[tuple[object, ...], int] = {}
    return np.array([codes.setdefault(_values(action, slots), len(codes)) for action in decision.actions])


def marginal_values(predicted: FloatArray, logged: FloatArray, wanted: FloatArray, codes: IntArray) -> FloatArray:
    """Give what each slot value earns by a reward model that predicts for whole joint actions (K,).

    That is the mean over the joint actions that share it, as often as the logging policy draws them: the rewards that
    the weights multiply are so mixed. Where it never goes, the target's mixture stands in.
    """
    share = np.where(summed(logged, codes)[codes] > 0, logged, wanted)
    mass = summed(share, codes)
    return np.divide(summed(share * predicted, codes), mass, out=np.zeros_like(mass), where=mass > 0)


def summed(amounts: FloatArray, codes: IntArray) -> FloatArray:
    """Sum up by slot value."""
    return np.asarray(np.bincount(codes, amounts), dtype=np.float64)


def _values(action: Action, slots: Sequence[str]) -> tuple[object, ...]:
    if isinstance(action, JointAction):
        return tuple(getattr(action, slot) for slot in slots)
    return (action,)
