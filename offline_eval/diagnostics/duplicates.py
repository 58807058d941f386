"""Duplicated rows: a log that was joined or loaded twice has intervals that are too narrow."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from offline_eval.batch import SCALARS, LoggedBatch
from offline_eval.columns import Labels

_MOST_KEPT = 1 << 18
_IDENTIFYING, _ONE_TO_ONE = 0.2, 0.8
"""Without ids, two equal rows count as one row loaded twice only where the model's values differ from row to row.
Distinct values must be at least a fifth of the rows (so that five copies of a log are still recognised), and nearly as
many as distinct rows: a shopper who gets the same offer twice in an unchanged context makes equal rows, but then other
rows have equal values too."""


@dataclass(frozen=True)
class Repeats:
    """Share of rows that repeat an earlier one; ``known`` is False where rows are too alike to recognise repeats."""

    share: float
    known: bool


class Duplicates:
    """Counts repeated rows in constant memory, by following a fixed fraction of all fingerprints.

    Rows with the same event id are the same row. Without ids, rows are the same when their five numbers and their
    shopper are. With discrete rewards and propensities this proves nothing, so such rows are judged only where the
    reward model's values differ from row to row.

    Examples
    --------
    >>> once = LoggedBatch.of(reward=[1, 0], propensity=[1, 1], target_propensity=[1, 1], v_target=[0.123, 0.456])
    >>> duplicates = Duplicates()
    >>> duplicates.add(once)
    >>> duplicates.add(once)
    >>> duplicates.repeats()
    Repeats(share=0.5, known=True)
    """

    def __init__(self) -> None:
        self._kept: list[NDArray[np.uint64]] = []
        self._values: list[NDArray[np.uint64]] = []
        self._size = 0
        self._named = False
        self._limit = np.uint64(0xFFFF_FFFF_FFFF_FFFF)

    def add(self, batch: LoggedBatch) -> None:
        if batch.events is not None:
            self._named, names = True, _hash(batch.events)
            self._follow(names, names)
            return
        value = _mix_bits(np.ascontiguousarray(batch.v_target).view(np.uint64))
        mark = value
        for name in SCALARS[:-1]:
            mark = _mix_bits(mark ^ np.ascontiguousarray(getattr(batch, name)).view(np.uint64))
        if batch.shoppers is not None:
            mark = _mix_bits(mark ^ _hash(batch.shoppers))
        self._follow(mark, value)

    def _follow(self, mark: NDArray[np.uint64], value: NDArray[np.uint64]) -> None:
        """Keep the rows with a mark up to the limit, and lower the limit when they become too many."""
        is_kept = mark <= self._limit
        self._kept.append(mark[is_kept])
        self._values.append(value[is_kept])
        self._size += int(is_kept.sum())
        while self._size > _MOST_KEPT:
            self._limit >>= np.uint64(1)
            marks, values = np.concatenate(self._kept), np.concatenate(self._values)
            is_kept = marks <= self._limit
            self._kept, self._values, self._size = [marks[is_kept]], [values[is_kept]], int(is_kept.sum())
            if len(np.unique(self._kept[0])) == 1:
                return

    def __add__(self, other: Duplicates) -> Duplicates:
        merged = Duplicates()
        merged._limit = min(self._limit, other._limit)
        merged._named = self._named or other._named
        for part in (self, other):
            for mark, value in zip(part._kept, part._values, strict=True):
                merged._follow(mark, value)
        return merged

    def repeats(self) -> Repeats:
        """Return the share of repeated rows among the followed rows."""
        marks = np.concatenate(self._kept) if self._kept else np.zeros(0, dtype=np.uint64)
        if not len(marks):
            return Repeats(0.0, known=False)
        values, distinct = len(np.unique(np.concatenate(self._values))), len(np.unique(marks))
        differ = len(marks) > 1 and values >= max(_IDENTIFYING * len(marks), _ONE_TO_ONE * distinct)
        known = self._named or differ
        return Repeats(1 - distinct / len(marks) if known else 0.0, known=known)


def _hash(names: Labels) -> NDArray[np.uint64]:
    """Hash names or numbers to 64 bits."""
    if names.dtype.kind in "iu":
        return _mix_bits(names.astype(np.uint64))
    distinct, place = np.unique(names, return_inverse=True)
    digests = [hashlib.blake2b(str(name).encode(), digest_size=8).digest() for name in distinct.tolist()]
    return np.frombuffer(b"".join(digests), dtype=np.uint64)[place]


def _mix_bits(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Mix bits so that every input bit moves every output bit (the finaliser of SplitMix64)."""
    with np.errstate(over="ignore"):
        bits = bits + np.uint64(0x9E37_79B9_7F4A_7C15)
        bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58_476D_1CE4_E5B9)
        bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D0_49BB_1331_11EB)
        return np.asarray(bits ^ (bits >> np.uint64(31)), dtype=np.uint64)
