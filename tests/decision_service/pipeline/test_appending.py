"""What the log accepts and what it refuses of a group: who keeps the drawn action, and whose place stays."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from decision_service.errors import DAMAGED, ServiceError
from decision_service.log.keys import decision_key
from decision_service.log.row_bodies import encode_body
from decision_service.pipeline.item import DecisionResponse
from decision_service.schemas.parsing import parse
from decision_service.schemas.requests import DecideBody
from policies.records.rows import DecisionRow
from policies.shopper.state import NEW_SHOPPER
from tests.decision_service.conftest import Replica, Start, decide_body
from tests.decision_service.log.rows import write_body
from tests.factories import NOW, decision_row, small_document

pytestmark = pytest.mark.anyio

TOKYO = "Asia/Tokyo"
NO_CHANNEL = [{"channel": "push"}, {"channel": "email"}]


def body(event_id: str, shopper_id: str = "s-1", **changes: Any) -> DecideBody:
    document = decide_body(event_id=event_id, shopper_id=shopper_id, now=None, **changes)
    return parse(DecideBody, msgspec.json.encode(document))


def decisions(service: Replica) -> dict[str, DecisionRow]:
    rows = [stored.row for stored in service.service.log.read(0, 10_000)]
    return {row.event_id: row for row in rows if isinstance(row, DecisionRow)}


async def decide_while_the_shopper_moves(
    service: Replica, bodies: Sequence[DecideBody], monkeypatch: pytest.MonkeyPatch
) -> DecisionRow:
    """Decide a list about a shopper who moves to Tokyo before its rows are written; return the last row."""
    writer, last = service.service.log_writer, bodies[-1]
    append = writer.append_all

    async def move_first(rows: Sequence[Any]) -> Any:
        monkeypatch.setattr(writer, "append_all", append)
        answer = await service.client.put(f"/v1/shoppers/{last.shopper_id}/preferences", json={"time_zone": TOKYO})
        assert answer.status_code == 200
        return await append(rows)

    monkeypatch.setattr(writer, "append_all", move_first)
    await service.service.decider.decide_list([(one, NOW) for one in bodies])
    return decisions(service)[str(last.event_id)]


async def test_a_send_behind_a_logged_hold_keeps_what_was_drawn_when_its_shopper_changes(
    replica: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with replica(small_document(), policy="rule") as service:
        alone = await decide_while_the_shopper_moves(service, [body("alone", "s-1")], monkeypatch)
        hold, send = body("hold", "s-2", exclude=NO_CHANNEL), body("behind", "s-2")
        behind = await decide_while_the_shopper_moves(service, [hold, send], monkeypatch)
        assert decisions(service)["hold"].hold_reason is not None
        assert alone.is_delivered
        assert behind.is_delivered
        assert behind.context["local_hour"] == alone.context["local_hour"]


@pytest.mark.parametrize("as_list", [True, False])
async def test_a_send_behind_one_that_brings_an_early_opt_out_is_drawn_anew(replica: Start, *, as_list: bool) -> None:
    """Also if the two are singles: both wait for the batch of another shopper, and share the next one."""
    async with replica(small_document(), policy="rule") as service:
        outcome = {"event_id": "e-1", "type": "opt_out", "now": "2026-11-21T17:00:00Z"}
        assert (await service.post("/v1/feedback", outcome)).status_code == 202
        decider, requests = service.service.decider, [(body("e-1"), NOW), (body("e-2"), NOW)]
        if as_list:
            await decider.decide_list(requests)
        else:
            await asyncio.gather(*(decider.decide(*one) for one in [(body("e-0", "s-0"), NOW), *requests]))
        first, second = decisions(service)["e-1"], decisions(service)["e-2"]
        assert first.channel is not None
        assert second.hold_reason is None
        assert second.channel not in (None, first.channel)


async def test_a_decision_behind_a_damaged_outcome_fails_alone(replica: Start, tmp_path: Path) -> None:
    async with replica(small_document(), policy="rule") as service:
        outcome = {"event_id": "e-0", "type": "click", "now": "2026-11-21T17:00:00Z"}
        assert (await service.post("/v1/feedback", outcome)).status_code == 202
        await service.service.log_writer.wait_until_contained()
        outcomes = service.service.log.find_by_event(["e-0"])
        before = write_body(tmp_path / "decisions.sqlite", outcomes[0].position, b"{")
        requests = [(body("e-0", "s-0"), NOW), (body("e-1", "s-1"), NOW)]
        damaged, whole = await service.service.decider.decide_list(requests)
        write_body(tmp_path / "decisions.sqlite", outcomes[0].position, before)
        assert isinstance(damaged, ServiceError)
        assert damaged.detail == DAMAGED
        assert isinstance(whole, DecisionResponse)
        state = await service.service.store.read(service.service.shopper_keys.key("s-0"))
        assert state.state == NEW_SHOPPER


@pytest.mark.parametrize("damaged", [b"{", encode_body(decision_row())[:-1]])
async def test_a_repeat_whose_row_is_damaged_fails_alone_and_the_places_of_logged_sends_stay(
    replica: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damaged: bytes
) -> None:
    async with replica(small_document(), policy="rule") as service:
        decider = service.service.decider
        assert (await service.decide(event_id="e-0", shopper_id="s-0", exclude=NO_CHANNEL))["decision"] == "hold"
        repeated = await decider.decide(body("e-2", "s-2"), NOW)
        (hold,) = service.service.log.find_by_key([decision_key("e-0")])
        whole = write_body(tmp_path / "decisions.sqlite", hold.position, damaged)
        released: list[str] = []
        release = service.service.store.release

        async def remember(reservations: Any) -> None:
            released.extend(one.send.event_id for one in reservations)
            await release(reservations)

        monkeypatch.setattr(service.service.store, "release", remember)
        asked = [body("e-0", "s-0"), body("e-1", "s-1"), body("e-2", "s-2")]
        results = await decider.decide_list([(one, NOW) for one in asked])
        write_body(tmp_path / "decisions.sqlite", hold.position, whole)
        assert isinstance(results[0], ServiceError)
        assert results[0].detail == DAMAGED
        assert isinstance(results[1], DecisionResponse)
        assert results[2] == DecisionResponse(repeated.body, replayed=True)
        assert "e-1" in decisions(service)
        assert "e-1" not in released
