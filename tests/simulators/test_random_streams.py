"""Random streams: uniform numbers that do not depend on other draws."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from simulators.random_streams import Purpose, RandomStreams, RowStreams, to_normals
from tests.chi_square import frequencies_equal


def test_random_numbers_are_uniform_and_independent_of_other_draws() -> None:
    """100,000 numbers each in 20 cells; false-alarm rate 1e-5 per test."""
    streams, positions = RandomStreams(3), np.arange(100_000)
    one, other = streams.uniforms(5, [Purpose.click, Purpose.opt_out], positions)
    for numbers in (one, other, (one + other) % 1.0, streams.uniforms(6, [Purpose.click], positions)[0]):
        cells = Counter(map(str, (numbers * 20).astype(int).tolist()))
        assert frequencies_equal(cells, {str(cell): 1 / 20 for cell in range(20)})
    assert abs(np.corrcoef(one, other)[0, 1]) < 4.5 / 100_000**0.5
    assert (streams.uniforms(5, [Purpose.click], positions[7:9])[0] == one[7:9]).all()
    assert abs(to_normals(one, other).std() - 1.0) < 0.02


@given(st.lists(st.integers(0, 2**62), min_size=1, max_size=4), st.integers(0, 20_000), st.integers(0, 2**40))
def test_a_shopper_with_a_seed_of_her_own_is_the_first_shopper_of_this_seed(
    seeds: list[int], hour: int, message: int
) -> None:
    purposes, offset = [Purpose.opt_out, Purpose.next_visit], np.int64(message & ~0xFFFFFFFF)
    rows = RowStreams(seeds).uniforms(hour, purposes, np.arange(len(seeds)) + offset)
    alone = [RandomStreams(seed).uniforms(hour, purposes, np.zeros(1, dtype=np.int64) + offset) for seed in seeds]
    assert (rows == np.concatenate(alone, axis=1)).all()
