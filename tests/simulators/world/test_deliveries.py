"""Deliveries: when messages are seen, and by whom."""

from __future__ import annotations

import numpy as np
import pytest

from simulators.scenarios.parameters import PARAMETERS
from simulators.scenarios.scenario import Scenario
from simulators.world.world import World
from tests.simulators.world.sending import send_to

PUSH, EMAIL = 0, 1


def seen_hours(scenario: Scenario, channel: int, *, at: int, hours: int, shoppers: int = 20_000) -> np.ndarray:
    """Return the hours from a send to everybody until it is seen; inf for never."""
    world, seen = World(scenario, shoppers, 1), np.full(shoppers, np.inf)
    while world.hour < at:
        world.step()
    world.state.consent[:] = True
    send_to(world, np.arange(shoppers), channel)
    for _ in range(hours):
        for tickets, _ in world.step().chances:
            seen[tickets] = world.hour - at
    return seen


def test_some_emails_are_opened_after_72_hours() -> None:
    """1 / 25 of the e-mails that are looked at are unseen after 72 hours, 1 / 57 after a week: z < 4.5."""
    seen = seen_hours(Scenario("one", weeks=2), EMAIL, at=8, hours=170)
    looked = np.isfinite(seen).sum()
    expected = looked * (1 / 25 - 1 / 57)
    assert abs((np.isfinite(seen) & (seen > 72)).sum() - expected) < 4.5 * expected**0.5
    assert seen[np.isfinite(seen)].max() <= 169


def test_the_hour_of_sending_decides_how_many_pushes_are_seen() -> None:
    """At 23 h more than at 16 h, and at 4 h fewest; 20,000 shoppers, the differences are above ten standard errors."""
    evening, afternoon, night = (
        np.isfinite(seen_hours(Scenario("one", weeks=1), PUSH, at=24 + hour, hours=26)).mean() for hour in (23, 16, 4)
    )
    assert evening / afternoon == pytest.approx(11.4 / 7.8, abs=0.1)
    assert night < 0.7 * afternoon


def test_who_has_lapsed_looks_at_fewer_messages() -> None:
    scenarios = [
        Scenario("one", weeks=1, parameters=PARAMETERS.with_values({"lapsed_at_start": share})) for share in (0.0, 1.0)
    ]
    active, lapsed = (np.isfinite(seen_hours(one, EMAIL, at=8, hours=24)).mean() for one in scenarios)
    assert lapsed / active == pytest.approx(PARAMETERS.lapsed_looks, abs=0.05)
