"""Scoring without Vowpal Wabbit: a model version compiled to vectors of weights over the joint actions.

A prediction is a handful of vector additions in NumPy (`policies.models.logit_rows`), nearly independent of the number
of joint actions, and equal to VW's own prediction (`check_equal`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec
import numpy as np

from policies.arrays import FloatArray
from policies.catalogue.action_space import ActionSpace
from policies.learning.model_learner import FIRST_KIND, ModelMismatch, read_model
from policies.models.features import HOUR_BUCKETS, PAIRS, SHARED, action_tokens, example_text
from policies.models.hashed_weights import HashedWeights, pair_hash, token_hash
from policies.models.logit_rows import LogitRows
from policies.models.token_weights import TokenWeights
from policies.records.rows import Context
from policies.row_table import TableFull

_TOLERANCE = 1e-5
"""VW adds float32 numbers in another order: its logits differ from ours by some 1e-6."""


class ModelSnapshot(msgspec.Struct, frozen=True, omit_defaults=True):
    """A published model version: everything that scoring needs, without Vowpal Wabbit.

    ``positive`` and ``out`` hold, for each head, the indices (uint32) and values (float32) of the weights that are not
    zero, as bytes. ``worth`` is the expected gain of a positive outcome by message, ``""`` for all messages. The bytes
    of a snapshot leave the ``kind`` out, as they did before a model said its kind.
    """

    options: dict[str, str | int | float]
    learned: int
    positive: tuple[bytes, bytes]
    out: tuple[bytes, bytes]
    worth: dict[str, float]
    complaint_loss: float
    kind: str = FIRST_KIND

    def to_bytes(self) -> bytes:
        """Return the snapshot as MessagePack; equal snapshots have equal bytes."""
        return msgspec.msgpack.encode(self, order="deterministic")

    @classmethod
    def from_bytes(cls, data: bytes) -> ModelSnapshot:
        """Return the snapshot that `to_bytes` wrote.

        Raises
        ------
        ModelMismatch
            When the bytes hold no model, or one of another kind.
        """
        return read_model(data, FIRST_KIND, cls)


@dataclass(frozen=True)
class Prediction:
    """Probabilities of a positive outcome and of an opt-out for every send, each (contexts, n)."""

    p_positive: FloatArray
    p_out: FloatArray


class CompiledModel:
    """Predicts for many contexts and all sends of an action space at once.

    The prediction in a context is the same to the byte whatever other contexts are in the list. Several threads may
    predict at once.

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
        weights = HashedWeights(int(options["bits"]), (snapshot.positive, snapshot.out))
        starts = float(options["positive_start"]), float(options["out_start"])
        self._rows = LogitRows(TokenWeights(weights, starts, space))

    def predict(self, contexts: Sequence[Context]) -> Prediction:
        """Predict for every send in each context."""
        odds = np.exp(-self.logits(contexts))
        odds += 1.0
        probabilities = np.divide(1.0, odds, out=odds)
        return Prediction(probabilities[:, 0], probabilities[:, 1])

    def logits(self, contexts: Sequence[Context]) -> FloatArray:
        """Return the logits of both heads, shape (contexts, 2, n)."""
        try:
            return self._rows.logits(contexts)
        except TableFull:
            rows = self._rows = self._rows.larger(contexts)
            return rows.logits(contexts)


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
        (ours,) = compiled.logits([context])
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
