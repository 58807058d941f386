from __future__ import annotations

import base64
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from policies.arrays import FloatArray
from policies.records.rows import pack, unpack

distributions = arrays.arrays(np.float64, st.integers(0, 300), elements=st.sampled_from([0.98, 0.01, 1 / 3, 1e-300]))


@given(distributions)
def test_a_packed_distribution_is_read_to_the_byte(distribution: FloatArray) -> None:
    assert unpack(pack(distribution), np.float64).tobytes() == distribution.tobytes()


@given(arrays.arrays(np.uint8, st.integers(0, 300), elements=st.sampled_from([0, 3, 17, 255])))
def test_an_array_packed_by_an_earlier_version_is_read(verdicts: NDArray[np.uint8]) -> None:
    packed = base64.b85encode(zlib.compress(verdicts.tobytes(), 1)).decode()
    assert unpack(packed, np.uint8).tobytes() == unpack(pack(verdicts), np.uint8).tobytes() == verdicts.tobytes()


@pytest.mark.parametrize("damage", ["", ":", ":!", ":AAAA", "AAAA", "x", pack(np.arange(9.0))[:-4], "\u00e9"])
def test_a_damaged_text_is_refused_by_an_error_of_its_library(damage: str) -> None:
    with pytest.raises((ValueError, zlib.error)):
        unpack(damage, np.float64)
