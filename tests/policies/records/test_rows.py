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
from policies.records.erasure import anonymous
from policies.records.rows import Scalar, decode, encode, pack, unpack
from policies.records.shopper_numbers import ShopperNumbers
from tests.factories import send_row, trigger

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


@pytest.mark.parametrize(
    ("price", "known"),
    [
        (59.9, 59.9),
        (60, 60.0),
        (0, None),
        (-1.0, None),
        ("59.9", None),
        (True, None),
        (10**400, None),
        (float("inf"), None),
    ],
)
def test_the_price_of_a_product_is_a_number_above_zero(price: Scalar, known: float | None) -> None:
    assert trigger(attributes={"price": price}).product_price == known


def test_an_erasure_keeps_what_learning_used() -> None:
    numbers = ShopperNumbers(load=(0.5,), topic_load={"shoes": (0.25,)})
    about = trigger(attributes={"category": "shoes", "price": 60, "product": "Runner"})
    row = send_row(numbers=numbers, p_click=0.1, p_out=0.01, triggers=(about,))
    erased = anonymous(row, "erased:1")
    assert (erased.numbers, erased.p_click, erased.p_out) == (numbers, 0.1, 0.01)
    assert erased.triggers[0].attributes == {}
    assert (erased.triggers[0].product_category, erased.triggers[0].product_price) == ("shoes", 60.0)
    assert anonymous(erased, "erased:1") == erased
    assert decode(encode(erased)) == erased
