"""The draw: numbers that belong to events, and the joint actions that these numbers draw from distributions."""

from __future__ import annotations

import hashlib

import numpy as np

from policies.arrays import FloatArray, IntArray


def unit_number(seed: bytes, event_id: str, stream: str = "draw") -> float:
    """Return the number in [0, 1) that belongs to an event, with 53 random bits.

    Retries and replays get the same number. Different values of ``stream`` give independent numbers.

    >>> unit_number(b"shop", "cart-1") == unit_number(b"shop", "cart-1") != unit_number(b"shop", "cart-2")
    True
    """
    digest = hashlib.blake2b(f"{stream}\x00{event_id}".encode(), digest_size=8, key=seed[:64]).digest()
    return (int.from_bytes(digest, "little") >> 11) * 2.0**-53


def draw_many(probabilities: FloatArray, units: FloatArray) -> IntArray:
    """Return the column that each number in [0, 1) draws from its row of distributions (r, columns).

    A column of probability zero is never drawn, and columns of probability zero change no draw.

    >>> draw_many(np.array([[0.25, 0.0, 0.75]] * 4), np.array([0.0, 0.2, 0.25, 0.99])).tolist()
    [0, 0, 2, 2]
    """
    cumulated = np.cumsum(probabilities, axis=1)
    drawn = (cumulated <= (units * cumulated[:, -1])[:, None]).sum(axis=1)
    for row in np.flatnonzero(drawn == probabilities.shape[1]).tolist():  # the product was rounded up to the total
        drawn[row] = np.flatnonzero(probabilities[row])[-1]
    return np.asarray(drawn)
