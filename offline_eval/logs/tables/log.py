"""The exported log: decisions as Parquet, one row each, complete enough to evaluate any policy on.

| column | type | meaning |
|---|---|---|
| event_id, shopper_id | string | the decision, and whom it was made for |
| at | double | when, in epoch seconds, UTC |
| role | string | ``evaluated``; ``critical`` (evaluated apart); ``not_evaluated`` (degraded, held out) |
| policy, policy_version, mode, arm | string, int64 | who decided |
| catalogue_version | int64 | which catalogue; the documents are in the file's metadata |
| triggers, context | string | JSON, as logged |
| message, channel, delay_s | string, int64 | the drawn send; null for HOLD |
| hold_reason | string | why nothing was sent; null for a send |
| eligible | list of int32 | numbers of the eligible joint actions; HOLD's is the number of sends, last |
| trigger_of | list of int32 | position of the trigger that each answers; -1 for HOLD |
| probabilities | list of double | the distribution over them |
| drawn | int32 | position of the drawn one among them |
| propensity | double | its probability |
| delivered | bool | whether a send left and was not taken back |
| reward | double | what it earned by all outcomes known; 0 for what was not delivered |

Arrays are empty and numbers null where a decision is not evaluated.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
import pyarrow
import pyarrow.parquet
from numpy.typing import NDArray

from offline_eval.errors import BadData, NoData
from offline_eval.logs.decisions import LoggedDecision, Recorded
from offline_eval.logs.recorded import actions_of, labels_of
from offline_eval.logs.tables.plain import Unreadable, check_columns, is_parquet, translated
from policies.catalogue.document import Catalogue
from policies.catalogue.rulebook import Rulebook
from policies.records.rows import DecisionRow, PolicyRecord, Scalar, TriggerRecord

FORMAT = "decision-log/1"
_BATCH = 4_096
_MAY_BE_NULL = frozenset({"message", "channel", "delay_s", "hold_reason"})
_Contents = TypeVar("_Contents")

_FIELDS: dict[str, Any] = {
    **{name: pyarrow.string() for name in ("event_id", "shopper_id")},
    "at": pyarrow.float64(),
    **{name: pyarrow.string() for name in ("role", "policy")},
    "policy_version": pyarrow.int64(),
    **{name: pyarrow.string() for name in ("mode", "arm")},
    "catalogue_version": pyarrow.int64(),
    **{name: pyarrow.string() for name in ("triggers", "context", "message", "channel")},
    "delay_s": pyarrow.int64(),
    "hold_reason": pyarrow.string(),
    "eligible": pyarrow.list_(pyarrow.int32()),
    "trigger_of": pyarrow.list_(pyarrow.int32()),
    "probabilities": pyarrow.list_(pyarrow.float64()),
    "drawn": pyarrow.int32(),
    "propensity": pyarrow.float64(),
    "delivered": pyarrow.bool_(),
    "reward": pyarrow.float64(),
}
SCHEMA = pyarrow.schema(list(_FIELDS.items()))
_NEEDED = tuple(name for name in SCHEMA.names if name not in (*_MAY_BE_NULL, "delivered"))


@dataclass(frozen=True)
class LogEntry:
    """A decision row with its part in evaluation, and the decision where it has one."""

    row: DecisionRow
    role: str
    delivered: bool
    decision: LoggedDecision | None


def write_log(path: Path, entries: Iterable[LogEntry], catalogues: Callable[[], Mapping[int, Catalogue]]) -> int:
    """Write decisions; give their number.

    ``catalogues`` is asked after the last decision: they are met while decisions stream.
    """
    count = 0
    source = iter(entries)
    # A writer puts metadata at the file's end, so catalogues met on the way still get in.
    with pyarrow.parquet.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
        while batch := list(islice(source, _BATCH)):
            writer.write_batch(pyarrow.RecordBatch.from_pylist([_record(each) for each in batch], schema=SCHEMA))
            count += len(batch)
        documents = {str(version): catalogue.to_document() for version, catalogue in catalogues().items()}
        writer.add_key_value_metadata({"format": FORMAT, "catalogues": json.dumps(documents)})
    return count


def _record(entry: LogEntry) -> dict[str, Any]:
    row, decision = entry.row, entry.decision
    recorded = decision.recorded if decision is not None else None
    return {
        "event_id": row.event_id,
        "shopper_id": row.shopper_id,
        "at": row.at,
        "role": entry.role,
        "policy": row.policy.name,
        "policy_version": row.policy.version,
        "mode": row.policy.mode,
        "arm": row.arm,
        "catalogue_version": row.catalogue_version,
        "triggers": msgspec.json.encode(row.triggers).decode(),
        "context": msgspec.json.encode(row.context).decode(),
        "message": row.message,
        "channel": row.channel,
        "delay_s": row.delay_s,
        "hold_reason": row.hold_reason,
        "eligible": recorded.numbers.tolist() if recorded else [],
        "trigger_of": recorded.trigger_of.tolist() if recorded else [],
        "probabilities": decision.probabilities.tolist() if decision else [],
        "drawn": decision.drawn if decision else None,
        "propensity": decision.propensity if decision else None,
        "delivered": entry.delivered,
        "reward": decision.reward if decision else None,
    }


def is_log(path: Path) -> bool:
    """Tell whether a file is an exported log."""
    if not is_parquet(path):
        return False
    with translated(path):
        metadata = pyarrow.parquet.read_metadata(path).metadata or {}
    return bool(metadata.get(b"format") == FORMAT.encode())


def read_log(path: Path, role: str) -> Iterator[LoggedDecision]:
    """Read the decisions of a role, in constant memory.

    Raises
    ------
    Unreadable
        When the file is no exported log.
    BadData
        When a column is missing or of another type, or a decision cannot be read: named by row and column.
    NoData
        When there is none.
    """
    if not is_log(path):
        raise Unreadable(f"{path.name}: is no log exported by this service (format {FORMAT})")
    with translated(path):
        file = pyarrow.parquet.ParquetFile(path)
        _check_schema(file.schema_arrow)
        rulebooks = _rulebooks(path, file.metadata.metadata)
        count = found = 0
        for batch in file.iter_batches(_BATCH, columns=SCHEMA.names):
            for record in batch.to_pylist():
                count += 1
                if record["role"] is None:
                    raise BadData("role", "is empty", count)
                if record["role"] == role:
                    found += 1
                    yield _decision(record, rulebooks, count)
    if not found:
        raise NoData(f"{path.name} holds no decision with the role {role}")


def _check_schema(found: Any) -> None:
    """Refuse a file that lacks a column, has one twice, or holds something else; other widths of a type will do."""
    check_columns(found.names, _FIELDS)
    for name, wanted in _FIELDS.items():
        own = found.field(name).type
        if _sort(own) != _sort(wanted):
            raise BadData(name, f"holds {own}, must hold {wanted}")


def _sort(column: Any) -> tuple[bool, ...]:
    """Tell what sort of values a column holds, whatever their width."""
    types, nested = pyarrow.types, pyarrow.types.is_list(column) or pyarrow.types.is_large_list(column)
    value = column.value_type if nested else column
    is_text = types.is_string(value) or types.is_large_string(value)
    return nested, is_text, types.is_integer(value), types.is_floating(value), types.is_boolean(value)


def _rulebooks(path: Path, metadata: Mapping[bytes, bytes]) -> dict[int, Rulebook]:
    try:
        documents = json.loads(metadata[b"catalogues"])
        catalogues = {int(version): Catalogue.from_document(document) for version, document in documents.items()}
    except (KeyError, ValueError, AttributeError) as error:
        raise Unreadable(f"{path.name}: its catalogues cannot be read: {error}") from None
    return {version: Rulebook.of(catalogue, version) for version, catalogue in catalogues.items()}


def _decision(record: Mapping[str, Any], rulebooks: Mapping[int, Rulebook], place: int) -> LoggedDecision:
    for name in _NEEDED:
        if record[name] is None:
            raise BadData(name, "is empty", place)
    version = record["catalogue_version"]
    rulebook = rulebooks.get(version)
    if rulebook is None:
        raise BadData("catalogue_version", f"is {version}, of which the file has no document", place)
    recorded = _recorded(record, rulebook, place)
    decision = LoggedDecision(
        event_id=record["event_id"],
        shopper_id=record["shopper_id"],
        at=record["at"],
        context=_decoded(record, "context", dict[str, Scalar], place),
        actions=actions_of(rulebook.space, recorded.numbers),
        probabilities=np.array(record["probabilities"], dtype=np.float64),
        drawn=record["drawn"],
        reward=record["reward"],
        labels={},
        recorded=recorded,
        of_service=True,
    )
    decision.check(place)
    decision.check_propensity(record["propensity"], "propensity", place)
    policy = PolicyRecord(record["policy"], record["policy_version"], record["mode"])
    return labels_of(decision, policy, record["arm"], record["hold_reason"])


def _recorded(record: Mapping[str, Any], rulebook: Rulebook, place: int) -> Recorded:
    numbers, trigger_of = (_integers(record, name, place) for name in ("eligible", "trigger_of"))
    if not len(numbers) or numbers.min() < 0 or numbers.max() > rulebook.space.hold:
        raise BadData("eligible", "holds a number that the catalogue does not have", place)
    if (np.diff(numbers) <= 0).any():
        raise BadData("eligible", "must rise: a joint action stands twice, or in another order", place)
    triggers = _decoded(record, "triggers", tuple[TriggerRecord, ...], place)
    if not triggers:
        raise BadData("triggers", "is empty", place)
    if len(trigger_of) != len(numbers):
        raise BadData("trigger_of", f"has {len(trigger_of)} values for {len(numbers)} eligible joint actions", place)
    is_send = numbers != rulebook.space.hold
    if not (np.where(is_send, trigger_of, 0) >= 0).all() or trigger_of.max() >= len(triggers):
        raise BadData("trigger_of", f"names none of the {len(triggers)} triggers", place)
    return Recorded(rulebook, triggers, numbers, trigger_of)


def _integers(record: Mapping[str, Any], column: str, place: int) -> NDArray[np.int64]:
    if None in record[column]:
        raise BadData(column, "holds an empty value", place)
    return np.array(record[column], dtype=np.int64)


def _decoded(record: Mapping[str, Any], column: str, shape: type[_Contents], place: int) -> _Contents:
    try:
        return msgspec.json.decode(record[column], type=shape)
    except msgspec.MsgspecError as error:
        raise BadData(column, f"cannot be read: {error}", place) from None
