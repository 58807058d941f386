"""Orders: one shopper in four sends back 5 to 15 % of the orders, and no margin is left of these."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest

from simulators.scenarios.parameters import PARAMETERS
from simulators.scenarios.scenario import Scenario
from simulators.senders.broadcast import Broadcast
from simulators.senders.sender import run_sender
from simulators.world.messages import STANDARD
from simulators.world.tick import Tick
from simulators.world.world import World

FREE = replace(STANDARD, costs=np.zeros_like(STANDARD.costs))


def test_one_shopper_in_four_sends_5_to_15_percent_back() -> None:
    refunds = World(Scenario("one", weeks=1), 20_000, 1).population.refunds
    senders = refunds[refunds > 0]
    assert len(senders) / 20_000 == pytest.approx(0.25, abs=0.02)
    assert 0.05 <= senders.min() < 0.06
    assert 0.14 < senders.max() <= 0.15


def test_every_refund_is_of_an_earlier_order_and_takes_its_margin() -> None:
    """Both orders after a message and orders without one; a message has at most one order."""
    values = {"refunding_share": 1.0, "least_refunds": 0.3, "most_refunds": 0.5}
    world = World(
        Scenario("one", weeks=8, visits_per_week=3.0, parameters=PARAMETERS.with_values(values)), 500, 1, FREE
    )
    orders: dict[tuple[str, int], list[tuple[float, float]]] = defaultdict(list)
    refunds: list[tuple[tuple[str, int], float, float]] = []

    def on_tick(tick: Tick) -> None:
        rows = [("send", one.kind, one.tickets, one.at, one.values) for one in tick.outcomes]
        rows += [("shopper", one.kind, one.shoppers, one.at, one.values) for one in tick.events]
        for of, kind, numbers, at, worth in rows:
            if kind in ("conversion", "purchase", "refund") and worth is not None:
                for number, hour, value in zip(numbers.tolist(), at.tolist(), worth.tolist(), strict=True):
                    if kind == "refund":
                        refunds.append(((of, number), hour, value))
                    else:
                        orders[of, number].append((hour, value))

    run_sender(world, Broadcast(3, ("email",), 10), on_tick=on_tick)
    assert {of for (of, _), _, _ in refunds} == {"send", "shopper"}
    for name, hour, value in refunds:
        assert any(worth == value and 47 <= hour - at <= 385 for at, worth in orders[name])
    total = sum(value for of in orders.values() for _, value in of)
    kept = world.margins.realised.sum() / PARAMETERS.margin / total
    assert kept == pytest.approx(0.6, abs=0.1)


def test_a_world_without_refunds_keeps_every_margin() -> None:
    scenario = Scenario("one", weeks=4, parameters=PARAMETERS.with_values({"refunding_share": 0.0}))
    world, values = World(scenario, 500, 1), []
    for _ in range(scenario.hours):
        values += [one.values for one in world.step().events if one.kind == "purchase" and one.values is not None]
    assert world.margins.realised.sum() == pytest.approx(PARAMETERS.margin * np.concatenate(values).sum())
