"""Decisions read from dsjson.

The fields that are read are ``EventId``, ``Timestamp``, ``_label_cost`` (= -reward), ``_label_Action`` (counted from
1), ``a`` (ids of the eligible actions, in the order in which they were ranked), ``p`` (their probabilities in this
order) and the features ``c``: the shared ones are the context (see `features`), and ``_multi`` names the actions (see
`actions`). A line without ``Timestamp`` or ``EventId`` gets its number in the log as its time or its id. A decision
that was never activated (``DeferredAction`` or ``_skipLearn``, and no ``ActionTaken`` among the outcomes ``o``), a
reward without its decision and a checkpoint line are skipped and counted. A log with decisions dropped at random
(``pdrop``) is refused.

The export of this service has more fields, and is read back without loss: ``c._multi`` holds message, channel and
delay, or HOLD; ``c.s`` holds the context of the trigger answered, named without a namespace; ``shopper`` and ``labels``
are additions of this service. A decision without ``shopper`` is independent of all others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from offline_eval.columns import is_unknown
from offline_eval.errors import BadData, name_file
from offline_eval.logs.decisions import LoggedDecision
from offline_eval.logs.dsjson.actions import read_actions, read_exported_actions
from offline_eval.logs.dsjson.features import read_features
from offline_eval.logs.dsjson.lines import read_event
from offline_eval.logs.files import LogFile

_EXACT, _FLOAT32 = 1e-12, 1e-4
"""How far rounding takes the sum of a distribution from 1: with float64, and with many values of float32."""


def read_dsjson(
    file: LogFile | Path, skipped: Counter[str] | None = None, numbers: Iterator[int] | None = None
) -> Iterator[LoggedDecision]:
    """Yield decisions line by line.

    Parameters
    ----------
    skipped
        Counts the lines that hold no decision; see `offline_eval.logs.dsjson.lines`.
    numbers
        The numbers of the lines in the log; files of one log share them, so that no two lines have the same number.

    Raises
    ------
    Unreadable
        When the file cannot be read.
    BadData
        When a line is not a decision; the error names file, line and field.
    """
    log = LogFile.of(file) if isinstance(file, Path) else file
    skipped = Counter() if skipped is None else skipped
    numbers = count(1) if numbers is None else numbers
    with name_file(log.name):
        for row, line in enumerate(log.lines(), start=1):
            number = next(numbers)
            event = read_event(line, row, skipped)
            if event is not None:
                yield _decision(event, line, row, number, log)


def _decision(event: Mapping[str, Any], line: bytes, row: int, number: int, log: LogFile) -> LoggedDecision:
    ids = _ids(event, row)
    if (dropped := _number(event.get("pdrop", 0), "pdrop", row)) != 0:
        problem = "decisions were dropped at random, and the rows that are left do not represent all decisions"
        raise BadData("pdrop", f"is {dropped:g}: {problem}", row)
    features = _object(event.get("c", {}), "c", row)
    multi = features.get("_multi")
    exported = read_exported_actions(multi, len(ids))
    shared = features if exported is None else _object(features.get("s"), "c.s", row)
    actions, action_features = read_actions(multi, len(ids), row) if exported is None else (exported, ())
    event_id = _name(event.get("EventId"), "EventId", str(number), row)
    labels = _object(event.get("labels", {}), "labels", row)
    partitions = {name: value or "" for name, value in log.partitions.items()}
    decision = LoggedDecision(
        event_id=event_id,
        shopper_id=_name(event.get("shopper"), "shopper", event_id, row),
        at=_at(event.get("Timestamp"), number, row),
        context=read_features(shared, "c", row),
        actions=actions,
        probabilities=_by_id(ids, event["p"], row),
        drawn=event["_label_Action"] - 1,
        reward=-_number(event["_label_cost"], "_label_cost", row),
        labels={**partitions, **{name: str(label) for name, label in labels.items()}},
        of_service=exported is not None,
        raw=line.decode().strip(),
        action_features=action_features,
        place=f"{log.name}, row {row}",
    )
    decision.check(row)
    logged = event.get("_label_probability")
    if logged is not None:
        decision.check_propensity(_number(logged, "_label_probability", row), "_label_probability", row)
    return decision


def _name(value: Any, column: str, otherwise: str, row: int) -> str:
    """Return a name as text; another name where there is none."""
    if isinstance(value, Mapping | list):
        raise BadData(column, f"is {value!r}, not a name", row)
    return otherwise if value is False or is_unknown(value) else str(value)


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
    try:
        return float(value)
    except OverflowError:
        raise BadData(column, "is too large for a number", row) from None


def _at(text: Any, number: int, row: int) -> float:
    """Return the time in epoch seconds; the number of the line where the time is missing, which keeps the order."""
    if text is None:
        return float(number)
    try:
        time = datetime.fromisoformat(text)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    except (TypeError, ValueError):
        raise BadData("Timestamp", f"is {text!r}, not a time", row) from None
