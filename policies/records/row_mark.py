"""The mark of a row: shows whether two logs have the same row at a position."""

from __future__ import annotations

import hashlib

from policies.records.rows import Row


def mark_of(row: Row) -> str:
    """Return the mark of a row: a hash that differs from the mark of another log's row at the same position.

    An erasure does not change the mark.
    """
    event_id = getattr(row, "event_id", None) or ""
    words = f"{row.kind} {row.at!r} {event_id}"
    return hashlib.blake2b(words.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
