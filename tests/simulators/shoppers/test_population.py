"""The population: a shopper is the same shopper however many others are drawn with her."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.random_streams import RandomStreams, Seeds
from simulators.scenarios.channels import ChannelTable
from simulators.scenarios.scenario import Scenario, find_scenario
from simulators.shoppers.population import Population

CHANNELS = ChannelTable.of(("push", "email", "inapp"))
GROWING = find_scenario("new_shoppers")


def draw(seeds: int | tuple[int, ...], shoppers: int) -> Population:
    return Population.draw(GROWING, shoppers, CHANNELS, Seeds(0, seeds).shopper_streams(shoppers))


def rows_equal(one: Population, other: Population) -> bool:
    columns = ((getattr(one, field.name), getattr(other, field.name)) for field in fields(Population))
    return all(column.dtype == twin.dtype and (column == twin).all() for column, twin in columns)


def head(population: Population, count: int) -> Population:
    return Population(**{field.name: getattr(population, field.name)[:count] for field in fields(Population)})


@given(st.integers(0, 2**40), st.integers(1, 40), st.integers(1, 40))
@settings(max_examples=30)
def test_a_shopper_does_not_depend_on_the_number_of_shoppers(seed: int, few: int, more: int) -> None:
    assert rows_equal(draw(seed, few), head(draw(seed, few + more), few))


@given(st.lists(st.integers(0, 2**40), min_size=1, max_size=4))
@settings(max_examples=30)
def test_a_shopper_with_a_seed_of_her_own_is_the_first_of_this_seed(seeds: list[int]) -> None:
    rows = draw(tuple(seeds), len(seeds))
    for row, seed in enumerate(seeds):
        one = Population(**{field.name: getattr(rows, field.name)[row : row + 1] for field in fields(Population)})
        assert rows_equal(one, draw(seed, 1))


def test_shoppers_join_later_by_chance_each_on_her_own() -> None:
    """3,000 worlds of one shopper: the share who join later is within 4.5 standard deviations of the published one."""
    joins = np.array([draw(seed, 1).joins[0] for seed in range(3_000)])
    share = 0.24 / 1.24
    assert abs((joins > 0).mean() - share) < 4.5 * (share * (1 - share) / len(joins)) ** 0.5
    assert joins[joins > 0].min() < 200
    assert 1_800 < joins.max() < GROWING.hours
    steady = Population.draw(Scenario("steady"), 100, CHANNELS, RandomStreams(1))
    assert not steady.joins.any()
