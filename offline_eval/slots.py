"""Marginal weights on slots: whole joint actions rarely match, their channel often does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from offline_eval.decisions import HOLD, Action, Decision
from offline_eval.errors import NotAvailable
from offline_eval.rows import FloatArray
from policies.actions import JointAction

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


def matching(decision: Decision, slots: Sequence[str]) -> FloatArray:
    """Tell which eligible joint actions (K,) share these slots' values with the drawn one, as 0 and 1.

    The sum of a distribution over them is the marginal probability of what was drawn. Weights made of two such
    sums vary far less than those of whole joint actions (60 to 250 of them), and are right as long as the other slots
    do not change the reward, given these and the context. HOLD matches HOLD alone.

    Raises
    ------
    NotAvailable
        When the log names its actions by labels of its own, which have no slots.

    References
    ----------
    Saito, Joachims (2022), Off-Policy Evaluation for Large Action Spaces via Embeddings.
    """
    for action in decision.actions:
        if not isinstance(action, JointAction) and action != HOLD:
            raise NotAvailable(f"slots are those of a catalogue's joint actions: {action!r} of this log has none")
    own = _values(decision.action, slots)
    return np.array([_values(action, slots) == own for action in decision.actions], dtype=np.float64)


def _values(action: Action, slots: Sequence[str]) -> tuple[object, ...]:
    if isinstance(action, JointAction):
        return tuple(getattr(action, slot) for slot in slots)
    return (action,)
