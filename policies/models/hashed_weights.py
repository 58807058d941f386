"""The weights of the two heads in hashed tables, found by the same hashes as in Vowpal Wabbit."""

from __future__ import annotations

from collections.abc import Sequence

import mmh3
import numpy as np
from numpy.typing import NDArray

from policies.arrays import FloatArray

_FNV_PRIME = 16_777_619

Hashes = NDArray[np.uint64]


def token_hash(namespace: str, token: str) -> int:
    """Hash a token as Vowpal Wabbit does: murmur3, seeded by the hash of its namespace."""
    return int(mmh3.hash(token, mmh3.hash(namespace, 0, signed=False), signed=False))


def token_hashes(namespace: str, tokens: Sequence[Sequence[str]]) -> Hashes:
    """Hash equally long lists of tokens of one namespace: an array (lists, tokens)."""
    return np.array([[token_hash(namespace, token) for token in names] for names in tokens], dtype=np.uint64)


def pair_hash(first: Hashes, second: Hashes) -> Hashes:
    """Hash pairs of tokens as Vowpal Wabbit does: FNV over the two hashes."""
    return (first * np.uint64(_FNV_PRIME)) ^ second


class HashedWeights:
    """The weights of two heads, (2, 2^bits).

    Parameters
    ----------
    bits
        Width of the tables.
    heads
        For each head the indices (uint32) and values (float32) of the weights that are not zero, as bytes.
    """

    def __init__(self, bits: int, heads: Sequence[tuple[bytes, bytes]]) -> None:
        self._mask = np.uint64((1 << bits) - 1)
        self._weights = np.zeros((len(heads), 1 << bits), dtype=np.float32)
        for head, (indices, values) in enumerate(heads):
            self._weights[head, np.frombuffer(indices, np.uint32)] = np.frombuffer(values, np.float32)

    def sum_tokens(self, tokens: Hashes) -> FloatArray:
        """Sum the weights of the tokens of each list: (lists, tokens) → (2, lists)."""
        return np.asarray(self._look_up(tokens).sum(axis=-1))

    def sum_pairs(self, first: Hashes, second: Hashes) -> FloatArray:
        """Sum the weights of all pairs of tokens: (a, i) × (b, j) → (2, a, b)."""
        pairs = pair_hash(first[:, None, :, None], second[None, :, None, :])
        return np.asarray(self._look_up(pairs).sum(axis=(-1, -2)))

    def _look_up(self, hashes: Hashes) -> FloatArray:
        weights: FloatArray = self._weights[:, hashes & self._mask].astype(np.float64)
        return weights
