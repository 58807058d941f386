"""Scoring without Vowpal Wabbit: a model version compiled to rows of weights over the joint actions.

A logistic head's logit is a sum of hashed weights, so for one action space it is a sum of one row per token
of the context, gathered once and cached. A decide is then a handful of vector additions in NumPy, nearly
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
"""VW adds float32 in its own order: its logits differ from ours by some 1e-6."""


class ModelMismatch(ValueError):
    """A model that this code would score wrongly; the text names the difference."""


class ModelSnapshot(msgspec.Struct, frozen=True):
    """A model version as it is published: all that scoring needs, without Vowpal Wabbit.

    ``positive`` and ``out`` are (indices uint32, values float32) of the weights that are not zero, as
    bytes; ``worth`` is the expected gain of a positive outcome by message, ``""`` for all messages.
    """

    options: dict[str, str | int | float]
    learned: int
    positive: tuple[bytes, bytes]
    out: tuple[bytes, bytes]
    worth: dict[str, float]
    complaint_loss: float

    def to_bytes(self) -> bytes:
        """Write it as MessagePack; equal snapshots give equal bytes."""
        return msgspec.msgpack.encode(self, order="deterministic")

    @classmethod
    def from_bytes(cls, data: bytes) -> ModelSnapshot:
        """Read back what `to_bytes` wrote.

        Raises
        ------
        ModelMismatch
            When the bytes are no model.
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


class _Rows:
    """What one token of the shopper's side adds: (2, n) by joint action, (2, hours) by effective hour."""

    __slots__ = ("actions", "hours")

    def __init__(self, actions: FloatArray, hours: FloatArray | None) -> None:
        self.actions = actions
        self.hours = hours


class CompiledModel:
    """Predicts for all sends of an action space at once.

    Concurrent readers are safe: the cache only ever gains equal entries.

    Parameters
    ----------
    snapshot
        The model version.
    space
        The joint actions; those the model has not seen start from their category and channel.
    options
        What this code knows how to score; a snapshot made with anything else is refused.

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
        self._rows: dict[str, _Rows] = {}

    def predict(self, context: Context) -> Prediction:
        """Predict for every send in a context."""
        logits = self.logits(context)
        probabilities = 1.0 / (1.0 + np.exp(-logits))
        return Prediction(probabilities[0], probabilities[1])

    def logits(self, context: Context) -> FloatArray:
        """Give the logits of both heads, shape (2, n)."""
        space = self._space
        rows = [self._row(namespace, token) for namespace, own in shared_tokens(context).items() for token in own]
        logits = self._base.copy()
        for row in rows:
            logits += row.actions
        if hour_bucket(context, 0) is not None:
            buckets = np.array([hour_bucket(context, delay) for delay in space.delays_s])[space.delay_of]
            logits += self._by_hour[:, space.channel_of, buckets]
            for row in rows:
                if row.hours is not None:
                    logits += row.hours[:, buckets]
        return logits

    def _row(self, namespace: str, token: str) -> _Rows:
        found = self._rows.get(token)
        if found is None:
            found = self._make_row(namespace, token_hash(namespace, token))
            if len(self._rows) >= _MOST_CACHED:
                self._rows.clear()
            self._rows[token] = found
        return found

    def _make_row(self, namespace: str, token: int) -> _Rows:
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
        return _Rows(actions, hours)

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
    """Hash the tokens of each slot's values: (values, tokens)."""
    named: dict[str, list[tuple[str, ...]]] = {
        "m": [message_tokens(name, group) for name, group in zip(space.messages, space.categories, strict=True)],
        "c": [(channel_token(name),) for name in space.channels],
        "l": [(delay_token(delay),) for delay in space.delays_s],
    }
    return {
        namespace: np.array([[token_hash(namespace, token) for token in own] for own in values], dtype=np.uint64)
        for namespace, values in named.items()
    }


class Predictor(Protocol):
    """A model that says itself what it predicts for an example."""

    def logits(self, text: str) -> tuple[float, float]:
        """Give both logits."""
        ...


def check_equal(predictor: Predictor, compiled: CompiledModel, space: ActionSpace, contexts: Iterable[Context]) -> None:
    """Prove that a compiled model scores like the model it was made from, on every send in these contexts.

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
    """Count crossed features of a catalogue and shared tokens that fall on an index another one has.

    Each shared token is written with its namespace's letter first, as `features.shared_tokens` does.
    """
    names: dict[str, list[str]] = {namespace: [] for namespace in (*tuple(SHARED), "m", "c", "l", "e", "k")}
    for token in shared:
        names[token[0]].append(token)
    for number in range(len(space)):
        tokens = action_tokens(space[number], space.categories[space.message_of[number]], None)
        for namespace, own in tokens.items():
            names[namespace] += [token for token in own if token not in names[namespace]]
    names["e"] = [f"e_{bucket}" for bucket in range(HOUR_BUCKETS)]
    hashes = {
        namespace: np.array([token_hash(namespace, token) for token in own], dtype=np.uint64)
        for namespace, own in names.items()
    }
    crossed = [pair_hash(hashes[pair[0]][:, None], hashes[pair[1]][None, :]).ravel() for pair in PAIRS]
    linear = [hashes[namespace] for namespace in ("m", "c", "l", "e", "k")]
    indices = np.concatenate([*crossed, *linear]) & np.uint64((1 << bits) - 1)
    return len(indices) - len(np.unique(indices))
