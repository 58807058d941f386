"""Simulating over HTTP and in process: one client, the same batches, ids and seed, the same decisions."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from decision_service.cli.remote_shop import RemoteShop
from policies.catalogue.rulebook import Rulebook
from policies.models.learned import DEFAULT
from simulators.experiments.decision_log import DecisionOutcomes
from simulators.experiments.simulation import Simulation
from simulators.scenarios.report_rules import ReportRules
from simulators.scenarios.scenario import Scenario
from simulators.shops.base import Arrival, Outcome, Shop, SimulatedTrigger
from simulators.shops.learning import LearningPolicy
from simulators.shops.local import LocalShop
from simulators.world.messages import Messages
from simulators.world.world import World
from tests.conftest import RealRedis
from tests.decision_service.cli.test_command_line import run_replica
from tests.factories import NOW

SEED = 1
WRONG = ReportRules(
    attribution="any_touch",
    window_h=48.0,
    machine_opens=0.3,
    machine_clicks=0.2,
    missing=0.1,
    late=0.2,
    repeated=0.2,
    wrong_zones=0.5,
    zone_error_h=-3.0,
)
BUSY = Scenario("busy", weeks=2, visits_per_week=8.0, reports=WRONG)


def run_busy_world(shop: Shop, rulebook: Rulebook) -> list[DecisionOutcomes]:
    world = World(BUSY, 60, SEED, Messages.of(rulebook))
    return Simulation(shop, world, rulebook, "busy-1").run()


@pytest.mark.anyio
async def test_over_http_and_in_process_the_decisions_are_the_same(tmp_path: Path, redis: RealRedis) -> None:
    async with run_replica(tmp_path, redis, "request") as url:

        def over_http() -> tuple[list[DecisionOutcomes], Rulebook]:
            with RemoteShop.connect(url) as shop:
                rulebook = Rulebook.of(shop.catalogue(), 1)
                return run_busy_world(shop, rulebook), rulebook

        remote, rulebook = await anyio.to_thread.run_sync(over_http)
    policy_source = LearningPolicy(rulebook, DEFAULT)
    local = run_busy_world(LocalShop(policy_source, rulebook, str(SEED).encode()), rulebook)
    assert [record.action for record in remote] == [record.action for record in local]
    assert remote == local
    assert policy_source.learned_count > 100, "nothing was learned: the two could not have differed"
    assert len({record.action for record in local}) > 20


@pytest.mark.anyio
async def test_equal_outcomes_of_a_long_list_are_all_taken(tmp_path: Path, redis: RealRedis) -> None:
    """The list goes to the service in several calls. A result that is not `accepted` or `late` raises."""
    async with run_replica(tmp_path, redis, "request") as url:

        def report() -> None:
            with RemoteShop.connect(url) as shop:
                shop.decide([Arrival("e-1", "s-1", (SimulatedTrigger("cart_abandoned"),), NOW)])
                shop.record_outcomes([Outcome("e-1", "open", NOW)] * 1_001, NOW)

        await anyio.to_thread.run_sync(report)
