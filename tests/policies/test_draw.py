from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from policies.arrays import FloatArray
from policies.draw import draw_many

units = st.floats(0, 1, exclude_max=True)
weights = arrays.arrays(
    np.float64,
    st.tuples(st.integers(1, 6), st.integers(1, 30)),
    elements=st.one_of(st.just(0.0), st.floats(1e-9, 1)),
).filter(lambda values: bool((values.sum(axis=1) > 0).all()))


def draw(probabilities: FloatArray, unit: float) -> int:
    """The specification: the first place at which the sum so far passes the drawn share of the total."""
    total, share = 0.0, unit * float(np.cumsum(probabilities)[-1])
    for place, probability in enumerate(probabilities.tolist()):
        total += probability
        if total > share:
            return place
    return max(place for place, probability in enumerate(probabilities.tolist()) if probability > 0)


@given(weights, st.data())
def test_every_row_is_drawn_from_by_itself(values: FloatArray, data: st.DataObject) -> None:
    p = values / values.sum(axis=1, keepdims=True)
    numbers = np.array(data.draw(st.lists(units, min_size=len(p), max_size=len(p))))
    drawn = draw_many(p, numbers)
    assert drawn.tolist() == [draw(row, unit) for row, unit in zip(p, numbers.tolist(), strict=True)]
    assert (p[np.arange(len(p)), drawn] > 0).all()


@given(weights, units)
def test_columns_of_probability_zero_change_no_draw(values: FloatArray, unit: float) -> None:
    p = values[:1] / values[:1].sum()
    kept = np.flatnonzero(p[0])
    assert draw_many(p, np.array([unit])) == kept[draw_many(p[:, kept], np.array([unit]))]


def test_the_largest_number_draws_the_last_joint_action() -> None:
    p = np.array([[0.1] * 10 + [0.0]])
    assert draw_many(p, np.array([1 - 2.0**-53])).tolist() == [9]
