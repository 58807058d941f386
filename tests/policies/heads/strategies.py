"""Random tables, action spaces and features for the laws of the heads."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from policies.catalogue.action_space import ActionSpace
from policies.heads.crossings import BASE, MOMENTS, NUMBERS, SLOTS, TIMES, TOKENS
from policies.heads.features import Features
from policies.heads.tables import HeadTable, Prior

MESSAGES, CATEGORIES, CHANNELS = ("hint", "offer", "thanks"), ("browse", "cart"), ("push", "email")
DELAYS = (0, 3_600, 43_200)

small = st.floats(-2, 2, width=32)


@st.composite
def spaces(draw: st.DrawFn) -> ActionSpace:
    """Return a space with some of the possible sends, in any order."""
    sends = [(m, c, d) for m in range(3) for c in range(2) for d in range(3)]
    chosen = draw(st.lists(st.sampled_from(sends), min_size=1, max_size=18, unique=True))
    columns = np.array(chosen, dtype=np.int64).T
    categories = draw(st.tuples(*[st.sampled_from(CATEGORIES)] * 3))
    return ActionSpace(MESSAGES, categories, CHANNELS, DELAYS, *columns)


@st.composite
def line_names(draw: st.DrawFn) -> str:
    slots = draw(st.sets(st.sampled_from(SLOTS), max_size=2))
    tokens = draw(st.sets(st.sampled_from(TOKENS), max_size=2))
    moment = draw(st.none() | st.sampled_from(MOMENTS))
    number = draw(st.none() | st.sampled_from(sorted(NUMBERS)))
    parts = [*sorted(slots), *sorted(tokens), *([moment] if moment else []), *([f"#{number}"] if number else [])]
    return TIMES.join(draw(st.permutations(parts))) or BASE


priors = st.builds(Prior, st.floats(0.0625, 2, width=32), small)


@st.composite
def tables(draw: st.DrawFn, heads: int = 2) -> tuple[HeadTable, ...]:
    """Return the tables of a few heads, each with any lines."""
    return tuple(
        HeadTable(f"head_{number}", draw(small), draw(st.dictionaries(line_names(), priors, min_size=1, max_size=8)))
        for number in range(heads)
    )


def _by_slot(slot: str) -> st.SearchStrategy[dict[str | int, float]]:
    values: dict[str, tuple[str | int, ...]] = {"delay": DELAYS, "channel": CHANNELS, "category": CATEGORIES}
    return st.dictionaries(st.sampled_from(values[slot]), small, max_size=3)


features = st.builds(
    Features,
    tokens=st.dictionaries(
        st.sampled_from(TOKENS), st.lists(st.sampled_from("abc"), max_size=2, unique=True).map(tuple), max_size=5
    ),
    moments=st.dictionaries(
        st.sampled_from(MOMENTS),
        st.dictionaries(st.sampled_from(DELAYS), st.sampled_from("xy"), max_size=3),
        max_size=2,
    ),
    numbers=st.dictionaries(st.sampled_from([name for name, slot in NUMBERS.items() if slot is None]), small),
    slot_numbers=st.fixed_dictionaries(
        {}, optional={name: _by_slot(slot) for name, slot in NUMBERS.items() if slot is not None and name != "delay"}
    ),
)
