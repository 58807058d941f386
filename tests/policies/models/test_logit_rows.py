"""Logits of many contexts: rows of one table, added one after the other."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from policies.arrays import FloatArray
from policies.catalogue.rulebook import Rulebook
from policies.models.compiled import CompiledModel
from policies.models.features import hour_bucket, known_hour, shared_tokens
from policies.models.hashed_weights import HashedWeights
from policies.models.logit_rows import LogitRows, RowTable, TableFull
from policies.models.token_weights import CROSSED_WITH_HOURS, TokenWeights
from policies.models.vw import BITS, OPTIONS, OUT_START, POSITIVE_START
from policies.records.rows import Context
from tests.policies.models.test_compiled import learned_heads, snapshot_of, some_context

numbers = st.floats(-1e6, 1e6, width=64)
tables = st.tuples(st.integers(1, 6), st.sampled_from([0, 2, 3, 4, 6])).flatmap(
    lambda shape: arrays.arrays(np.float64, shape, elements=numbers)
)


@given(tables, st.data())
def test_a_sum_adds_its_rows_one_by_one_whatever_other_sums_there_are(table: FloatArray, data: st.DataObject) -> None:
    rows = RowTable(len(table) + 1, table.shape[1])
    row_numbers = [rows.add(vector) for vector in table]
    lists = data.draw(st.lists(st.lists(st.sampled_from(row_numbers), max_size=40), min_size=1, max_size=5))
    sums = rows.sums(lists)
    for list_of_rows, total in zip(lists, sums, strict=True):
        plain = np.zeros(table.shape[1])
        for number in list_of_rows:
            plain = plain + table[number - 1]
        assert (total + 0.0).tobytes() == plain.tobytes()  # -0.0 is 0.0


def test_a_table_that_is_full_refuses_a_row_and_keeps_the_others() -> None:
    table = RowTable(2, 1)
    assert table.add(np.array([5.0])) == 1
    for _ in range(2):
        with pytest.raises(TableFull):
            table.add(np.array([6.0]))
    assert table.sums([[1], []]).tolist() == [[5.0], [0.0]]


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
