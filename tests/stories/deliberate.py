"""What today's version does otherwise on purpose: differences from the recorded session that are no mistakes.

Each entry names the lines of differences that it allows, and the reason.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping
from typing import Any

Step = Mapping[str, Any]

_ITEMS = r"\d+: POST /v1/(feedback|events) "
_REPORT = r"(\d+: GET )?/v1/report\S* \.(total|rows\.\d+)"

DELIBERATE: dict[str, str] = {
    _ITEMS + r"\.(accepted|duplicate|late|unknown|invalid): ": "each item of a list counts once, under its status",
    _ITEMS + r"\.results\.\d+\.message: was 'only a conversion has a value'": "a refund has a value too",
    _ITEMS + r"\.results\.\d+\.message: was \"should be '": "refund is one more type of outcomes and of events",
    _ITEMS + r"\.(detail|errors\.0\.message): was '(events: )?List should have": "a list says how many items it has",
    _ITEMS + r"\.detail: was 'the body is not JSON: JSON is malformed": "another reader says where JSON ends",
    _REPORT + r"\.(refunds|refunded|machine_opens|machine_clicks): was 'absent', is 0": "new figures",
    r"row \d+ \(outcome\)\.key: was 'outcome\\x1f[^']*\\x1fid\\x1f": "the key of an outcome with an id names the type",
    r"row \d+ \(event\)\.key: was None": "the purchase of `state_times` states its time, and so has a key",
    r"row \d+ \(event\)\.key: was 'event\\x1f\w+', is 'event\\x1f\w+'$": "60 and 60.0 are one number, and one key",
    r"row \d+ \(outcome\)\.dated: was 'absent', is True": "a conversion that states the time of its call",
    r"\S.*\.content\.dated: was 'absent', is True": "the same row in an export",
    r"\S.*\.rules_version: ": "a number that is derived from the rules",
}
"""The beginning of the line of a difference, as a regular expression → why today's version differs."""


def find_mistakes(differences: Iterable[str]) -> list[str]:
    """Return the differences that nobody has meant."""
    return [line for line in differences if not any(re.match(pattern, line) for pattern in DELIBERATE)]


def state_times(steps: Iterable[Step]) -> list[Step]:
    """Let conversions and purchases that have neither an id nor a time state the time of their call.

    Today they are refused, because a repeat would count twice. The recorded version took the time of the call.
    """
    amended = copy.deepcopy(list(steps))
    for step in amended:
        for request in step.get("together", [step]):
            _state_times(request.get("body"))
    return amended


def _state_times(body: Any) -> None:
    items = body.get("events") if isinstance(body, dict) else None
    for item in items if isinstance(items, list) else ():
        needs = isinstance(item, dict) and item.get("type") in ("conversion", "purchase")
        if needs and "at" not in item and "feedback_id" not in item and "now" in body:
            item["at"] = body["now"]
