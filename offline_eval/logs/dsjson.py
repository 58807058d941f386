"""Decisions in dsjson, the log format of Vowpal Wabbit and of Azure Personalizer: one JSON object per line.

The fields that are read are ``EventId``, ``Timestamp``, ``_label_cost`` (= -reward), ``_label_Action`` (counted from
1), ``a`` (ids of the eligible actions, in the order in which they were ranked), ``p`` (their probabilities in this
order) and the features ``c``. The scalars of ``c`` are the context, named ``namespace.name``. Joint actions are named
by their ids, 1 to K, as text. A line without ``Timestamp`` gets its line number as its time. A decision that was never
activated (``DeferredAction``, ``_skipLearn``) is left out. A log with decisions dropped at random (``pdrop``) is
refused.

The export of this service has more fields, and is read back without loss: ``c._multi`` holds message, channel and
delay, or HOLD; ``c.s`` holds the context of the trigger answered, named without a namespace; ``shopper`` and ``labels``
are additions of this service. Without ``shopper`` all rows are independent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from offline_eval.errors import BadData, NoData
from offline_eval.logs.decisions import HOLD, Action, LoggedDecision, context_of
from offline_eval.logs.tables.plain import Unreadable
from policies.catalogue.action_space import JointAction
from policies.records.rows import Scalar

_EXACT, _FLOAT32 = 1e-12, 1e-4
"""How far rounding takes the sum of a distribution from 1: with float64, and with many values of float32."""

_decoder = msgspec.json.Decoder(dict[str, Any])


def is_dsjson(path: Path) -> bool:
    """Return whether a file is dsjson, by its ending or by its first character after leading whitespace.

    Raises
    ------
    Unreadable
        When the file cannot be read.
    """
    if path.suffix == ".dsjson":
        return True
    try:
        with path.open("rb") as file:
            return file.read(1_024).lstrip().startswith(b"{")
    except OSError as error:
        raise Unreadable(f"{path.name}: cannot be read: {error.strerror}") from None


def read_dsjson(path: Path) -> Iterator[LoggedDecision]:
    """Yield decisions line by line.

    Raises
    ------
    Unreadable
        When the file cannot be read.
    BadData
        When a line is not a decision; the error names the line and the column.
    NoData
        When the file holds no decision.
    """
    is_empty = True
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                decision = _read(line.strip(), number) if line.strip() else None
                if decision is not None:
                    is_empty = False
                    yield decision
    except OSError as error:
        raise Unreadable(f"{path.name}: cannot be read: {error.strerror}") from None
    if is_empty:
        raise NoData(f"{path.name} holds no decision")


def _read(line: bytes, row: int) -> LoggedDecision | None:
    try:
        event = _decoder.decode(line)
    except msgspec.DecodeError as error:
        raise BadData("(all)", f"is not a JSON object: {error}", row) from None
    if event.get("DeferredAction") or event.get("_skipLearn"):
        return None
    for name in ("_label_cost", "_label_Action", "a", "p"):
        if name not in event:
            raise BadData(name, "is missing", row)
    decision = _decision(event, line.decode(errors="replace"), row)
    decision.check(row)
    logged = event.get("_label_probability")
    if logged is not None:
        decision.check_propensity(_number(logged, "_label_probability", row), "_label_probability", row)
    return decision


def _decision(event: Mapping[str, Any], line: str, row: int) -> LoggedDecision:
    ids = _ids(event, row)
    if (dropped := _number(event.get("pdrop", 0), "pdrop", row)) != 0:
        problem = "decisions were dropped at random, and the rows that are left do not represent all decisions"
        raise BadData("pdrop", f"is {dropped:g}: {problem}", row)
    features = _object(event.get("c", {}), "c", row)
    exported = _exported_actions(features, len(ids))
    event_id = event.get("EventId") or row
    if exported is not None:
        shared, actions = _object(features.get("s"), "c.s", row), exported
    else:
        shared, actions = features, tuple(map(str, range(1, len(ids) + 1)))
    return LoggedDecision(
        event_id=str(event_id),
        shopper_id=str(event.get("shopper") or event_id),
        at=_at(event.get("Timestamp"), row),
        context=dict(_scalars(shared)),
        actions=actions,
        probabilities=_by_id(ids, event["p"], row),
        drawn=event["_label_Action"] - 1,
        reward=-_number(event["_label_cost"], "_label_cost", row),
        labels={name: str(label) for name, label in _object(event.get("labels", {}), "labels", row).items()},
        of_service=exported is not None,
        raw=line,
    )


def _ids(event: Mapping[str, Any], row: int) -> list[int]:
    """Return the ids of the eligible actions in the order of their ranks; the chosen action is among them."""
    ids, probabilities, chosen = event["a"], event["p"], event["_label_Action"]
    if (
        not isinstance(ids, list)
        or not all(type(number) is int for number in ids)
        or set(ids) != {*range(1, len(ids) + 1)}
    ):
        raise BadData("a", "is not a list of the action ids 1 to K", row)
    if not isinstance(probabilities, list) or len(ids) != len(probabilities):
        problem = f"has {len(probabilities)} values" if isinstance(probabilities, list) else f"is {probabilities!r}"
        raise BadData("p", f"{problem} for {len(ids)} actions", row)
    if type(chosen) is not int or chosen not in ids:
        raise BadData("_label_Action", "the logged action is not among the eligible ones", row)
    return ids


def _exported_actions(features: Mapping[str, Any], count: int) -> tuple[Action, ...] | None:
    """Return the joint actions of a line that this service exported; None for other lines."""
    multi = features.get("_multi")
    if not isinstance(multi, list) or len(multi) != count:
        return None
    actions = [_exported_action(item.get("a") if isinstance(item, Mapping) else None) for item in multi]
    return None if None in actions else tuple(action for action in actions if action is not None)


def _exported_action(features: Any) -> Action | None:
    if features == _action_features(HOLD):
        return HOLD
    try:
        action = JointAction(features["message"], features["channel"], int(features["delay_s"]))
    except (KeyError, TypeError, ValueError):
        return None
    return action if features == _action_features(action) else None


def _object(value: Any, column: str, row: int) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise BadData(column, f"is {value!r}, not an object", row)
    return value


def _by_id(ids: list[int], probabilities: list[Any], row: int) -> np.ndarray:
    by_id = np.zeros(len(ids))
    for action, probability in zip(ids, probabilities, strict=True):
        by_id[action - 1] = _number(probability, "p", row)
    total = by_id.sum()
    # Writers of float32 round each probability by some 1e-7: dividing by the sum restores exact probabilities.
    return by_id / total if _EXACT < abs(total - 1) < _FLOAT32 else by_id


def _number(value: Any, column: str, row: int) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadData(column, f"is {value!r}, not a number", row)
    return float(value)


def _at(text: Any, row: int) -> float:
    """Return the time in epoch seconds; the number of the row where the time is missing, which keeps the order."""
    if text is None:
        return float(row)
    try:
        time = datetime.fromisoformat(text)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    except (TypeError, ValueError):
        raise BadData("Timestamp", f"is {text!r}, not a time", row) from None


def _scalars(node: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Scalar]]:
    """Yield the shared features, named ``namespace.name``; namespaces that begin with _ (``_multi``) are not shared."""
    for name, value in node.items():
        if name.startswith("_"):
            continue
        if isinstance(value, Mapping):
            yield from _scalars(value, f"{prefix}{name}.")
        elif isinstance(value, str | int | float):
            yield f"{prefix}{name}", value


def write_dsjson(path: Path, decisions: Iterable[LoggedDecision]) -> int:
    """Write one decision per line, and return the number of decisions.

    A decision that was read from dsjson is written back as the original line.
    """
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for decision in decisions:
            file.write((decision.raw or msgspec.json.encode(_event(decision)).decode()) + "\n")
            count += 1
    return count


def _event(decision: LoggedDecision) -> dict[str, Any]:
    return {
        "_label_cost": -decision.reward,
        "_label_probability": decision.propensity,
        "_label_Action": decision.drawn + 1,
        "_labelIndex": decision.drawn,
        "Timestamp": datetime.fromtimestamp(decision.at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "Version": "1",
        "EventId": decision.event_id,
        "shopper": decision.shopper_id,
        "labels": dict(decision.labels),
        "a": list(range(1, len(decision.actions) + 1)),
        "p": decision.probabilities.tolist(),
        "c": {
            "s": dict(context_of(decision)),
            "_multi": [{"a": _action_features(action)} for action in decision.actions],
        },
    }


def _action_features(action: JointAction | str) -> dict[str, str]:
    if isinstance(action, JointAction):
        return {name: str(value) for name, value in action._asdict().items()}
    return {"action": action}
