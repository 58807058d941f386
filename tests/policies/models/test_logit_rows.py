"""Logits of many contexts are sums of rows."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest

from policies.arrays import FloatArray
from policies.catalogue.rulebook import Rulebook
from policies.models.compiled import CompiledModel
from policies.models.features import hour_bucket, known_hour, shared_tokens
from policies.models.hashed_weights import HashedWeights
from policies.models.logit_rows import LogitRows
from policies.models.token_weights import CROSSED_WITH_HOURS, TokenWeights
from policies.models.vw import BITS, OPTIONS, OUT_START, POSITIVE_START
from policies.records.rows import Context
from tests.policies.models.test_compiled import learned_heads, snapshot_of, some_context


def add_tokens(weights: TokenWeights, context: Context) -> FloatArray:
    """The specification: the logits (2, n) of one context, token by token."""
    total = weights.base().copy()
    tokens = [(name[0], token) for name, texts in shared_tokens(context).items() for token in texts]
    for namespace, token in tokens:
        total += weights.of_token(namespace, token)
    if (hour := known_hour(context)) is not None:
        buckets = [hour_bucket(hour, delay) for delay in weights.space.delays_s]
        total += weights.of_hours(buckets)
        for namespace, token in tokens:
            if namespace in CROSSED_WITH_HOURS:
                total += weights.of_token_at(namespace, token, buckets)
    return total


@pytest.fixture(scope="module")
def chance() -> random.Random:
    return random.Random(7)


def weights_of(book: Rulebook, chance: random.Random) -> TokenWeights:
    snapshot = snapshot_of(learned_heads(book, chance, 300))
    hashed = HashedWeights(BITS, (snapshot.positive, snapshot.out))
    return TokenWeights(hashed, (POSITIVE_START, OUT_START), book.space)


def split(contexts: Sequence[Context], size: int) -> list[Sequence[Context]]:
    return [contexts[start : start + size] for start in range(0, len(contexts), size)]


@pytest.mark.parametrize("size", [1, 3, 64, 500])
def test_logits_are_the_same_to_the_byte_in_every_list(
    example_rulebook: Rulebook, chance: random.Random, size: int
) -> None:
    weights = weights_of(example_rulebook, chance)
    contexts = [some_context(chance) for _ in range(150)]
    rows = LogitRows(weights, capacity=10_000)
    logits = np.concatenate([rows.logits(some) for some in split(contexts, size)])
    assert logits.tobytes() == np.stack([add_tokens(weights, context) for context in contexts]).tobytes()


def test_a_model_that_drops_its_rows_scores_as_before(example_rulebook: Rulebook, chance: random.Random) -> None:
    snapshot = snapshot_of(learned_heads(example_rulebook, chance, 300))
    contexts: list[Context] = [{"segment": f"s-{n % 400}", "visits": 2.0**n, "local_hour": 9} for n in range(900)]
    small, once = (CompiledModel(snapshot, example_rulebook.space, OPTIONS) for _ in range(2))
    in_lists = np.concatenate([small.logits(some) for some in split(contexts, 7)])
    assert in_lists.tobytes() == once.logits(contexts).tobytes()


def test_values_that_are_equal_and_of_other_types_have_their_own_tokens(
    example_rulebook: Rulebook, chance: random.Random
) -> None:
    weights = weights_of(example_rulebook, chance)
    contexts: list[Context] = [{"is_member": value} for value in (True, 1, 1.0, False, 0)]
    logits = LogitRows(weights).logits(contexts)
    assert logits.tobytes() == np.stack([add_tokens(weights, context) for context in contexts]).tobytes()
