"""Duplicated rows: a log that was joined or loaded twice makes intervals too narrow."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from offline_eval.batch import SCALARS, Labels, LoggedBatch

_MOST_KEPT = 1 << 18
_IDENTIFYING, _ONE_TO_ONE = 0.2, 0.8
"""Two equal rows are taken for one row twice where model values tell rows apart: distinct values are at least a fifth
of the rows (five copies of a log still count as such), and nearly as many as distinct rows (a shopper who meets
the same offer twice in an unchanged context makes equal rows, but also unequal ones of equal value)."""


@dataclass(frozen=True)
class Repeats:
    """Share of rows that repeat an earlier one; ``known`` is False where rows are too alike to tell."""

    share: float
    known: bool


class Duplicates:
    """Counts repeated rows in constant memory, by following a fixed fraction of all fingerprints.

    Rows are the same when their events' names are, which is always known. Where they have none, when their five numbers
    and their shopper are: with discrete rewards and propensities that proves nothing, so it is judged only where the
    reward model's values tell rows apart.

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

    def add(self, rows: LoggedBatch) -> None:
        """Add a block of rows."""
        if rows.events is not None:
            self._named, names = True, _hashed(rows.events)
            self._follow(names, names)
            return
        value = _mixed(np.ascontiguousarray(rows.v_target).view(np.uint64))
        mark = value
        for name in SCALARS[:-1]:
            mark = _mixed(mark ^ np.ascontiguousarray(getattr(rows, name)).view(np.uint64))
        if rows.shoppers is not None:
            mark = _mixed(mark ^ _hashed(rows.shoppers))
        self._follow(mark, value)

    def _follow(self, mark: NDArray[np.uint64], value: NDArray[np.uint64]) -> None:
        """Keep the rows whose mark is below the limit, and lower it when they become too many."""
        own = mark <= self._limit
        self._kept.append(mark[own])
        self._values.append(value[own])
        self._size += int(own.sum())
        while self._size > _MOST_KEPT:
            self._limit >>= np.uint64(1)
            marks, values = np.concatenate(self._kept), np.concatenate(self._values)
            own = marks <= self._limit
            self._kept, self._values, self._size = [marks[own]], [values[own]], int(own.sum())
            if len(np.unique(self._kept[0])) == 1:
                return

    def __add__(self, other: Duplicates) -> Duplicates:
        """Merge."""
        merged = Duplicates()
        merged._limit = min(self._limit, other._limit)
        merged._named = self._named or other._named
        for part in (self, other):
            for mark, value in zip(part._kept, part._values, strict=True):
                merged._follow(mark, value)
        return merged

    def repeats(self) -> Repeats:
        """Give the share of repeated rows among those followed."""
        marks = np.concatenate(self._kept) if self._kept else np.zeros(0, dtype=np.uint64)
        if not len(marks):
            return Repeats(0.0, known=False)
        values, distinct = len(np.unique(np.concatenate(self._values))), len(np.unique(marks))
        tell_apart = len(marks) > 1 and values >= max(_IDENTIFYING * len(marks), _ONE_TO_ONE * distinct)
        known = self._named or tell_apart
        return Repeats(1 - distinct / len(marks) if known else 0.0, known=known)


def _hashed(names: Labels) -> NDArray[np.uint64]:
    """Hash names or numbers to 64 bits."""
    if names.dtype.kind in "iu":
        return _mixed(names.astype(np.uint64))
    distinct, place = np.unique(names, return_inverse=True)
    digests = [hashlib.blake2b(str(each).encode(), digest_size=8).digest() for each in distinct.tolist()]
    return np.frombuffer(b"".join(digests), dtype=np.uint64)[place]


def _mixed(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Mix bits so that every input bit moves every output bit (the finaliser of SplitMix64)."""
    with np.errstate(over="ignore"):
        bits = bits + np.uint64(0x9E37_79B9_7F4A_7C15)
        bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58_476D_1CE4_E5B9)
        bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D0_49BB_1331_11EB)
        return np.asarray(bits ^ (bits >> np.uint64(31)), dtype=np.uint64)
