"""Reports of a running service: what a simulated run did, beside requests that are answered meanwhile."""

from __future__ import annotations

import asyncio
import threading
import tracemalloc
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import httpx2
import msgspec
import pytest

from decision_service.cli.remote_shop import RemoteShop
from decision_service.commands.erasure import AnonymousRows
from decision_service.log.base import EventLog, NewRow, StoredRow
from decision_service.log.sql import SqlLog
from decision_service.queries.report import reporter
from decision_service.queries.report.grouping import GROUPINGS
from decision_service.queries.report.reporter import ReportAnswer, Reporter, ReportQuery
from decision_service.state.shopper_keys import ShopperKeys
from policies.catalogue.action_space import JointAction
from policies.catalogue.rulebook import Rulebook
from policies.records.rows import PreferencesRow, Row
from simulators.experiments.decision_log import DecisionOutcomes
from simulators.replay.purchases import Purchase
from simulators.replay.replay import Replay
from simulators.replay.replay_world import scenario_of, world_of
from simulators.shops.base import Arrival, Outcome
from tests.conftest import RealRedis
from tests.decision_service.cli.test_command_line import run_replica
from tests.decision_service.conftest import Start
from tests.decision_service.queries.report.logs import HOURS, catalogue, decision, hold
from tests.factories import NOW, small_document

pytestmark = pytest.mark.anyio

SHOPPER_KEYS = ShopperKeys(b"secret")
PURCHASES = [
    Purchase(f"i{number}", f"s{number * 7 % 40}", NOW + number * 1_200.0, 10.0 + number % 30, "Lantern")
    for number in range(150)
]


class WatchedShop(RemoteShop):
    """Keeps a book of it reports to the service: the truth that reports are held against."""

    def __init__(self, client: httpx2.Client) -> None:
        super().__init__(client)
        self.reported: list[Outcome] = []
        self.arrived: dict[str, Arrival] = {}

    def limit(self, sends_per_week: int) -> None:
        """Tighten the catalogue, so that some decisions hold."""
        document = self._client.get("/v1/catalog").json()
        caps = [{"max": sends_per_week, "window_s": 7 * 86_400}]
        assert self._client.put("/v1/catalog", json=document | {"caps": caps}).status_code == 200

    def record_outcomes(self, outcomes: Sequence[Outcome], now: float) -> None:
        self.reported += outcomes
        super().record_outcomes(outcomes, now)

    def decide(self, arrivals: Sequence[Arrival]) -> list[JointAction | None]:
        self.arrived |= {arrival.event_id: arrival for arrival in arrivals}
        return super().decide(arrivals)


def true_figures(records: dict[str, DecisionOutcomes], outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Count what a run did, from the simulator's own book."""
    left = {event_id for event_id, record in records.items() if record.action is not None and record.delivered}
    clicked = {outcome.event_id for outcome in outcomes if outcome.type == "click"} & left
    orders = [outcome.value for outcome in outcomes if outcome.type == "conversion" and outcome.event_id in left]
    out = {outcome.event_id for outcome in outcomes if outcome.type == "opt_out" and outcome.event_id in records}
    sends = sum(record.action is not None for record in records.values())
    return {
        "decisions": len(records),
        "sends": sends,
        "delivered": len(left),
        "clicks": len(clicked),
        "ctr": pytest.approx(len(clicked) / len(left)) if left else None,
        "conversions": len(orders),
        "opt_outs": len(out),
        "opt_outs_per_1000_sends": pytest.approx(1000 * len(out) / sends) if sends else None,
        "revenue": pytest.approx(sum(orders)),
        "revenue_per_notification": pytest.approx(sum(orders) / len(left)) if left else None,
    }


async def test_a_report_equals_what_a_simulated_run_did(tmp_path: Path, redis: RealRedis) -> None:
    async with run_replica(tmp_path, redis, "request") as url:

        def run() -> None:
            with WatchedShop.connect(url) as shop:
                assert isinstance(shop, WatchedShop)
                shop.limit(sends_per_week=3)
                irritable = replace(scenario_of(PURCHASES), irritability=100.0)
                rulebook = Rulebook.of(shop.catalogue(), 1)
                world = world_of(PURCHASES, rulebook, 5, irritable)
                records = Replay(shop, world, rulebook, PURCHASES, "replay-5").run()
                with httpx2.Client(base_url=url, timeout=60.0) as client:
                    check(shop, {record.event_id: record for record in records}, client)

        await anyio.to_thread.run_sync(run)


def check(shop: WatchedShop, records: dict[str, DecisionOutcomes], client: httpx2.Client) -> None:
    def report(by: str) -> dict[str, Any]:
        answer = client.get("/v1/report", params={"by": by})
        assert answer.status_code == 200, answer.text
        content: dict[str, Any] = answer.json()
        return content

    outcomes = shop.reported
    whole = report("channel")
    truth = true_figures(records, outcomes)
    assert {name: whole["total"][name] for name in truth} == truth
    assert truth["clicks"] > 0
    assert truth["opt_outs"] > 0
    assert truth["decisions"] > truth["sends"]
    groups: dict[str, dict[str, str | int | None]] = {
        "channel": {name: record.action.channel if record.action else None for name, record in records.items()},
        "message": {name: record.action.message if record.action else None for name, record in records.items()},
        "trigger": {name: arrival.triggers[0].type for name, arrival in shop.arrived.items()},
        "hour": {name: int(record.at // 3600) % 24 for name, record in records.items()},
    }
    for by, group_of in groups.items():
        rows = {row["group"]: row for row in report(by)["rows"]}
        assert rows.keys() == set(group_of.values())
        for group, row in rows.items():
            members = {name: record for name, record in records.items() if group_of[name] == group}
            expected = true_figures(members, outcomes)
            assert {name: row[name] for name in expected} == expected, (by, group)
    bought = Counter(purchase.shopper for purchase in PURCHASES)
    assert whole["orders"] == len(PURCHASES)
    assert whole["shoppers"] == len(bought)
    assert whole["repeat_purchase_rate"] == sum(count > 1 for count in bought.values()) / len(bought)
    assert whole["average_order_value"] == pytest.approx(sum(p.value for p in PURCHASES) / len(PURCHASES))


# -- reading ---------------------------------------------------------------------------------------


def log_of(path: Path, rows: Sequence[Row]) -> SqlLog:
    log = SqlLog.open(f"sqlite:///{path / 'log.sqlite'}")
    for first in range(0, len(rows), 2_000):
        log.append([NewRow(row) for row in rows[first : first + 2_000]])
    return log


async def test_a_report_does_not_depend_on_the_batches_it_is_read_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: list[Row] = [catalogue()]
    for number in range(30):
        rows.append(decision(f"e-{number}", at=number * HOURS, send_at=number * HOURS))
        rows.append(hold(f"h-{number}", "policy", at=number * HOURS))
    log = log_of(tmp_path, rows)
    query = ReportQuery(by="hour")
    whole = await Reporter(log, SHOPPER_KEYS).report(query)
    monkeypatch.setattr(reporter, "_BATCH", 7)
    assert await Reporter(log, SHOPPER_KEYS).report(query) == whole
    assert whole["total"].decisions == 60
    assert [row["group"] for row in whole["rows"]] == list(range(24))
    assert whole["rows"][0].items() >= {"decisions": 4, "sends": 2}.items()
    assert whole["log_position"] == 61
    log.close()


async def test_a_span_takes_its_start_in_and_its_end_out(replica: Start) -> None:
    async with replica(small_document(), policy="rule") as service:
        for number, now in enumerate(("2026-11-21T17:00:00Z", "2026-11-21T18:00:00Z", "2026-11-21T19:00:00Z")):
            await service.decide(event_id=f"e-{number}", now=now)
        span = {"from": "2026-11-21T18:00:00Z", "to": "2026-11-21T20:00:00+01:00", "by": "hour"}
        report = (await service.client.get("/v1/report", params=span)).json()
        assert [(row["group"], row["decisions"]) for row in report["rows"]] == [(18, 1)]
        assert (report["from"], report["to"]) == ("2026-11-21T18:00:00Z", "2026-11-21T19:00:00Z")
        assert msgspec.convert(report, ReportAnswer).total.decisions == 1


async def test_every_grouping_adds_up_to_the_total(replica: Start) -> None:
    async with replica(small_document(caps=[{"max": 2, "window_s": 86_400}])) as service:
        for number in range(12):
            answer = await service.decide(event_id=f"e-{number}", shopper_id=f"s-{number % 4}")
            if answer["decision"] == "send":
                order = {"event_id": f"e-{number}", "type": "conversion", "value": 1.25 * number}
                await service.post("/v1/feedback", {"events": [order | {"type": "click", "value": 0}, order]})
        total = (await service.client.get("/v1/report")).json()["total"]
        assert total["sends"] == 8
        assert total["holds"] == {"no_eligible_action": 4}
        for by in GROUPINGS:
            rows = (await service.client.get(f"/v1/report?by={by}")).json()["rows"]
            for column in ("decisions", "sends", "delivered", "clicks", "conversions", "opt_outs", "revenue"):
                assert sum(row[column] for row in rows) == pytest.approx(total[column]), (by, column)


class GatedLog(SqlLog):
    """A log whose reading waits for a gate: it shows who waits with it."""

    gate = threading.Event()

    def read(self, after: int, limit: int, kinds: Collection[str] | None = None) -> list[StoredRow]:
        assert self.gate.wait(60)
        return super().read(after, limit, kinds)


async def test_other_requests_are_answered_while_a_report_is_made(tmp_path: Path) -> None:
    log_of(tmp_path, [catalogue(), decision("e")]).close()
    log = GatedLog.open(f"sqlite:///{tmp_path / 'log.sqlite'}")
    assert isinstance(log, GatedLog)
    makes = Reporter(log, SHOPPER_KEYS)
    query = ReportQuery(by="channel")
    # More reports than threads: those that wait must not hold the threads that decisions need.
    reports = [asyncio.create_task(makes.report(query)) for _ in range(100)]
    await asyncio.sleep(0)
    assert await asyncio.to_thread(log.head)
    log.gate.set()
    assert {report["total"].sends for report in await asyncio.gather(*reports)} == {1}
    log.close()


class CountingLog(SqlLog):
    """A log that counts how often it is read from its beginning."""

    passes = 0

    def read(self, after: int, limit: int, kinds: Collection[str] | None = None) -> list[StoredRow]:
        self.passes += after == 0 and kinds is None
        return super().read(after, limit, kinds)


async def test_reports_that_are_asked_for_at_the_same_time_share_a_pass_over_the_log(tmp_path: Path) -> None:
    rows: list[Row] = [catalogue()]
    for number in range(40):
        rows.append(decision(f"e-{number}", at=number * HOURS, send_at=number * HOURS))
    log_of(tmp_path, rows).close()
    log = CountingLog.open(f"sqlite:///{tmp_path / 'log.sqlite'}")
    assert isinstance(log, CountingLog)
    later = ReportQuery.model_validate_json('{"from": "2026-11-21T00:00:00Z"}')
    queries = [ReportQuery(), later, *(ReportQuery(by=by) for by in GROUPINGS), ReportQuery()]
    alone = [await Reporter(log, SHOPPER_KEYS).report(query) for query in queries]
    log.passes, together = 0, Reporter(log, SHOPPER_KEYS)
    assert await asyncio.gather(*(together.report(query) for query in queries)) == alone
    assert log.passes == 1
    log.close()


def peak_memory(log: EventLog) -> int:
    """Measure what a report takes that is about none of the decisions."""
    query = ReportQuery.model_validate_json('{"from": "2026-11-21T00:00:00Z"}')
    asyncio.run(Reporter(log, SHOPPER_KEYS).report(query))  # whatever is loaded once
    tracemalloc.start()
    asyncio.run(Reporter(log, SHOPPER_KEYS).report(query))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def test_memory_does_not_grow_with_the_length_of_the_log(tmp_path: Path) -> None:
    peaks = []
    for length in (2_000, 8_000):
        path = tmp_path / str(length)
        path.mkdir()
        log = log_of(path, [decision(f"e-{number}") for number in range(length)])
        peaks.append(peak_memory(log))
        log.close()
    assert peaks[1] < 1.2 * peaks[0]


class OvertakenLog(SqlLog):
    """A log whose shopper is erased as soon as the first rows were read."""

    is_erased = False

    def read(self, after: int, limit: int, kinds: Collection[str] | None = None) -> list[StoredRow]:
        rows = super().read(after, limit, kinds)
        if not self.is_erased:
            self.is_erased = True
            self.rewrite("s-1", AnonymousRows(SHOPPER_KEYS.key("s-1"), 8 * HOURS))
        return rows


async def test_a_report_that_an_erasure_overtakes_knows_what_was_withdrawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = decision("e", send_at=5 * HOURS, window_ends_at=9 * HOURS)
    log_of(tmp_path, [catalogue(), sent, PreferencesRow(3 * HOURS, "s-1", {"push": False})]).close()
    log = OvertakenLog.open(f"sqlite:///{tmp_path / 'log.sqlite'}")
    monkeypatch.setattr(reporter, "_BATCH", 2)  # up to the send
    report = await Reporter(log, SHOPPER_KEYS).report(ReportQuery())
    assert log.find_by_shopper("s-1", 9) == []
    assert (report["total"].delivered, report["total"].undelivered) == (0, {"voided": 1})
    log.close()
