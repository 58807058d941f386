"""Decisions in dsjson, the log format of Vowpal Wabbit and of Azure Personalizer: one JSON object per line.

Read are ``EventId``, ``Timestamp``, ``_label_cost`` (= -reward), ``_label_Action`` (counted from 1), ``a`` (ids of the
eligible actions, in the order in which they were ranked), ``p`` (their probabilities in that order) and the
features ``c``, whose scalars make the context. Joint actions are named by their ids. A decision that was never
activated (``DeferredAction``, ``_skipLearn``) is left out. ``shopper`` is our own addition; without it every row stands
for itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from offline_eval.decisions import Decision
from offline_eval.errors import BadData, NoData
from offline_eval.tables.plain import Unreadable
from policies.actions import JointAction
from policies.rows import Scalar

_decoder = msgspec.json.Decoder(dict[str, Any])


def read_dsjson(path: Path) -> Iterator[Decision]:
    """Read decisions line by line.

    Raises
    ------
    Unreadable
        When the file is not there.
    BadData
        When a line is no decision: named by row (its line) and column.
    NoData
        When there is none.
    """
    found = False
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                decision = _read(line.strip(), number) if line.strip() else None
                if decision is not None:
                    found = True
                    yield decision
    except OSError as error:
        raise Unreadable(f"{path.name}: cannot be read: {error.strerror}") from None
    if not found:
        raise NoData(f"{path.name} holds no decision")


def _read(line: bytes, row: int) -> Decision | None:
    try:
        event = _decoder.decode(line)
    except msgspec.DecodeError as error:
        raise BadData("(all)", f"is no JSON object: {error}", row) from None
    if event.get("DeferredAction") or event.get("_skipLearn"):
        return None
    for name in ("_label_cost", "_label_Action", "a", "p"):
        if name not in event:
            raise BadData(name, "is missing", row)
    ids, probabilities, chosen = event["a"], event["p"], event["_label_Action"]
    if not isinstance(ids, list) or not isinstance(probabilities, list) or sorted(ids) != list(range(1, len(ids) + 1)):
        raise BadData("a", "is no list of the action ids 1 to K", row)
    if len(ids) != len(probabilities):
        raise BadData("p", f"has {len(probabilities)} values for {len(ids)} actions", row)
    if chosen not in ids:
        raise BadData("_label_Action", "the logged action is not among the eligible ones", row)
    decision = Decision(
        event_id=str(event.get("EventId", row)),
        shopper_id=str(event.get("shopper", event.get("EventId", row))),
        at=_at(event.get("Timestamp"), row),
        context=dict(_scalars(event.get("c", {}))),
        actions=tuple(map(str, range(1, len(ids) + 1))),
        probabilities=_by_id(ids, probabilities, row),
        drawn=int(chosen) - 1,
        reward=-_number(event["_label_cost"], "_label_cost", row),
        raw=line.decode(),
    )
    decision.check(row)
    logged = event.get("_label_probability")
    if logged is not None and abs(_number(logged, "_label_probability", row) - decision.propensity) > 1e-4:
        raise BadData("_label_probability", f"is {logged}, but p says {decision.propensity:g}", row)
    return decision


def _by_id(ids: list[int], probabilities: list[Any], row: int) -> np.ndarray:
    found = np.zeros(len(ids))
    for action, probability in zip(ids, probabilities, strict=True):
        found[action - 1] = _number(probability, "p", row)
    total = found.sum()
    # Writers of float32 round each by some 1e-7: made exact, so that weights are.
    return found / total if 0 < abs(total - 1) < 1e-4 else found


def _number(value: Any, column: str, row: int) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadData(column, f"is {value!r}, no number", row)
    return float(value)


def _at(text: Any, row: int) -> float:
    if text is None:
        return float(row)
    try:
        # Azure writes seven digits of a second, of which Python reads six.
        head, _, rest = str(text).rstrip("Z").partition(".")
        return datetime.fromisoformat(f"{head}.{rest[:6]:0<6}+00:00").timestamp()
    except ValueError:
        raise BadData("Timestamp", f"is {text!r}, no time", row) from None


def _scalars(node: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Scalar]]:
    """Flatten the shared features; namespaces that begin with _ (``_multi``) are not shared."""
    for name, value in node.items():
        if name.startswith("_"):
            continue
        if isinstance(value, Mapping):
            yield from _scalars(value, f"{prefix}{name}.")
        elif isinstance(value, str | int | float):
            yield f"{prefix}{name}", value


def write_dsjson(path: Path, decisions: Iterable[Decision]) -> int:
    """Write decisions, one a line; give their number. What was read from dsjson is written as it was."""
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for decision in decisions:
            file.write((decision.raw or msgspec.json.encode(_event(decision)).decode()) + "\n")
            count += 1
    return count


def _event(decision: Decision) -> dict[str, Any]:
    return {
        "_label_cost": -decision.reward,
        "_label_probability": decision.propensity,
        "_label_Action": decision.drawn + 1,
        "_labelIndex": decision.drawn,
        "Timestamp": datetime.fromtimestamp(decision.at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "Version": "1",
        "EventId": decision.event_id,
        "shopper": decision.shopper_id,
        "a": list(range(1, len(decision.actions) + 1)),
        "p": decision.probabilities.tolist(),
        "c": {"s": dict(decision.context), "_multi": [{"a": _features(action)} for action in decision.actions]},
    }


def _features(action: JointAction | str) -> dict[str, str]:
    if isinstance(action, JointAction):
        return {name: str(value) for name, value in action._asdict().items()}
    return {"action": action}
