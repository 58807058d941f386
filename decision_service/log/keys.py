"""Keys: what makes a row of the log the same as one already there, so that a repeat is known."""

from __future__ import annotations

import hashlib

import msgspec

from policies.records.rows import EventRow, OutcomeRow


def decision_key(event_id: str) -> str:
    """Name a decision: an event has one."""
    return f"decision\x1f{event_id}"


def activation_key(event_id: str) -> str:
    """Name an activation: the first answer of the gate stands."""
    return f"activation\x1f{event_id}"


def cancellation_key(event_id: str) -> str:
    """Name a cancellation: it happens once."""
    return f"cancellation\x1f{event_id}"


def catalogue_key(version: int) -> str:
    """Name a version of the catalogue."""
    return f"catalogue\x1f{version}"


def fence_key(begun: str) -> str:
    """Name the fence of a beginning of the state store: whoever helps writes it once."""
    return f"fence\x1f{begun}"


def outcome_key(row: OutcomeRow) -> str:
    """Name an outcome: by its feedback id, else by what it says."""
    if row.feedback_id is not None:
        return f"outcome\x1f{row.event_id}\x1fid\x1f{row.feedback_id}"
    return f"outcome\x1f{row.event_id}\x1fsame\x1f{row.type}\x1f{row.occurred_at!r}\x1f{row.value!r}"


def event_key(row: EventRow) -> str:
    """Name a shopper event by what it says; only one that told its own time can be known again."""
    attributes = msgspec.json.encode(row.attributes, order="deterministic")
    said = f"{row.shopper_id}\x1f{row.type}\x1f{row.occurred_at!r}\x1f".encode() + attributes
    return f"event\x1f{hashlib.blake2b(said, digest_size=16).hexdigest()}"
