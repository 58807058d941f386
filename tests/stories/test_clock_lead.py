"""A clock that was ahead for a second: nothing is lost, and the service says so."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from decision_service.log.base import NewRow
from decision_service.log.sql import SqlLog
from decision_service.projection.verification import Verification
from policies.records.rows import ClockRow
from tests.decision_service.conftest import Replica, Start
from tests.factories import small_document

pytestmark = pytest.mark.anyio

LEAD_S = 5.5 * 3_600
"""A machine in India that boots in local time."""


def write_by_a_fast_clock(directory: Path) -> None:
    log = SqlLog.open(f"sqlite:///{directory}/decisions.sqlite", lambda: time.time() + LEAD_S)
    log.append([NewRow(ClockRow(time.time() + LEAD_S))])
    log.close()


async def click(service: Replica, event_id: str) -> str:
    answer = await service.post("/v1/feedback", {"event_id": event_id, "type": "click"})
    status: str = answer.json()["results"][0]["status"]
    return status


async def learn_all(service: Replica) -> None:
    service.learner.catch_up(service.rows())


async def test_after_one_row_of_a_fast_clock_clicks_are_in_time_and_deferred_sends_may_leave(
    replica: Start, tmp_path: Path
) -> None:
    document = small_document(delays_s=[0])
    for channel in document["channels"].values():
        channel["attribution_window_s"] = 3_600
    async with replica(document, clock="wall", policy="rule") as service:
        for number in range(3):
            answer = await service.decide(
                event_id=f"e-{number}", shopper_id=f"s-{number}", now=None, defer_activation=number == 0
            )
            assert answer["decision"] == "send"
        await learn_all(service)
        write_by_a_fast_clock(tmp_path)
        await learn_all(service)  # it would log that the deferred send has expired
        assert (await service.post("/v1/decisions/e-0/activate", {})).json()["deliver"] is True
        assert [await click(service, f"e-{number}") for number in range(3)] == ["accepted"] * 3
        assert (await service.post("/v1/decisions/e-1/cancel", {})).status_code == 409, "an outcome is known"
        assert service.service.log.head().watermark <= time.time()
        await learn_all(service)
        assert service.learner.progress.learned == 2, "e-1 and e-2, whose windows the lead closed"
        for name, closed in (("e-0", False), ("e-1", True)):
            explained = (await service.client.get(f"/v1/decisions/{name}")).json()
            assert explained["outcomes"][0]["late"] is False
            assert (explained["learned"]["status"] != "window_open") is closed
        report = (await service.client.get("/v1/report")).json()
        assert (report["total"]["delivered"], report["total"]["clicks"]) == (3, 3)
        await service.service.log_writer.wait_until_contained(service.rows())
        parts = service.service
        verified = await Verification(parts.log, parts.store, parts.shopper_keys).run()
        assert verified.differences == ()


async def test_a_withdrawal_behind_a_row_of_a_fast_clock_voids_what_lies_ahead(replica: Start, tmp_path: Path) -> None:
    async with replica(small_document(delays_s=[3_600]), clock="wall", policy="rule") as service:
        channel = (await service.decide(now=None))["action"]["channel"]
        write_by_a_fast_clock(tmp_path)
        body = {"consent": {channel: False}}
        assert (await service.client.put("/v1/shoppers/s-1/preferences", json=body)).status_code == 200
        assert (await service.client.get("/v1/decisions/e-1")).json()["status"] == "voided"
        answer = (await service.post("/v1/decisions/e-1/activate", {})).json()
        assert (answer["deliver"], answer["reason"]) == (False, "no_consent")


async def test_a_lead_is_corrected_although_nothing_is_written_and_the_log_says_so(
    replica: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with replica(clock="wall") as service:
        before = await corrections(service)
        write_by_a_fast_clock(tmp_path)
        await service.service.clock_watch._watch()
        assert service.service.log.head().watermark <= time.time()
        assert "ahead of this machine's clock" in caplog.text
        assert await corrections(service) == before + 1
        await service.service.clock_watch._watch()
        assert "decision_service_clock_lead_seconds 0.0" in (await service.client.get("/metrics")).text


async def corrections(service: Replica) -> float:
    lines = (await service.client.get("/metrics")).text.splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("decision_service_clock_corrections_total")))
