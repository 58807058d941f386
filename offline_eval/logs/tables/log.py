"""The exported log: one row of Parquet per decision, with all that the evaluation of any policy needs.

| column | type | meaning |
|---|---|---|
| event_id, shopper_id | string | ids of the decision and of its shopper |
| at | double | time in epoch seconds, UTC |
| role | string | ``evaluated``; ``critical`` (evaluated apart); ``not_evaluated`` (degraded, held out) |
| policy, policy_version, mode, arm | string, int64 | the policy that decided |
| catalogue_version | int64 | version of the catalogue; the documents are in the file's metadata |
| triggers, context | string | JSON, as logged |
| numbers | string | the numbers about the shopper (`ShopperNumbers`), JSON, as logged; null where none were |
| message, channel, delay_s | string, int64 | the drawn send; null for HOLD |
| hold_reason | string | the reason for no send; null for a send |
| eligible | list of int32 | numbers of the eligible joint actions; HOLD's is the number of sends, last |
| trigger_of | list of int32 | position of the trigger that each answers; -1 for HOLD |
| probabilities | list of double | the distribution over them |
| drawn | int32 | position of the drawn joint action among the eligible ones |
| propensity | double | probability of the drawn joint action |
| p_out, p_click | double | predicted probability of an opt-out and of a click after it; null where none were |
| delivered | bool | whether a send left and was not taken back |
| reward | double | reward from all known outcomes; 0 for a send that was not delivered |

Arrays are empty and numbers null where a decision is not evaluated. Files of earlier versions lack ``numbers``,
``p_out`` and ``p_click``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
import pyarrow
import pyarrow.parquet
from numpy.typing import NDArray

from offline_eval.errors import BadData, Unreadable
from offline_eval.logs.decisions import LoggedDecision, PolicyInputs
from offline_eval.logs.files import LogFile
from offline_eval.logs.service_rows import add_labels, decode_decision, joint_actions
from offline_eval.logs.tables.opening import is_parquet, open_parquet, translate_errors
from offline_eval.logs.tables.plain import check_columns
from policies.catalogue.document import Catalogue
from policies.catalogue.rulebook import Rulebook
from policies.records.rows import DecisionRow, PolicyRecord, Scalar, TriggerRecord
from policies.records.shopper_numbers import ShopperNumbers

FORMAT = "decision-log/1"
_BATCH = 4_096
_MAY_BE_ABSENT = frozenset({"numbers", "p_out", "p_click"})
_MAY_BE_NULL = frozenset({"message", "channel", "delay_s", "hold_reason"}) | _MAY_BE_ABSENT

_Contents = TypeVar("_Contents")

_FIELDS: dict[str, Any] = {
    **{name: pyarrow.string() for name in ("event_id", "shopper_id")},
    "at": pyarrow.float64(),
    **{name: pyarrow.string() for name in ("role", "policy")},
    "policy_version": pyarrow.int64(),
    **{name: pyarrow.string() for name in ("mode", "arm")},
    "catalogue_version": pyarrow.int64(),
    **{name: pyarrow.string() for name in ("triggers", "context", "numbers", "message", "channel")},
    "delay_s": pyarrow.int64(),
    "hold_reason": pyarrow.string(),
    "eligible": pyarrow.list_(pyarrow.int32()),
    "trigger_of": pyarrow.list_(pyarrow.int32()),
    "probabilities": pyarrow.list_(pyarrow.float64()),
    "drawn": pyarrow.int32(),
    **{name: pyarrow.float64() for name in ("propensity", "p_out", "p_click")},
    "delivered": pyarrow.bool_(),
    "reward": pyarrow.float64(),
}
SCHEMA = pyarrow.schema(list(_FIELDS.items()))
_NEEDED = tuple(name for name in SCHEMA.names if name not in (*_MAY_BE_NULL, "delivered"))


@dataclass(frozen=True)
class LogEntry:
    """A decision row with its role in evaluation, and the decision where it is evaluated."""

    row: DecisionRow
    role: str
    delivered: bool
    decision: LoggedDecision | None


def write_log(path: Path, entries: Iterable[LogEntry], catalogues: Callable[[], Mapping[int, Catalogue]]) -> int:
    """Write decisions; return their number.

    ``catalogues`` is called after the last decision, because the catalogues are read together with the decisions.
    """
    count = 0
    source = iter(entries)
    # The writer puts metadata at the end of the file, so the catalogues can be added after the decisions.
    with pyarrow.parquet.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
        while batch := list(islice(source, _BATCH)):
            writer.write_batch(pyarrow.RecordBatch.from_pylist([_record(entry) for entry in batch], schema=SCHEMA))
            count += len(batch)
        documents = {str(version): catalogue.to_document() for version, catalogue in catalogues().items()}
        writer.add_key_value_metadata({"format": FORMAT, "catalogues": json.dumps(documents)})
    return count


def write_rewarded_rows(path: Path, rows: Iterable[tuple[DecisionRow, float]], rulebook: Rulebook) -> int:
    """Write rows with their rewards, as a simulation yields them; return their number.

    All rows must be of the version of the rulebook, and be evaluated.
    """
    entries = (
        LogEntry(row, "evaluated", row.is_delivered, decode_decision(row, rulebook, reward)) for row, reward in rows
    )
    return write_log(path, entries, lambda: {rulebook.version: rulebook.catalogue})


def _record(entry: LogEntry) -> dict[str, Any]:
    row, decision = entry.row, entry.decision
    policy_inputs = decision.policy_inputs if decision is not None else None
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
        "numbers": None if row.numbers is None else msgspec.json.encode(row.numbers).decode(),
        "message": row.message,
        "channel": row.channel,
        "delay_s": row.delay_s,
        "hold_reason": row.hold_reason,
        "eligible": policy_inputs.numbers.tolist() if policy_inputs else [],
        "trigger_of": policy_inputs.trigger_of.tolist() if policy_inputs else [],
        "probabilities": decision.probabilities.tolist() if decision else [],
        "drawn": decision.drawn if decision else None,
        "propensity": decision.propensity if decision else None,
        "p_out": row.p_out,
        "p_click": row.p_click,
        "delivered": entry.delivered,
        "reward": decision.reward if decision else None,
    }


def is_log(file: LogFile) -> bool:
    """Return whether a file is an exported log."""
    if not is_parquet(file):
        return False
    with translate_errors(file):
        metadata = open_parquet(file).metadata.metadata or {}
    return bool(metadata.get(b"format") == FORMAT.encode())


def read_log(source: Path | LogFile, role: str) -> Iterator[LoggedDecision]:
    """Yield the decisions of a role, in constant memory.

    Raises
    ------
    Unreadable
        When the file is not an exported log.
    BadData
        When a column is missing or of another type, or a decision cannot be read; the error names file, row and
        column.
    """
    log = LogFile.of(source) if isinstance(source, Path) else source
    if not is_log(log):
        raise Unreadable(f"{log.name}: is not a log exported by this service (format {FORMAT})")
    with translate_errors(log):
        file = open_parquet(log)
        names = _check_schema(file.schema_arrow)
        rulebooks = _rulebooks(log, file.metadata.metadata)
        row = 0
        for batch in file.iter_batches(_BATCH, columns=names):
            for record in batch.to_pylist():
                row += 1
                if record["role"] is None:
                    raise BadData("role", "is empty", row)
                if record["role"] == role:
                    yield replace(_decision(record, rulebooks, row), place=f"{log.name}, row {row}")


def _check_schema(schema: Any) -> list[str]:
    """Return the columns to read.

    A file is refused where a column is missing, comes twice, or has another type; another width of a type is allowed.
    """
    names = [name for name in _FIELDS if name in schema.names or name not in _MAY_BE_ABSENT]
    check_columns(schema.names, names)
    for name in names:
        actual, wanted = schema.field(name).type, _FIELDS[name]
        if _kind(actual) != _kind(wanted):
            raise BadData(name, f"holds {actual}, must hold {wanted}")
    return names


def _kind(column: Any) -> tuple[bool, ...]:
    """Return the kind of a column's values, the same for all widths of a type."""
    types, nested = pyarrow.types, pyarrow.types.is_list(column) or pyarrow.types.is_large_list(column)
    value = column.value_type if nested else column
    is_text = types.is_string(value) or types.is_large_string(value)
    return nested, is_text, types.is_integer(value), types.is_floating(value), types.is_boolean(value)


def _rulebooks(log: LogFile, metadata: Mapping[bytes, bytes]) -> dict[int, Rulebook]:
    try:
        documents = json.loads(metadata[b"catalogues"])
        catalogues = {int(version): Catalogue.from_stored(document) for version, document in documents.items()}
    except (KeyError, ValueError, AttributeError) as error:
        raise Unreadable(f"{log.name}: its catalogues cannot be read: {error}") from None
    return {version: Rulebook.of(catalogue, version) for version, catalogue in catalogues.items()}


def _decision(record: Mapping[str, Any], rulebooks: Mapping[int, Rulebook], row: int) -> LoggedDecision:
    for name in _NEEDED:
        if record[name] is None:
            raise BadData(name, "is empty", row)
    version = record["catalogue_version"]
    rulebook = rulebooks.get(version)
    if rulebook is None:
        raise BadData("catalogue_version", f"is {version}, of which the file has no document", row)
    policy_inputs = _read_inputs(record, rulebook, row)
    decision = LoggedDecision(
        event_id=record["event_id"],
        shopper_id=record["shopper_id"],
        at=record["at"],
        context=_decode(record, "context", dict[str, Scalar], row),
        actions=joint_actions(rulebook.space, policy_inputs.numbers),
        probabilities=np.array(record["probabilities"], dtype=np.float64),
        drawn=record["drawn"],
        reward=record["reward"],
        labels={},
        policy_inputs=policy_inputs,
        of_service=True,
    )
    decision.check(row)
    decision.check_propensity(record["propensity"], "propensity", row)
    policy = PolicyRecord(record["policy"], record["policy_version"], record["mode"])
    return add_labels(decision, policy, record["arm"], record["hold_reason"])


def _read_inputs(record: Mapping[str, Any], rulebook: Rulebook, row: int) -> PolicyInputs:
    numbers, trigger_of = (_integers(record, name, row) for name in ("eligible", "trigger_of"))
    if not len(numbers) or numbers.min() < 0 or numbers.max() > rulebook.space.hold:
        raise BadData("eligible", "holds a number that the catalogue does not have", row)
    if (np.diff(numbers) <= 0).any():
        raise BadData("eligible", "must rise: a joint action stands twice, or in another order", row)
    triggers = _decode(record, "triggers", tuple[TriggerRecord, ...], row)
    if not triggers:
        raise BadData("triggers", "is empty", row)
    if len(trigger_of) != len(numbers):
        raise BadData("trigger_of", f"has {len(trigger_of)} values for {len(numbers)} eligible joint actions", row)
    is_send = numbers != rulebook.space.hold
    if not (np.where(is_send, trigger_of, 0) >= 0).all() or trigger_of.max() >= len(triggers):
        raise BadData("trigger_of", f"names none of the {len(triggers)} triggers", row)
    known = _decode(record, "numbers", ShopperNumbers, row) if record.get("numbers") is not None else ShopperNumbers()
    return PolicyInputs(rulebook, triggers, numbers, trigger_of, known)


def _integers(record: Mapping[str, Any], column: str, row: int) -> NDArray[np.int64]:
    if None in record[column]:
        raise BadData(column, "holds an empty value", row)
    return np.array(record[column], dtype=np.int64)


def _decode(record: Mapping[str, Any], column: str, shape: type[_Contents], row: int) -> _Contents:
    try:
        return msgspec.json.decode(record[column], type=shape)
    except msgspec.MsgspecError as error:
        raise BadData(column, f"cannot be read: {error}", row) from None
