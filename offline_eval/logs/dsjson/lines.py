"""Lines of dsjson: which ones hold a decision, which ones every reader of such logs skips, and which are refused."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from offline_eval.errors import BadData

CHECKPOINTS, DANGLING, NOT_ACTIVATED = "checkpoint line", "reward", "decision"
"""What is skipped."""

_DESCRIPTIONS = {CHECKPOINTS: "", DANGLING: " whose decision is not in the log", NOT_ACTIVATED: " never activated"}

_REWARD_FIELDS = frozenset({"RewardValue", "Observations", "ActionTaken"})
_NEEDED = ("_label_cost", "_label_Action", "a", "p")

_decoder = msgspec.json.Decoder(dict[str, Any])


def describe_skipped(skipped: Mapping[str, int]) -> str:
    """Return what was skipped in words; an empty text for nothing.

    >>> describe_skipped({CHECKPOINTS: 1, DANGLING: 2})
    'skipped: 1 checkpoint line, 2 rewards whose decision is not in the log'
    """
    counts = [f"{count:,} {what}{'s' * (count > 1)}{_DESCRIPTIONS[what]}" for what, count in skipped.items()]
    return f"skipped: {', '.join(counts)}" if counts else ""


def read_event(line: bytes, row: int, skipped: Counter[str]) -> dict[str, Any] | None:
    """Return the event of a line; None for an empty line, and for a line that is skipped and counted.

    Raises
    ------
    BadData
        When the line holds no decision among listed actions; the error names row and field.
    """
    line = line.strip()
    if not line:
        return None
    if line.startswith(b"["):
        skipped[CHECKPOINTS] += 1
        return None
    event = _decode(line, row)
    if _REWARD_FIELDS & event.keys() and not {"a", "p", "c"} & event.keys():
        skipped[DANGLING] += 1
        return None
    if (event.get("DeferredAction") or event.get("_skipLearn")) and not _is_activated(event):
        skipped[NOT_ACTIVATED] += 1
        return None
    _refuse_other_problems(event, row)
    for name in _NEEDED:
        if name not in event:
            raise BadData(name, "is missing", row)
    return event


def _is_activated(event: Mapping[str, Any]) -> bool:
    """Return whether the caller reported later that a deferred decision took effect."""
    outcomes = event.get("o")
    return isinstance(outcomes, list) and any(
        isinstance(outcome, Mapping) and outcome.get("ActionTaken") is True for outcome in outcomes
    )


def _refuse_other_problems(event: Mapping[str, Any], row: int) -> None:
    """Refuse what other problems of Vowpal Wabbit log, by its name."""
    if "_label_ca" in event:
        raise BadData("_label_ca", "is the label of a continuous action (cats): only listed actions are evaluated", row)
    if "_outcomes" in event:
        context = event.get("c")
        multi = context.get("_multi") if isinstance(context, Mapping) else None
        is_slate = isinstance(multi, list) and any(isinstance(item, Mapping) and "_slot_id" in item for item in multi)
        problem = "slates" if is_slate else "conditional contextual bandits (ccb)"
        raise BadData("_outcomes", f"is of {problem}, which fill several slots at once: only cb is evaluated", row)


def _decode(line: bytes, row: int) -> dict[str, Any]:
    try:
        return _decoder.decode(line)
    except UnicodeDecodeError:
        raise BadData(_find_undecodable(line), "is not in UTF-8", row) from None
    except RecursionError:
        raise BadData("(all)", "is nested too deeply", row) from None
    except (msgspec.DecodeError, ValueError) as error:
        raise BadData("(all)", f"is not a JSON object: {error}", row) from None


def _find_undecodable(line: bytes) -> str:
    """Return the first field that is not in UTF-8."""
    try:
        event = json.loads(line.decode("utf-8", "surrogateescape"))
        return next(_undecodable(event, ""), "(all)").removeprefix(".")
    except (ValueError, RecursionError):
        return "(all)"


def _undecodable(node: Any, name: str) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if not _is_sound(key):
                yield name or "(all)"
            yield from _undecodable(value, f"{name}.{key}")
    elif isinstance(node, list):
        for place, value in enumerate(node):
            yield from _undecodable(value, f"{name}.{place}")
    elif isinstance(node, str) and not _is_sound(node):
        yield name


def _is_sound(text: str) -> bool:
    return not any("\udc80" <= letter <= "\udcff" for letter in text)
