"""The weights of a model version as vectors over the joint actions of a space, one per token."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from policies.arrays import FloatArray
from policies.catalogue.action_space import ActionSpace
from policies.models.features import HOUR_BUCKETS, PAIRS, channel_token, delay_token, message_tokens
from policies.models.hashed_weights import HashedWeights, Hashes, token_hash, token_hashes

CROSSED_WITH_HOURS = frozenset(pair[0] for pair in PAIRS if pair[1] == "e")
"""The namespaces that are crossed with the effective hour: some of the shopper's side, and the channel's."""


class TokenWeights:
    """The addends of the logits of both heads, each of shape (2, n)."""

    def __init__(self, weights: HashedWeights, starts: Sequence[float], space: ActionSpace) -> None:
        self.space = space
        self._weights = weights
        self._starts = np.array([[start] for start in starts], dtype=np.float64)
        self._slots = _slot_hashes(space)
        self._of = {"m": space.message_of, "c": space.channel_of, "l": space.delay_of}
        self._hours = token_hashes("e", [(f"e_{bucket}",) for bucket in range(HOUR_BUCKETS)])
        self._by_hour = weights.sum_tokens(self._hours)[:, None, :] + weights.sum_pairs(
            self._slots["c"], self._hours
        )  # (2, channels, hours)

    def base(self) -> FloatArray:
        """Return the part that no context changes: start biases, and tokens of the joint actions alone."""
        linear = np.zeros((2, len(self.space)))
        for namespace, hashes in self._slots.items():
            linear += self._weights.sum_tokens(hashes)[:, self._of[namespace]]
        linear = linear + self._weights.sum_tokens(token_hashes("k", [("k_1",)]))
        crossed = self._weights.sum_pairs(self._slots["m"], self._slots["c"])
        return np.asarray(self._starts + linear + crossed[:, self.space.message_of, self.space.channel_of])

    def of_token(self, namespace: str, token: str) -> FloatArray:
        """Return the part of a token of the shopper's side, crossed with the slots."""
        total, one = np.zeros((2, len(self.space))), _one_token(namespace, token)
        for pair in PAIRS:
            if pair[0] == namespace and pair[1] != "e":
                total += self._weights.sum_pairs(one, self._slots[pair[1]])[:, 0, self._of[pair[1]]]
        return total

    def of_hours(self, buckets: Sequence[int]) -> FloatArray:
        """Return the part of the effective hours; ``buckets`` has the hour bucket of each delay of the space."""
        return self._by_hour[:, self.space.channel_of, np.array(buckets)[self.space.delay_of]]

    def of_token_at(self, namespace: str, token: str, buckets: Sequence[int]) -> FloatArray:
        """Return the part of a token of the shopper's side, crossed with the effective hours."""
        by_hour = self._weights.sum_pairs(_one_token(namespace, token), self._hours)[:, 0, :]
        return by_hour[:, np.array(buckets)[self.space.delay_of]]


def _one_token(namespace: str, token: str) -> Hashes:
    return np.array([[token_hash(namespace, token)]], dtype=np.uint64)


def _slot_hashes(space: ActionSpace) -> dict[str, Hashes]:
    """Hash the tokens of each slot's values: an array (values, tokens) by namespace."""
    categories = zip(space.messages, space.categories, strict=True)
    return {
        "m": token_hashes("m", [message_tokens(name, category) for name, category in categories]),
        "c": token_hashes("c", [(channel_token(name),) for name in space.channels]),
        "l": token_hashes("l", [(delay_token(delay),) for delay in space.delays_s]),
    }
