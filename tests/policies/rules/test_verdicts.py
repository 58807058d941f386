"""The fast `VerdictTable` against its specification, which asks every denial about every joint action."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.catalogue.action_space import ActionSpace
from policies.catalogue.document import Catalogue
from policies.rules.verdicts import NOT_DENIED, VerdictTable, lay_out, stack
from tests.factories import small_document
from tests.policies.rules.one_by_one import denies

SPACE = ActionSpace.of(Catalogue.from_document(small_document(delays_s=[0, 60, 3_600])))
MESSAGES, CHANNELS, DELAYS = SPACE.shape

Denial = tuple[str, int, Any]
"""A method of `VerdictTable`, a rank, and what the method takes: a mask, masks by name, or an array."""


def ranks_one_by_one(denials: list[Denial], delays: int) -> list[int]:
    """The specification: a joint action's rank is the smallest among the denials that name its slots."""
    return [
        min((rank for by, rank, denied in denials if denies(by, denied, slots, SPACE, delays)), default=NOT_DENIED)
        for slots in product(range(MESSAGES), range(CHANNELS), range(delays))
    ]


def denials(delays: int) -> st.SearchStrategy[list[Denial]]:
    masks: st.SearchStrategy[list[bool]] = st.just([]) | st.lists(st.booleans(), min_size=delays, max_size=delays)
    shapes = st.sampled_from([(MESSAGES, CHANNELS, delays), (MESSAGES, CHANNELS, 1), (1, 1, delays)])
    arrays = shapes.flatmap(
        lambda shape: st.lists(st.booleans(), min_size=int(np.prod(shape)), max_size=int(np.prod(shape))).map(
            lambda bits: np.array(bits).reshape(shape)
        )
    )
    ranks = st.integers(0, NOT_DENIED - 1)

    def by_name(by: str, names: tuple[str, ...]) -> st.SearchStrategy[Denial]:
        return st.tuples(st.just(by), ranks, st.dictionaries(st.sampled_from((*names, "unknown")), masks))

    return st.lists(
        st.one_of(
            st.tuples(st.just("by_delay"), ranks, masks),
            by_name("by_message", SPACE.messages),
            by_name("by_category", SPACE.categories),
            by_name("by_channel", SPACE.channels),
            st.tuples(st.just("by_slots"), ranks, st.none() | arrays),
        ),
        max_size=8,
    )


def table_of(denials: list[Denial], delays: int) -> VerdictTable:
    table = VerdictTable(SPACE, delays)
    for by, rank, denied in denials:
        getattr(table, by)(rank, denied)
    return table


@pytest.mark.parametrize("delays", [DELAYS, 1])
@given(data=st.data())
def test_the_table_holds_what_its_specification_says(delays: int, data: st.DataObject) -> None:
    drawn_denials = data.draw(denials(delays))
    ranks = table_of(drawn_denials, delays).ranks()
    assert ranks.shape == (MESSAGES, CHANNELS, delays)
    assert ranks.ravel().tolist() == ranks_one_by_one(drawn_denials, delays)


@given(st.lists(denials(DELAYS), min_size=1, max_size=4))
def test_tables_are_laid_out_together_as_each_alone(lists: list[list[Denial]]) -> None:
    tables = [table_of(one, DELAYS) for one in lists]
    ranks = lay_out(stack(tables), tables, SPACE)
    assert ranks.tolist() == [np.take(ranks_one_by_one(one, DELAYS), SPACE.cells).tolist() for one in lists]
