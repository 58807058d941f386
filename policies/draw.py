"""The one draw of a decision: a pure function of the application seed, the event id and the distribution."""

from __future__ import annotations

import hashlib

import numpy as np

from policies.models.exploration import FloatArray


def unit_number(seed: bytes, event_id: str, stream: str = "draw") -> float:
    """Give the number in [0, 1) that belongs to an event, with 53 random bits.

    Retries and replays reproduce it; another ``stream`` of the same seed is independent of it.

    >>> unit_number(b"shop", "cart-1") == unit_number(b"shop", "cart-1") != unit_number(b"shop", "cart-2")
    True
    """
    digest = hashlib.blake2b(f"{stream}\x00{event_id}".encode(), digest_size=8, key=seed[:64]).digest()
    return (int.from_bytes(digest, "little") >> 11) * 2.0**-53


def draw(probabilities: FloatArray, unit: float) -> int:
    """Give the position drawn from a distribution (K,) by a number in [0, 1).

    Positions of probability zero are never drawn.

    >>> [draw(np.array([0.25, 0.0, 0.75]), unit) for unit in (0.0, 0.2, 0.25, 0.99)]
    [0, 0, 2, 2]
    """
    cumulated = np.cumsum(probabilities)
    position = int(np.searchsorted(cumulated, unit * cumulated[-1], side="right"))
    return min(position, int(np.flatnonzero(probabilities)[-1]))
