"""Idempotency keys: a row with the key of a stored row is a repeat, and is not written.

A key holds all that makes a fact another fact. Rows that earlier versions wrote have the keys of those versions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

import msgspec

from policies.records.rows import EventRow, OutcomeRow, Scalar


def decision_key(event_id: str) -> str:
    return f"decision\x1f{event_id}"


def activation_key(event_id: str) -> str:
    """Return the key of an activation: the gate's first answer stands."""
    return f"activation\x1f{event_id}"


def cancellation_key(event_id: str) -> str:
    return f"cancellation\x1f{event_id}"


def catalogue_key(version: int) -> str:
    return f"catalogue\x1f{version}"


def fence_key(begun: str) -> str:
    """Return the key of the fence that begins an incarnation: all replicas that help to begin it write one row."""
    return f"fence\x1f{begun}"


def outcome_key(row: OutcomeRow) -> str:
    """Return the key of an outcome: what happened, and its feedback id or else its content.

    A permanent bounce and a machine's click are other facts than a passing bounce and a shopper's click: a caller may
    use the id of the message for all of them.

    >>> delivered = OutcomeRow(at=1.0, event_id="e", type="delivered", occurred_at=1.0, feedback_id="f")
    >>> complaint = msgspec.structs.replace(delivered, type="complaint")
    >>> outcome_key(delivered) == outcome_key(complaint)
    False
    """
    what = row.type + "+permanent" * row.permanent + "+machine" * row.machine
    if row.feedback_id is not None:
        return f"outcome\x1f{row.event_id}\x1fid\x1f{what}\x1f{row.feedback_id}"
    return f"outcome\x1f{row.event_id}\x1fsame\x1f{what}\x1f{row.occurred_at!r}\x1f{row.value!r}"


def possible_outcome_keys(row: OutcomeRow) -> list[str]:
    """Return the keys under which an equal outcome may be stored.

    An earlier version left the type out of the key of an outcome with a feedback id.
    """
    if row.feedback_id is None:
        return [outcome_key(row)]
    return [outcome_key(row), f"outcome\x1f{row.event_id}\x1fid\x1f{row.feedback_id}"]


def event_key(row: EventRow, *, has_date: bool) -> str | None:
    """Return the key of a shopper event: its id, else its content. None where it has neither an id nor a date.

    Numbers are compared as numbers: 60 and 60.0 are equal.

    >>> order = EventRow(at=1.0, shopper_id="s-1", type="purchase", occurred_at=1.0, attributes={"value": 60})
    >>> same = msgspec.structs.replace(order, attributes={"value": 60.0})
    >>> event_key(order, has_date=True) == event_key(same, has_date=True)
    True
    """
    if row.id is not None:
        return f"event\x1fid\x1f{_digest(row, row.id.encode())}"
    return _content_key(row, _as_integer) if has_date else None


def former_event_keys(row: EventRow) -> list[str]:
    """Return the keys that an earlier version gave to an event with a date: 60 and 60.0 had two."""
    if row.id is not None:
        return []
    return list(dict.fromkeys(_content_key(row, number_form) for number_form in (_as_is, _as_float)))


def same_attributes(one: Mapping[str, Scalar], other: Mapping[str, Scalar]) -> bool:
    """Return whether attributes are equal, numbers compared as numbers.

    >>> same_attributes({"value": 60}, {"value": 60.0}), same_attributes({"value": 1}, {"value": True})
    (True, False)
    """
    return _encode(one, _as_integer) == _encode(other, _as_integer)


def _content_key(row: EventRow, number_form: Callable[[Scalar], Scalar]) -> str:
    content = f"{row.occurred_at!r}\x1f".encode() + _encode(row.attributes, number_form)
    return f"event\x1f{_digest(row, content)}"


def _digest(row: EventRow, content: bytes) -> str:
    whole = f"{row.shopper_id}\x1f{row.type}\x1f".encode() + content
    return hashlib.blake2b(whole, digest_size=16).hexdigest()


def _encode(attributes: Mapping[str, Scalar], number_form: Callable[[Scalar], Scalar]) -> bytes:
    plain = {name: number_form(value) for name, value in attributes.items()}
    return msgspec.json.encode(plain, order="deterministic")


def _as_is(value: Scalar) -> Scalar:
    return value


def _as_integer(value: Scalar) -> Scalar:
    """Return a whole number as an integer, any other value unchanged."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _as_float(value: Scalar) -> Scalar:
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
