"""Functions that build small examples for tests: a catalogue, a trigger, a request, rows of the log."""

from __future__ import annotations

from typing import Any

import numpy as np

from policies.catalogue.rulebook import Rulebook
from policies.records.request import Request
from policies.records.rows import (
    ActivationRow,
    CancellationRow,
    DecisionRow,
    ErasureRow,
    EventRow,
    OutcomeRow,
    PolicyRecord,
    PreferencesRow,
    Scalar,
    TriggerRecord,
)
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
    verdicts = np.ones(len(rulebook.space), dtype=np.uint8)
    verdicts[numbers] = 0
    return Eligibility(verdicts, hold)


# -- rows of the log: each factory makes the row of an ordinary case, and takes any field by its name ----------------

WINDOW_S = 14_400.0
"""The attribution window of push in `small_document`."""


def send_row(event_id: str = "e-1", **changes: Any) -> DecisionRow:
    """A send of a hint by push that is decided and leaves at `NOW`; its window ends 4 hours after its send time."""
    at = changes.get("at", NOW)
    send_at = changes.get("send_at", at + (changes.get("delay_s") or 0))
    values: dict[str, Any] = {
        "event_id": event_id,
        "policy": PolicyRecord("default", 0, "online"),
        "message": "hint",
        "channel": "push",
        "category": "browse",
        "delay_s": 0,
        "drawn": 0,
        "drawn_trigger": 0,
        "send_at": send_at,
        "window_ends_at": None if send_at is None else send_at + WINDOW_S,
    }
    return decision_row(**values | changes)


def hold_row(event_id: str = "e-1", reason: str = "policy", **changes: Any) -> DecisionRow:
    """A hold; only one that lost the race for its place has a drawn send."""
    drawn = (
        dict.fromkeys(("message", "channel", "category", "delay_s", "drawn_trigger")) if reason != "lost_race" else {}
    )
    values: dict[str, Any] = {"hold_reason": reason, "send_at": None, "window_ends_at": None, **drawn}
    return send_row(event_id, **values | changes)


def outcome_row(kind: str = "click", event_id: str = "e-1", **changes: Any) -> OutcomeRow:
    """An outcome of a send by push, reported when it happens."""
    at = changes.pop("at", NOW)
    values: dict[str, Any] = {"occurred_at": at, "shopper_id": "s-1", "channel": "push"}
    return OutcomeRow(at=at, event_id=event_id, type=kind, **values | changes)


def activation_row(event_id: str = "e-1", **changes: Any) -> ActivationRow:
    values: dict[str, Any] = {"at": NOW, "shopper_id": "s-1", "deliver": True}
    return ActivationRow(event_id=event_id, **values | changes)


def refusal_row(event_id: str = "e-1", reason: str = "cap_global", **changes: Any) -> ActivationRow:
    return activation_row(event_id, **{"deliver": False, "reason": reason} | changes)


def cancellation_row(event_id: str = "e-1", **changes: Any) -> CancellationRow:
    values: dict[str, Any] = {"at": NOW, "shopper_id": "s-1"}
    return CancellationRow(event_id=event_id, **values | changes)


def preferences_row(**changes: Any) -> PreferencesRow:
    values: dict[str, Any] = {"at": NOW, "shopper_id": "s-1"}
    return PreferencesRow(**values | changes)


def event_row(kind: str = "session", **changes: Any) -> EventRow:
    """Something that a shopper did, reported when it happens."""
    at = changes.pop("at", NOW)
    values: dict[str, Any] = {"shopper_id": "s-1", "occurred_at": at}
    return EventRow(at=at, type=kind, **values | changes)


def erasure_row(*open_event_ids: str, **changes: Any) -> ErasureRow:
    values: dict[str, Any] = {"at": NOW, "shopper_id": "erased:1", "key": "key"}
    return ErasureRow(open_event_ids=open_event_ids, **values | changes)
