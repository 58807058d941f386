"""The table of parameters: every number has a meaning and a source, and impossible numbers are refused by name."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.scenarios.channels import CHANNELS, SOURCES_OF_TRAITS, TRAITS
from simulators.scenarios.parameters import PARAMETERS, ParameterRow, Parameters, describe_parameters

ROWS = describe_parameters(PARAMETERS)


def test_every_number_has_a_meaning_and_a_source() -> None:
    assert set(SOURCES_OF_TRAITS) == set(TRAITS)
    assert len({row.name for row in ROWS}) == len(ROWS) > 100
    for row in ROWS:
        assert row.meaning, row.name
        assert len(row.source) >= len("judgement"), row.name


@given(st.sampled_from(ROWS), st.floats(0.5, 1.0))
def test_every_number_can_be_drawn_by_its_name(row: ParameterRow, factor: float) -> None:
    value = row.value * factor
    table = {one.name: one.value for one in describe_parameters(PARAMETERS.with_values({row.name: value}))}
    assert table == {one.name: value if one.name == row.name else one.value for one in ROWS}


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"margn": 0.3}, "no parameter has the name 'margn'"),
        ({"email.margin": 0.3}, "no parameter has the name 'email.margin'"),
        ({"email.looked": 1.3}, "looked must lie between 0 and 1"),
        ({"margin": 1.3}, "margin must lie between 0 and 1"),
        ({"taste_sd": -1.0}, "taste_sd must lie between 0 and inf"),
        ({"value_log_mean": float("inf")}, "value_log_mean must be a finite number"),
        ({"load_half_life_h": 0.0}, "load_half_life_h must be above 0"),
        ({"triggers.warmth_birthday": 0.3}, "no parameter has the name 'triggers.warmth_birthday'"),
        ({"triggers.replenish_shape": 0.0}, "replenish_shape must be above 0"),
        ({"triggers.price_drop_share": 0.8}, "must not sum to more than 1"),
        ({"click_logit_sd": float("nan")}, "click_logit_sd must lie between"),
    ],
)
def test_an_impossible_value_is_refused_by_name(values: Mapping[str, float], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        PARAMETERS.with_values(values)


def test_two_traits_of_a_channel_change_together() -> None:
    changed = PARAMETERS.with_values({"sms.looked": 0.5, "sms.consent": 0.6})
    assert (changed.sms.looked, changed.sms.consent) == (0.5, 0.6)
    assert changed.push == CHANNELS["push"]
    assert Parameters() == PARAMETERS
