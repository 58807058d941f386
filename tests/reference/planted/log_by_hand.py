"""A log that a test writes by hand, row by row: it can contain what the service would never write."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from policies.records.rows import (
    ActivationRow,
    CatalogueRow,
    DecisionRow,
    ErasureRow,
    EventRow,
    OutcomeRow,
    PolicyRecord,
    PreferencesRow,
    Row,
    TriggerRecord,
    pack,
)
from tests.factories import DAY_S, NOW
from tests.reference.auditor import audit
from tests.reference.draw import joint_actions
from tests.reference.rules import send_cost

HOUR = 3_600.0
WINDOW_S = 14_400.0
CHANNELS, DELAYS_S = ("push", "email", "sms"), (0, 3_600, 7_200, 43_200)


def document(**changes: Any) -> dict[str, Any]:
    """Return a catalogue without rules: two messages of two categories on every channel."""
    templates = {channel: {"en": {"body": "Hello"}} for channel in CHANNELS}
    without_rules: dict[str, Any] = {
        "delays_s": list(DELAYS_S),
        "channels": {channel: {"attribution_window_s": int(WINDOW_S), "cost": 0.5} for channel in CHANNELS},
        "triggers": {"left": {"expires_s": 172_800}, "viewed": {"expires_s": 172_800}},
        "messages": {
            "reminder": {"category": "cart", "triggers": ["left"], "templates": templates},
            "hint": {"category": "browse", "triggers": ["viewed"], "templates": templates},
        },
    }
    changed: dict[str, Any] = merge(without_rules, changes)
    return changed


def merge(document: Any, changes: Any) -> Any:
    """Return a document with changes; a part that a change sets to None is absent."""
    if not isinstance(document, dict) or not isinstance(changes, dict):
        return changes
    merged = document | {name: merge(document.get(name), value) for name, value in changes.items()}
    return {name: value for name, value in merged.items() if value is not None}


class LogByHand:
    """Rows about the shopper s-1, in the order in which a test adds the rows."""

    def __init__(self, **rules: Any) -> None:
        self._documents: list[dict[str, Any]] = []
        self.rows: list[Row] = []
        self.replace_catalogue(document(**rules))

    def replace_catalogue(self, catalogue: dict[str, Any], at: float = 0.0) -> None:
        self._documents.append(copy.deepcopy(catalogue))
        self.rows.append(CatalogueRow(at, len(self._documents), self._documents[-1]))

    def send(
        self,
        event_id: str,
        at: float,
        *,
        message: str = "reminder",
        channel: str = "push",
        delay_s: int = 0,
        deferred: bool = False,
        **trigger: Any,
    ) -> None:
        """Decide a send for a trigger; ``trigger`` changes fields of the trigger."""
        catalogue = self._documents[-1]
        actions = joint_actions(catalogue)
        content = catalogue["messages"][message]
        asked: dict[str, Any] = {"type": content["triggers"][0], "priority": 2, "expires_at": at + 2 * DAY_S} | trigger
        hold = not asked.get("critical", False)
        choices = len(actions) + hold
        share = 1.0 / choices
        self.rows.append(
            DecisionRow(
                at=at,
                event_id=event_id,
                shopper_id="s-1",
                fingerprint="",
                triggers=(TriggerRecord(**asked),),
                context={},
                catalogue_version=len(self._documents),
                rules_version=1,
                policy=PolicyRecord("uniform", 0, "frozen"),
                arm="treatment",
                answer="",
                verdicts=pack(np.zeros(len(actions), dtype=np.uint8)),
                probabilities=pack(np.full(choices, share)),
                hold_eligible=hold,
                drawn=actions.index((message, channel, delay_s)),
                drawn_trigger=0,
                message=message,
                channel=channel,
                category=content["category"],
                delay_s=delay_s,
                propensity=share,
                send_at=at + delay_s,
                window_ends_at=at + delay_s + WINDOW_S,
                cost=float(send_cost(catalogue, message, channel)),
                deferred=deferred,
            )
        )

    def open_gate(self, event_id: str, at: float, left_at: float | None = None) -> None:
        """Let a send leave: now, or at a time that the row states."""
        row = ActivationRow(at, event_id, "s-1", deliver=True, left_at=at if left_at is None else left_at)
        self.rows.append(row)

    def close_gate(self, event_id: str, at: float, reason: str = "cap_global") -> None:
        self.rows.append(ActivationRow(at, event_id, "s-1", deliver=False, reason=reason))

    def report(self, kind: str, event_id: str, at: float, **changes: Any) -> None:
        """Report an outcome of a send by push."""
        values: dict[str, Any] = {"occurred_at": at, "shopper_id": "s-1", "channel": "push"}
        self.rows.append(OutcomeRow(at=at, event_id=event_id, type=kind, **values | changes))

    def observe(self, kind: str, at: float, occurred_at: float | None = None) -> None:
        """Report something that the shopper did."""
        self.rows.append(EventRow(at, "s-1", kind, at if occurred_at is None else occurred_at))

    def prefer(self, at: float, **words: Any) -> None:
        self.rows.append(PreferencesRow(at=at, shopper_id="s-1", **words))

    def erase(self, at: float) -> None:
        """Erase the shopper, whose earlier rows are none."""
        self.rows.append(ErasureRow(at, "erased:1", "key of s-1"))

    @property
    def violations(self) -> list[tuple[str, str]]:
        """Event id and code of each violation that the audit finds."""
        auditor = audit(enumerate(self.rows), key_of="key of {}".format)
        return [(violation.event_id, violation.code) for violation in auditor.violations]

    @property
    def places(self) -> set[str]:
        """Event ids of the reservations that count at the end."""
        auditor = audit(enumerate(self.rows), key_of="key of {}".format)
        return {one.event_id for one in auditor.reservations(NOW).get("s-1", ())}
