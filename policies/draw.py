"""The draw: numbers that belong to events, and the joint actions that these numbers draw from distributions."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from policies.arrays import FloatArray, IntArray, SeedArray


def unit_number(seed: bytes, event_id: str, stream: str = "draw") -> float:
    """Return the number in [0, 1) that belongs to an event, with 53 random bits.

    Retries and replays get the same number. Different values of ``stream`` give independent numbers.

    >>> unit_number(b"shop", "cart-1") == unit_number(b"shop", "cart-1") != unit_number(b"shop", "cart-2")
    True
    """
    return (_number_of(seed, event_id, stream) >> 11) * 2.0**-53


def _number_of(seed: bytes, event_id: str, stream: str) -> int:
    """Return the 64 random bits that belong to an event in a stream."""
    digest = hashlib.blake2b(f"{stream}\x00{event_id}".encode(), digest_size=8, key=seed[:64]).digest()
    return int.from_bytes(digest, "little")


@dataclass(frozen=True)
class SampleSeeds:
    """Seeds for the random numbers that a policy needs to know its distributions: one for each request of a list.

    A seed belongs to the event, as the number of the draw does, but to another stream. So the draw is independent of
    the distribution from which it draws.

    >>> SampleSeeds(b"shop", ["cart-1", "cart-2"]).of(np.array([1])).tolist()
    [1773168058724404459]
    """

    seed: bytes
    event_ids: Sequence[str]

    def of(self, requests: IntArray) -> SeedArray:
        """Return the seeds of some requests, by their positions in the list."""
        seeds = [_number_of(self.seed, self.event_ids[request], "sample") for request in requests.tolist()]
        return np.array(seeds, dtype=np.uint64)


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
