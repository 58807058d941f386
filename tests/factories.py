"""Functions that build small examples for tests: a catalogue, a trigger, a request, a decision row."""

from __future__ import annotations

from typing import Any

import numpy as np

from policies.catalogue.rulebook import Rulebook
from policies.records.request import Request
from policies.records.rows import DecisionRow, PolicyRecord, Scalar, TriggerRecord
from policies.rules.arbitration import Eligibility

NOW = 1_795_280_400.0
"""2026-11-21T17:00:00Z."""

DAY_S = 86_400.0


def small_document(**changes: Any) -> dict[str, Any]:
    """A catalogue document with 2 messages, 2 channels and 2 delays, thus 8 sends."""
    templates = {"push": {"en": {"title": "T", "body": "B"}}, "email": {"en": {"title": "T", "body": "B"}}}
    document: dict[str, Any] = {
        "delays_s": [0, 3600],
        "channels": {
            "push": {"attribution_window_s": 14_400},
            "email": {"attribution_window_s": 86_400, "cost": 0.001},
        },
        "triggers": {
            "cart_abandoned": {"priority": 2, "expires_s": 172_800},
            "wishlist": {"priority": 5, "expires_s": 172_800},
        },
        "messages": {
            "reminder": {"category": "cart", "triggers": ["cart_abandoned"], "templates": templates},
            "hint": {"category": "browse", "triggers": ["cart_abandoned", "wishlist"], "templates": templates},
        },
        "caps": [],
    }
    return document | changes


def trigger(kind: str = "cart_abandoned", **changes: Any) -> TriggerRecord:
    values: dict[str, Any] = {"priority": 2, "expires_at": NOW + 7 * DAY_S} | changes
    return TriggerRecord(kind, **values)


def request(*triggers: TriggerRecord, event_id: str = "e-1", **changes: Any) -> Request:
    context: dict[str, Scalar] = changes.pop("context", {})
    return Request(event_id, "s-1", triggers or (trigger(),), changes.pop("now", NOW), context, **changes)


def decision_row(**changes: Any) -> DecisionRow:
    """The row of a hold that the policy ``rule`` decided for `request`. ``changes`` can make it a send."""
    values: dict[str, Any] = {
        "at": NOW,
        "event_id": "e-1",
        "shopper_id": "s-1",
        "fingerprint": "",
        "triggers": (trigger(),),
        "context": {},
        "catalogue_version": 1,
        "rules_version": 1,
        "policy": PolicyRecord("rule", 0, "frozen"),
        "arm": "treatment",
        "answer": "",
    }
    return DecisionRow(**(values | changes))


def all_eligible(rulebook: Rulebook, *, hold: bool = True, sends: np.ndarray | None = None) -> Eligibility:
    """The result of the guardrails when all sends, or the sends with these numbers, are eligible."""
    numbers = np.arange(len(rulebook.space)) if sends is None else np.asarray(sends, dtype=np.int64)
    trigger_of = np.full(len(rulebook.space), -1)
    trigger_of[numbers] = 0
    verdicts = np.ones(len(rulebook.space), dtype=np.uint8)
    verdicts[numbers] = 0
    return Eligibility(verdicts, trigger_of, numbers, hold, "en")
