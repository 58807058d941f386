"""Features are read from what a row holds, and a row has place for it."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.heads.feature_reading import read_features
from policies.records.shopper_numbers import ShopperNumbers

DELAYS = (0, 3_600, 14_400, 43_200, 86_400)

values = st.floats(-9, 9)
by_delay = st.lists(values, min_size=5, max_size=5).map(tuple)
by_name = st.dictionaries(st.sampled_from(["push", "email", "shoes"]), values, max_size=3)
shopper_numbers = st.builds(
    ShopperNumbers,
    by_delay,
    by_delay,
    values,
    by_name,
    by_name,
    st.dictionaries(st.sampled_from(["shoes", "bags"]), by_delay, max_size=2),
    by_name,
)
contexts = st.fixed_dictionaries(
    {"trigger": st.sampled_from(["wishlist", "cart"])},
    optional={
        "category": st.sampled_from(["shoes", "bags"]),
        "segment": st.just("loyal"),
        "local_hour": st.floats(0, 24, exclude_max=True) | st.just("noon"),
        "local_weekday": st.integers(0, 6),
        "ignored_streak": st.integers(0, 90) | st.just(True),
    },
)


@given(contexts, shopper_numbers)
def test_a_row_that_was_read_back_has_the_same_features(
    context: dict[str, str | int | float], numbers: ShopperNumbers
) -> None:
    rounded = numbers.round_off()
    again = msgspec.json.decode(msgspec.json.encode(rounded), type=ShopperNumbers)
    assert again == rounded == rounded.round_off()
    assert read_features(context, again, DELAYS) == read_features(context, rounded, DELAYS)


def test_the_numbers_of_a_usual_row_are_small() -> None:
    """With five delays, five channels, seven categories and one product category: below half a kilobyte of JSON."""
    numbers = ShopperNumbers(
        presence=(-0.12345,) * 5,
        load=(1.23456,) * 5,
        own_rate=-0.33333,
        own_channel=dict.fromkeys(("push", "email", "sms", "webpush", "inapp"), -0.12345),
        own_category=dict.fromkeys(("cart", "offer", "browse", "price_drop", "stock", "service", "loyalty"), 0.12345),
        topic_load={"shoes": (0.54321,) * 5},
        affinity={"shoes": 0.77777},
    )
    assert len(msgspec.json.encode(numbers.round_off())) < 400


@pytest.mark.parametrize(
    ("hour", "weekday", "expected"),
    [
        (0.0, 0, ["week_0", "week_0", "week_1", "week_4", "week_0"]),
        (23.9, 4, ["week_7", *["weekend_0", "weekend_1", "weekend_3"], "weekend_7"]),
    ],
)
def test_an_hour_is_that_of_the_send(hour: float, weekday: int, expected: list[str]) -> None:
    features = read_features({"local_hour": hour, "local_weekday": weekday}, ShopperNumbers(), DELAYS)
    assert list(features.moments["hour"].values()) == expected


def test_load_has_levels_and_a_square() -> None:
    features = read_features({}, ShopperNumbers(load=(0.0, 0.25, 1.0, 2.0, 9.0)), DELAYS, caller=("device_mobile",))
    assert list(features.moments["load_level"].values()) == ["0", "1", "2", "4", "4"]
    assert features.number("load_squared", 86_400) == 81.0 / 4
    assert features.tokens["caller"] == ("device_mobile",)
