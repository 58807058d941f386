"""Idempotency keys: a row with the key of a stored row is a repeat, and is not written."""

from __future__ import annotations

import hashlib

import msgspec

from policies.records.rows import EventRow, OutcomeRow


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
    """Return the key of an outcome: its feedback id, else its content."""
    if row.feedback_id is not None:
        return f"outcome\x1f{row.event_id}\x1fid\x1f{row.feedback_id}"
    return f"outcome\x1f{row.event_id}\x1fsame\x1f{row.type}\x1f{row.occurred_at!r}\x1f{row.value!r}"


def event_key(row: EventRow) -> str:
    """Return the key of a shopper event: its content. Only for an event that states its own time."""
    attributes = msgspec.json.encode(row.attributes, order="deterministic")
    content = f"{row.shopper_id}\x1f{row.type}\x1f{row.occurred_at!r}\x1f".encode() + attributes
    return f"event\x1f{hashlib.blake2b(content, digest_size=16).hexdigest()}"
