"""Sums of rows of a table: added one after the other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from policies.arrays import FloatArray
from policies.row_table import RowTable, TableFull

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
