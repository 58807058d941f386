"""Every fold of the log agrees on which sends count, in whatever order the rows come (request clock)."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any

import pytest

from policies.learning.attribution import Attribution
from policies.records.rows import DecisionRow, Row, decode
from tests.decision_service.conftest import Replica, Start
from tests.factories import DAY_S, NOW, small_document
from tests.reference.auditor import audit

pytestmark = pytest.mark.anyio

HOUR_S = 3_600.0
SHOPPERS = ("s-1", "s-2", "s-3")
CHANNELS = ("push", "email")


def iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


def document() -> dict[str, Any]:
    """Short windows and long delays: some sends lie ahead while the windows of others have closed already."""
    catalogue = small_document(delays_s=[0, 14_400, 43_200])
    for channel in CHANNELS:
        catalogue["channels"][channel] |= {"attribution_window_s": 3_600, "cost": 0.5}
    return catalogue


async def live(service: Replica, seed: int, steps: int = 80) -> None:
    """Let shoppers decide, opt out and change their minds, each by a clock that runs behind or ahead of the others'."""
    chance, sent = random.Random(seed), []
    for number in range(steps):
        shopper_id = chance.choice(SHOPPERS)
        now = iso(NOW + (number / 4 + chance.uniform(-4, 4)) * HOUR_S)
        what = chance.choice([*["decide"] * 6, *["prefer"] * 3, "click", "opt_out", "complaint"])
        if what == "decide":
            answer = await service.decide(event_id=f"e-{number}", shopper_id=shopper_id, now=now)
            sent += [answer["event_id"]] * (answer["decision"] == "send")
        elif what == "prefer":
            consent = {channel: chance.random() < 0.7 for channel in CHANNELS}
            body = {"consent": consent, "now": now}
            assert (await service.client.put(f"/v1/shoppers/{shopper_id}/preferences", json=body)).status_code == 200
        elif sent:
            outcome = {"event_id": chance.choice(sent), "type": what, "now": now}
            assert (await service.post("/v1/feedback", outcome)).status_code == 202
    await service.post("/v1/clock", {"now": iso(NOW + 5 * DAY_S)})


def find_learned_sends(service: Replica, rows: list[tuple[int, Row]]) -> set[str]:
    def find_events(event_ids: Any) -> dict[str, list[tuple[int, Row]]]:
        return {
            name: [(position, row) for position, row in rows if getattr(row, "event_id", None) == name]
            for name in event_ids
        }

    attribution = Attribution(find_events)
    sends = {interaction.event_id for position, row in rows for interaction in attribution.advance(position, row)}
    assert service.learner.progress.learned == len(sends)
    return sends


@pytest.mark.parametrize("seed", range(3))
async def test_all_folds_agree_on_what_was_sent(replica: Start, seed: int) -> None:
    async with replica(document(), policy="uniform") as service:
        await live(service, seed)
        parts = service.service
        rows = [(row.position, decode(row.body)) for row in parts.log.read(0, 10_000)]
        counted = find_learned_sends(service, rows)
        sends = {row.event_id for _, row in rows if isinstance(row, DecisionRow) and row.is_delivered}
        assert 5 < len(counted) < len(sends)
        statuses = {name: (await service.client.get(f"/v1/decisions/{name}")).json()["status"] for name in sends}
        assert {name for name, status in statuses.items() if status == "sent"} == counted
        states = [(await parts.store.read(parts.shopper_keys.key(shopper_id))).state for shopper_id in SHOPPERS]
        assert {send.event_id for state in states for send in state.sends} == counted
        assert sum((await parts.store.spending()).values()) == 500_000 * len(counted)
        audited = audit(rows).reservations(NOW + 5 * DAY_S)
        assert {place.event_id for places in audited.values() for place in places} == counted
        report = (await service.client.get("/v1/report")).json()["total"]
        assert (report["delivered"], report["undelivered"]["voided"]) == (len(counted), len(sends) - len(counted))
