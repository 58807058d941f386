"""Scoring without Vowpal Wabbit: a model version compiled to vectors of weights over the joint actions.

The logit of a head is a sum of hashed weights. For one action space it is a sum of vectors, one per token of the
context, which are gathered once and cached. A prediction is then a handful of vector additions in NumPy, nearly
independent of the number of joint actions, and equal to VW's own prediction (`check_equal`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import mmh3
import msgspec
import numpy as np
from numpy.typing import NDArray

from policies.arrays import FloatArray
from policies.catalogue.action_space import ActionSpace
from policies.models.features import (
    HOUR_BUCKETS,
    PAIRS,
    SHARED,
    action_tokens,
    channel_token,
    delay_token,
    example_text,
    hour_bucket,
    message_tokens,
    shared_tokens,
)
from policies.records.rows import Context

_FNV_PRIME = 16_777_619
_MOST_CACHED = 20_000
_TOLERANCE = 1e-5
"""VW adds float32 numbers in another order: its logits differ from ours by some 1e-6."""


class ModelMismatch(ValueError):
    """The model cannot be scored correctly by this code; the message names the difference."""


class ModelSnapshot(msgspec.Struct, frozen=True):
    """A published model version: everything that scoring needs, without Vowpal Wabbit.

    ``positive`` and ``out`` hold, for each head, the indices (uint32) and values (float32) of the weights that are not
    zero, as bytes. ``worth`` is the expected gain of a positive outcome by message, ``""`` for all messages.
    """

    options: dict[str, str | int | float]
    learned: int
    positive: tuple[bytes, bytes]
    out: tuple[bytes, bytes]
    worth: dict[str, float]
    complaint_loss: float

    def to_bytes(self) -> bytes:
        """Return the snapshot as MessagePack; equal snapshots have equal bytes."""
        return msgspec.msgpack.encode(self, order="deterministic")

    @classmethod
    def from_bytes(cls, data: bytes) -> ModelSnapshot:
        """Return the snapshot that `to_bytes` wrote.

        Raises
        ------
        ModelMismatch
            When the bytes hold no model.
        """
        try:
            return msgspec.msgpack.decode(data, type=cls)
        except msgspec.DecodeError as error:
            raise ModelMismatch(f"these bytes are no model: {error}") from None


@dataclass(frozen=True)
class Prediction:
    """Probabilities of a positive outcome and of an opt-out for every send, each (n,)."""

    p_positive: FloatArray
    p_out: FloatArray


class _TokenLogits:
    """The part of one token of the shopper's side in the logits: (2, n) by joint action, (2, hours) by hour."""

    __slots__ = ("actions", "hours")

    def __init__(self, actions: FloatArray, hours: FloatArray | None) -> None:
        self.actions = actions
        self.hours = hours


class CompiledModel:
    """Predicts for all sends of an action space at once.

    Several threads may read at once: two of them can only put equal entries into the cache.

    Parameters
    ----------
    snapshot
        The model version.
    space
        The joint actions. One that the model has not seen starts from its category and channel.
    options
        The options that this code can score; a snapshot made with other options is refused.

    Raises
    ------
    ModelMismatch
        Naming the option that differs.
    """

    def __init__(self, snapshot: ModelSnapshot, space: ActionSpace, options: dict[str, str | int | float]) -> None:
        for name in sorted({*options, *snapshot.options}):
            if options.get(name) != snapshot.options.get(name):
                raise ModelMismatch(
                    f"the model was made with {name} = {snapshot.options.get(name)!r}, here it is {options.get(name)!r}"
                )
        self._space = space
        self._mask = (1 << int(options["bits"])) - 1
        self._starts = np.array([[options["positive_start"]], [options["out_start"]]], dtype=np.float64)
        self._weights = np.zeros((2, self._mask + 1), dtype=np.float32)
        for head, (indices, values) in enumerate((snapshot.positive, snapshot.out)):
            self._weights[head, np.frombuffer(indices, np.uint32)] = np.frombuffer(values, np.float32)
        self._slots = _slot_hashes(space)
        self._of = {"m": space.message_of, "c": space.channel_of, "l": space.delay_of}
        self._hours = np.array([[token_hash("e", f"e_{bucket}")] for bucket in range(HOUR_BUCKETS)], dtype=np.uint64)
        self._base = self._starts + self._linear() + self._across("m", "c")[:, space.message_of, space.channel_of]
        self._by_hour = self._look_up(self._hours)[:, None, :] + self._product(
            self._slots["c"], self._hours
        )  # (2, channels, hours)
        self._cache: dict[str, _TokenLogits] = {}

    def predict(self, context: Context) -> Prediction:
        """Predict for every send in a context."""
        logits = self.logits(context)
        probabilities = 1.0 / (1.0 + np.exp(-logits))
        return Prediction(probabilities[0], probabilities[1])

    def logits(self, context: Context) -> FloatArray:
        """Return the logits of both heads, shape (2, n)."""
        space = self._space
        parts = [
            self._token_logits(namespace, token)
            for namespace, tokens in shared_tokens(context).items()
            for token in tokens
        ]
        logits = self._base.copy()
        for part in parts:
            logits += part.actions
        if hour_bucket(context, 0) is not None:
            buckets = np.array([hour_bucket(context, delay) for delay in space.delays_s])[space.delay_of]
            logits += self._by_hour[:, space.channel_of, buckets]
            for part in parts:
                if part.hours is not None:
                    logits += part.hours[:, buckets]
        return logits

    def _token_logits(self, namespace: str, token: str) -> _TokenLogits:
        part = self._cache.get(token)
        if part is None:
            part = self._gather(namespace, token_hash(namespace, token))
            if len(self._cache) >= _MOST_CACHED:
                self._cache.clear()
            self._cache[token] = part
        return part

    def _gather(self, namespace: str, token: int) -> _TokenLogits:
        actions = np.zeros((2, len(self._space)))
        hours: FloatArray | None = None
        one = np.array([[token]], dtype=np.uint64)
        for pair in PAIRS:
            if pair[0] != namespace:
                continue
            if pair[1] == "e":
                hours = self._product(one, self._hours)[:, 0, :]
            else:
                actions += self._product(one, self._slots[pair[1]])[:, 0, self._of[pair[1]]]
        return _TokenLogits(actions, hours)

    def _linear(self) -> FloatArray:
        total = np.zeros((2, len(self._space)))
        for namespace, hashes in self._slots.items():
            total += self._look_up(hashes)[:, self._of[namespace]]
        return total + self._look_up(np.array([[token_hash("k", "k_1")]], dtype=np.uint64))

    def _across(self, first: str, second: str) -> FloatArray:
        return self._product(self._slots[first], self._slots[second])

    def _look_up(self, hashes: NDArray[np.uint64]) -> FloatArray:
        """Sum the weights of the tokens of each slot value: (values, tokens) → (2, values)."""
        weights: FloatArray = self._weights[:, hashes & np.uint64(self._mask)].astype(np.float64)
        return np.asarray(weights.sum(axis=-1))

    def _product(self, first: NDArray[np.uint64], second: NDArray[np.uint64]) -> FloatArray:
        """Sum the weights of all pairs of tokens: (a, i) × (b, j) → (2, a, b)."""
        pairs = pair_hash(first[:, None, :, None], second[None, :, None, :])
        weights: FloatArray = self._weights[:, pairs & np.uint64(self._mask)].astype(np.float64)
        return np.asarray(weights.sum(axis=(-1, -2)))


def token_hash(namespace: str, token: str) -> int:
    """Hash a token as Vowpal Wabbit does: murmur3, seeded by the hash of its namespace."""
    return int(mmh3.hash(token, mmh3.hash(namespace, 0, signed=False), signed=False))


def pair_hash(first: NDArray[np.uint64], second: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Hash pairs of tokens as Vowpal Wabbit does: FNV over the two hashes."""
    return (first * np.uint64(_FNV_PRIME)) ^ second


def _slot_hashes(space: ActionSpace) -> dict[str, NDArray[np.uint64]]:
    """Hash the tokens of each slot's values: an array (values, tokens) by namespace."""
    tokens_by_value: dict[str, list[tuple[str, ...]]] = {
        "m": [message_tokens(name, group) for name, group in zip(space.messages, space.categories, strict=True)],
        "c": [(channel_token(name),) for name in space.channels],
        "l": [(delay_token(delay),) for delay in space.delays_s],
    }
    return {
        namespace: np.array([[token_hash(namespace, token) for token in tokens] for tokens in values], dtype=np.uint64)
        for namespace, values in tokens_by_value.items()
    }


class Predictor(Protocol):
    """A model that predicts one example at a time: Vowpal Wabbit itself."""

    def logits(self, text: str) -> tuple[float, float]:
        """Return both logits."""
        ...


def check_equal(predictor: Predictor, compiled: CompiledModel, space: ActionSpace, contexts: Iterable[Context]) -> None:
    """Prove that a compiled model scores like the model that it was made from, on every send in these contexts.

    Raises
    ------
    ModelMismatch
        Naming the joint action and both logits.
    """
    for context in contexts:
        ours = compiled.logits(context)
        for number in range(len(space)):
            category = space.categories[space.message_of[number]]
            theirs = np.array(predictor.logits(example_text(context, space[number], category)))
            if not np.allclose(ours[:, number], theirs, rtol=0, atol=_TOLERANCE * (1 + np.abs(theirs))):
                raise ModelMismatch(f"{space[number]} in {context!r}: compiled {ours[:, number]}, learned {theirs}")


def collisions(space: ActionSpace, shared: Sequence[str], bits: int) -> int:
    """Return how many features of a catalogue and of shared tokens share their index with another feature.

    Each shared token begins with the letter of its namespace, as in `features.shared_tokens`.
    """
    names: dict[str, list[str]] = {namespace: [] for namespace in (*tuple(SHARED), "m", "c", "l", "e", "k")}
    for token in shared:
        names[token[0]].append(token)
    for number in range(len(space)):
        tokens = action_tokens(space[number], space.categories[space.message_of[number]], None)
        for namespace, action_side in tokens.items():
            names[namespace] += [token for token in action_side if token not in names[namespace]]
    names["e"] = [f"e_{bucket}" for bucket in range(HOUR_BUCKETS)]
    hashes = {
        namespace: np.array([token_hash(namespace, token) for token in tokens_of_one], dtype=np.uint64)
        for namespace, tokens_of_one in names.items()
    }
    crossed = [pair_hash(hashes[pair[0]][:, None], hashes[pair[1]][None, :]).ravel() for pair in PAIRS]
    linear = [hashes[namespace] for namespace in ("m", "c", "l", "e", "k")]
    indices = np.concatenate([*crossed, *linear]) & np.uint64((1 << bits) - 1)
    return len(indices) - len(np.unique(indices))
