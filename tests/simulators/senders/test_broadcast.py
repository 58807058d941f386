"""Broadcasts: on which days they go out, and to whom."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from simulators.scenarios.scenario import find_scenario
from simulators.senders.broadcast import Broadcast
from simulators.senders.sender import run_sender
from simulators.world.deliveries import Sends
from simulators.world.world import World


@pytest.mark.parametrize("per_week", range(1, 8))
def test_a_broadcast_goes_out_on_as_many_days_as_it_says_at_its_hour(per_week: int) -> None:
    world = World(find_scenario("stationary").with_weeks(2), 50, 1)
    hours: list[int] = []

    def on_sends(hour: int, sends: Sends) -> None:
        hours.append(hour)
        assert world.consent[sends.shoppers, sends.channels].all()
        assert len(np.unique(sends.shoppers)) == len(sends)

    run_sender(world, Broadcast(per_week, ("push", "email"), 9), on_sends=on_sends)
    assert {hour % 24 for hour in hours} == {9}
    assert [sum(hour // 168 == week for hour in hours) for week in (0, 1)] == [per_week, per_week]


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: Broadcast(0, ("push",)), "per_week must lie"),
        (lambda: Broadcast(8, ("push",)), "per_week must lie"),
        (lambda: Broadcast(1, ("push",), 24), "hour must lie"),
    ],
)
def test_an_impossible_broadcast_is_refused(make: Callable[[], Broadcast], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        make()
