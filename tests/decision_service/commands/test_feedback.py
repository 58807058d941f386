"""Feedback: what is a repeat, and that no withdrawal is lost to a mistake beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policies.records.outcomes import OUTCOME_TYPES, TAKING_BACK, VALUED, WITHDRAWALS
from policies.records.rows import OutcomeRow
from tests.decision_service.conftest import Replica, Start
from tests.decision_service.log.rows import write_body
from tests.factories import small_document

pytestmark = pytest.mark.anyio

AHEAD = "2100-01-01T00:00:00Z"
PREFERENCES = "/v1/shoppers/s-1/preferences"


async def statuses(service: Replica, *items: Any) -> list[str]:
    answer = await service.post("/v1/feedback", {"events": list(items)})
    assert answer.status_code == 202, answer.text
    return [result["status"] for result in answer.json()["results"]]


async def consents(service: Replica, channel: str) -> bool:
    preferences = (await service.client.get(PREFERENCES)).json()
    return bool(preferences["consent"][channel])


def outcome(kind: str, feedback_id: str | None = "m-1", **fields: Any) -> dict[str, Any]:
    identity = {} if feedback_id is None else {"feedback_id": feedback_id}
    return {"event_id": "e-1", "type": kind, **identity, **fields}


async def test_a_damaged_decision_or_outcome_harms_no_other_outcome(replica: Start, tmp_path: Path) -> None:
    async with replica(small_document(), policy="rule") as service:
        for number in (1, 2):
            await service.decide(event_id=f"e-{number}", shopper_id=f"s-{number}")
        log, click = service.service.log, outcome("click") | {"event_id": "e-2"}
        assert await statuses(service, click) == ["accepted"]
        await service.service.log_writer.wait_until_contained()
        (decided,) = log.find_by_event(["e-1"])
        damaged = [decided.position, log.head().position]
        before = [write_body(tmp_path / "decisions.sqlite", position, b"{") for position in damaged]
        other = outcome("open") | {"event_id": "e-2"}
        assert await statuses(service, outcome("click"), click, other) == ["invalid", "duplicate", "accepted"]
        for position, body in zip(damaged, before, strict=True):
            write_body(tmp_path / "decisions.sqlite", position, body)


# -- repeats --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", sorted(WITHDRAWALS))
async def test_a_withdrawal_under_the_id_of_another_outcome_is_no_duplicate(replica: Start, kind: str) -> None:
    """Many callers use the id of the message for everything that happens to it."""
    async with replica(policy="rule") as service:
        channel = (await service.decide())["action"]["channel"]
        assert await statuses(service, outcome("delivered"), outcome(kind), outcome(kind)) == [
            *("accepted", "accepted", "duplicate")
        ]
        assert not await consents(service, channel)


async def test_a_permanent_bounce_and_a_click_of_a_person_are_other_facts(replica: Start) -> None:
    async with replica() as service:
        await service.decide()
        items = [outcome("click", machine=True), outcome("click"), outcome("bounce"), outcome("bounce", permanent=True)]
        assert await statuses(service, *items, *items) == ["accepted"] * 4 + ["duplicate"] * 4


VALUES = [None, 60, 60.0, 61.5]
TIMES = [None, "2026-11-21T17:10:00Z", "2026-11-21T18:10:00+01:00", "2026-11-21T17:20:00Z", "2026-11-21T17:00:00Z"]


@st.composite
def items(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(["delivered", "click", "complaint", "conversion", "refund"]))
    fields = {
        "feedback_id": draw(st.sampled_from([None, "f-1", "f-2"])),
        "at": draw(st.sampled_from(TIMES)),
        "value": draw(st.sampled_from(VALUES)) if kind in VALUED else None,
    }
    return {"type": kind, **{name: value for name, value in fields.items() if value is not None}}


def instant(item: dict[str, Any]) -> str | None:
    at = item.get("at")
    return "2026-11-21T17:10:00Z" if at == "2026-11-21T18:10:00+01:00" else at


def expected_status(item: dict[str, Any], stored: list[dict[str, Any]]) -> str:
    """Say the contract's paragraph on `duplicate` in plain words."""
    kind, is_valued = item["type"], item["type"] in VALUED
    if is_valued and "feedback_id" not in item and "at" not in item:
        return "invalid"
    for other in (other for other in stored if other["type"] == kind):
        if "feedback_id" in item and item["feedback_id"] == other.get("feedback_id"):
            if not is_valued:
                return "duplicate"
            times = {instant(item), instant(other)} - {None}
            is_equal = item.get("value", 0) == other.get("value", 0) and len(times) < 2
            return "duplicate" if is_equal else "invalid"
        is_nameless = "feedback_id" not in item and "feedback_id" not in other
        same_time = (instant(item) or "2026-11-21T17:00:00Z") == (instant(other) or "2026-11-21T17:00:00Z")
        if is_nameless and same_time and item.get("value", 0) == other.get("value", 0):
            return "duplicate"
    return "accepted"


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(histories=st.lists(st.lists(items(), max_size=8), min_size=15, max_size=15))
async def test_repeats_are_what_the_contract_says(replica: Start, histories: list[list[dict[str, Any]]]) -> None:
    async with replica(small_document(), policy="rule") as service:
        begin = service.rows()
        for number, history in enumerate(histories):
            event_id = f"e-{begin}-{number}"
            await service.decide(event_id=event_id, shopper_id=event_id, now="2026-11-21T17:00:00Z")
            stored: list[dict[str, Any]] = []
            for item in history:
                body = {"events": [{"event_id": event_id, **item}], "now": "2026-11-21T17:00:00Z"}
                result = (await service.post("/v1/feedback", body)).json()["results"][0]
                expected = expected_status(item, stored)
                assert result["status"] == expected, (item, stored)
                if expected == "accepted":
                    stored.append(item)


async def test_an_id_names_one_sum_of_money(replica: Start) -> None:
    async with replica() as service:
        await service.decide()
        order = outcome("conversion", value=60, at="2026-11-21T17:05:00Z")
        answer = await service.post("/v1/feedback", {"events": [order, order | {"value": 60.5}, outcome("refund")]})
        assert [result["status"] for result in answer.json()["results"]] == ["accepted", "invalid", "accepted"]
        assert answer.json()["results"][1]["field"] == "value"
        other_time = await service.post("/v1/feedback", order | {"at": "2026-11-21T17:06:00Z"})
        assert (other_time.status_code, other_time.json()["errors"][0]["field"]) == (422, "at")


async def test_an_order_reported_three_times_counts_once(replica: Start) -> None:
    async with replica(policy="rule") as service:
        await service.decide()
        nameless = outcome("conversion", None, value=60)
        assert await statuses(service, nameless, nameless) == ["invalid", "invalid"]
        dated = nameless | {"at": "2026-11-21T17:05:00Z"}
        assert await statuses(service, dated, dated | {"value": 60.0}, dated) == ["accepted", "duplicate", "duplicate"]
        assert (await service.client.get("/v1/report")).json()["total"]["revenue"] == 60


# -- withdrawals ----------------------------------------------------------------------------------

BESIDE: list[tuple[dict[str, Any], str]] = [
    ({"at": "yesterday"}, "at"),
    ({"at": 1_795_280_400}, "at"),
    ({"at": "2300-01-01T00:00:00Z"}, "at"),
    ({"feedback_id": 7}, "feedback_id"),
    ({"feedback_id": "x" * 256}, "feedback_id"),
    ({"value": 3}, "value"),
    ({"value": 10**400}, "value"),
    ({"value": float("nan")}, "value"),
    ({"machine": True}, "machine"),
    ({"permanent": True}, "permanent"),
    ({"currency": "EUR"}, "currency"),
    ({"colour": "red"}, "colour"),
    ({"campaign": {"id": [1, None]}}, "campaign"),
    ({"reason": "stop it \ud83d"}, "reason"),
]


@pytest.mark.parametrize("kind", sorted(WITHDRAWALS))
async def test_a_withdrawal_is_taken_whatever_stands_beside_it(replica: Start, kind: str) -> None:
    async with replica(policy="rule", clock="wall") as service:
        for number, (beside, field) in enumerate(BESIDE):
            event_id, shopper_id = f"e-{number}", f"s-{number}"
            channel = (await service.decide(event_id=event_id, shopper_id=shopper_id, now=None))["action"]["channel"]
            item = {"event_id": event_id, "type": kind, **beside}
            raw = json.dumps(item if number % 2 else {"events": [item]}).encode()
            answer = await service.client.post("/v1/feedback", content=raw)
            assert answer.status_code == 202, (beside, answer.text)
            (result,) = answer.json()["results"]
            assert result["status"] == "accepted", beside
            assert [ignored["field"] for ignored in result["ignored"]] == [field]
            preferences = (await service.client.get(f"/v1/shoppers/{shopper_id}/preferences")).json()
            assert preferences["consent"][channel] is False, beside


@pytest.mark.parametrize("kind", sorted(WITHDRAWALS))
async def test_a_withdrawal_by_a_clock_that_is_fast_is_dated_now(replica: Start, kind: str) -> None:
    async with replica(policy="rule", clock="wall") as service:
        channel = (await service.decide(now=None))["action"]["channel"]
        answer = await service.post("/v1/feedback", {"event_id": "e-1", "type": kind, "at": AHEAD})
        assert answer.json() == {"accepted": 1, "results": [{"status": "accepted"}]}
        assert not await consents(service, channel)
        (row,) = [stored.row for stored in service.service.log.read(0, 100) if isinstance(stored.row, OutcomeRow)]
        assert row.occurred_at <= row.at


async def test_a_body_that_is_refused_still_takes_its_withdrawals(replica: Start) -> None:
    async with replica(policy="rule", clock="wall") as service:
        channel = (await service.decide(now=None))["action"]["channel"]
        opt_out = {"event_id": "e-1", "type": "opt_out"}
        refused = await service.post("/v1/feedback", {"events": [outcome("click"), opt_out], "batch": 7})
        assert refused.status_code == 422
        assert [error["field"] for error in refused.json()["errors"]] == ["batch"]
        assert refused.json()["applied"] == ["events.1"]
        assert not await consents(service, channel)
        again = await service.post("/v1/feedback", {**opt_out, "type": "complaint", "now": "2026-11-21T17:00:00Z"})
        assert again.status_code == 202
        assert [ignored["field"] for ignored in again.json()["results"][0]["ignored"]] == ["now"]
        assert await statuses(service, outcome("click")) == ["accepted"], "nothing else of the refused body was taken"


UNREADABLE_VALUES = [b'"\\ud83d"', b'"\xe9"', b"NaN", b"9" * 5_000, b"[" * 300 + b"]" * 300]


@pytest.mark.parametrize("value", UNREADABLE_VALUES)
async def test_a_field_that_is_no_json_beside_the_list_loses_no_withdrawal(replica: Start, value: bytes) -> None:
    async with replica(policy="rule", clock="wall") as service:
        channel = (await service.decide(now=None))["action"]["channel"]
        items = b'[{"event_id": "e-1", "type": "click"}, {"event_id": "e-1", "type": "opt_out"}]'
        refused = await service.client.post("/v1/feedback", content=b'{"events": %b, "note": %b}' % (items, value))
        assert (refused.status_code, refused.json().get("applied")) == (422, ["events.1"])
        assert not await consents(service, channel)
        assert await statuses(service, outcome("click")) == ["accepted"], "nothing else of the refused body was taken"


@pytest.mark.parametrize("value", UNREADABLE_VALUES)
async def test_a_now_that_is_no_json_loses_no_single_withdrawal(replica: Start, value: bytes) -> None:
    async with replica(policy="rule", clock="wall") as service:
        channel = (await service.decide(now=None))["action"]["channel"]
        body = b'{"event_id": "e-1", "type": "opt_out", "now": %b}' % value
        answer = await service.client.post("/v1/feedback", content=body)
        assert answer.status_code == 202, answer.text
        assert [ignored["field"] for ignored in answer.json()["results"][0]["ignored"]] == ["now"]
        assert not await consents(service, channel)


@pytest.mark.parametrize("kind", sorted(WITHDRAWALS))
async def test_a_withdrawal_of_a_hold_is_refused(replica: Start, kind: str) -> None:
    """It was sent on no channel; preferences can say it."""
    async with replica() as service:
        everything = [{"channel": channel} for channel in ("push", "email", "sms", "webpush", "inapp")]
        assert (await service.decide(exclude=everything))["decision"] == "hold"
        alone = await service.post("/v1/feedback", outcome(kind))
        assert (alone.status_code, alone.json()["errors"][0]["field"]) == (422, "event_id")
        assert await statuses(service, outcome(kind), outcome("click")) == ["invalid", "accepted"]


@pytest.mark.parametrize("event_id", [None, 7, "", "x" * 256, "a\x00"])
async def test_a_withdrawal_without_a_readable_decision_is_refused(replica: Start, event_id: Any) -> None:
    async with replica() as service:
        assert await statuses(service, {"event_id": event_id, "type": "opt_out"}) == ["invalid"]


# -- lists ----------------------------------------------------------------------------------------

UNREADABLE = [
    b'{"event_id": "e-1", "type": "click", "feedback_id": "\\ud83d"}',
    b'{"event_id": "e-1", "type": "click", "feedback_id": "\xf0\x9f"}',
    b'{"event_id": "e-1", "type": "conversion", "value": NaN}',
    b'{"event_id": "e-1", "type": "conversion", "value": 1e999}',
    b'{"event_id": "e-1", "type": "conversion", "value": ' + b"9" * 5_000 + b"}",
    b'"click"',
    b"null",
    b"[]",
]


@pytest.mark.parametrize("item", UNREADABLE)
async def test_an_item_that_cannot_be_read_fails_alone(replica: Start, item: bytes) -> None:
    async with replica(small_document()) as service:
        await service.decide()
        good = b'{"event_id": "e-1", "type": "open"}'
        answer = await service.client.post("/v1/feedback", content=b'{"events": [%b, %b]}' % (item, good))
        assert answer.status_code == 202, answer.text
        assert [result["status"] for result in answer.json()["results"]] == ["invalid", "accepted"]


# -- what outcomes mean ---------------------------------------------------------------------------


async def test_a_permanent_bounce_makes_the_channel_unreachable_until_preferences_say_otherwise(
    replica: Start,
) -> None:
    async with replica(small_document(delays_s=[0]), policy="rule") as service:
        channel = (await service.decide())["action"]["channel"]
        assert await statuses(service, outcome("bounce", permanent=True)) == ["accepted"]
        excluded = (await service.decide(event_id="e-2"))["excluded"]
        assert {part["channel"] for part in excluded if part["reason"] == "unreachable"} == {channel}
        later = "2026-11-21T17:00:01Z"
        await service.client.put(PREFERENCES, json={"reachable": {channel: True}, "now": later})
        assert (await service.decide(event_id="e-3", now=later))["excluded"] == []


async def test_a_permanent_bounce_counts_also_when_it_is_late_or_early(replica: Start) -> None:
    early = {"event_id": "e-2", "type": "bounce", "permanent": True, "now": "2026-11-21T17:00:00Z"}
    async with replica(small_document(delays_s=[0]), policy="rule") as service:
        channel = (await service.decide())["action"]["channel"]
        late = outcome("bounce", permanent=True, at="2026-11-29T17:00:00Z")
        assert await statuses(service, late) == ["late"]
        reachable = (await service.client.get(PREFERENCES)).json()["reachable"]
        assert reachable[channel] is False
        assert (await service.client.get("/v1/decisions/e-1")).json()["status"] == "sent"
        await service.post("/v1/feedback", early)
        channel = (await service.decide(event_id="e-2", shopper_id="s-2"))["action"]["channel"]
        reachable = (await service.client.get("/v1/shoppers/s-2/preferences")).json()["reachable"]
        assert reachable[channel] is False


@pytest.mark.parametrize(
    ("kind", "reason"), [("opt_out", "no_consent"), ("complaint", "no_consent"), ("bounce", "bounced")]
)
async def test_only_the_gate_stops_a_send_that_an_early_outcome_speaks_against(
    replica: Start, kind: str, reason: str
) -> None:
    async with replica(small_document(delays_s=[0]), policy="rule") as service:
        early = {"events": [outcome(kind)], "now": "2026-11-21T17:00:00Z"}
        assert (await service.post("/v1/feedback", early)).json()["results"] == [{"status": "unknown"}]
        assert (await service.decide())["decision"] == "send"
        gate = await service.post("/v1/decisions/e-1/activate", {"now": "2026-11-21T17:00:00Z"})
        assert gate.json() == {"deliver": False, "reason": reason}


async def test_what_a_machine_did_is_reported_apart_and_counts_nowhere_else(replica: Start) -> None:
    async with replica(policy="rule") as service:
        await service.decide()
        before = (await service.client.get("/v1/shoppers/s-1")).json()["features"]
        items = [outcome("open", machine=True), outcome("click", machine=True)]
        assert await statuses(service, *items) == ["accepted", "accepted"]
        assert (await service.client.get("/v1/shoppers/s-1")).json()["features"] == before
        explained = (await service.client.get("/v1/decisions/e-1")).json()
        assert [entry["machine"] for entry in explained["outcomes"]] == [True, True]
        assert explained["reward"]["gain"] == 0
        total = (await service.client.get("/v1/report")).json()["total"]
        assert (total["clicks"], total["machine_opens"], total["machine_clicks"]) == (0, 1, 1)


async def test_a_refund_is_taken_off_the_order(replica: Start) -> None:
    async with replica(policy="rule") as service:
        await service.decide()
        orders = [outcome("conversion", "o-1", value=60), outcome("conversion", "o-2", value=20)]
        assert await statuses(service, *orders, outcome("refund", "o-1", value=50)) == ["accepted"] * 3
        explained = (await service.client.get("/v1/decisions/e-1")).json()
        assert explained["reward"]["gain"] == pytest.approx(0.3 * 30)
        total = (await service.client.get("/v1/report")).json()["total"]
        assert (total["conversions"], total["revenue"], total["refunds"], total["refunded"]) == (2, 30, 1, 50)
        assert await statuses(service, outcome("refund", "o-2", value=500)) == ["accepted"]
        assert (await service.client.get("/v1/decisions/e-1")).json()["reward"]["gain"] == 0


@pytest.mark.parametrize("kind", sorted({*OUTCOME_TYPES} - WITHDRAWALS))
async def test_a_field_of_another_type_is_refused(replica: Start, kind: str) -> None:
    fields = {"machine": kind in ("open", "click"), "permanent": kind in TAKING_BACK, "value": kind in VALUED}
    async with replica() as service:
        await service.decide()
        for name, allowed in fields.items():
            value: Any = 5 if name == "value" else True
            (status,) = await statuses(service, outcome(kind, f"f-{name}", **{name: value}))
            assert (status == "accepted") is allowed, name


async def test_sums_of_another_currency_are_refused(replica: Start) -> None:
    async with replica(small_document(currency="EUR")) as service:
        await service.decide()
        items = [outcome("conversion", f"o-{code}", value=5, currency=code) for code in ("EUR", "USD", "euro")]
        assert await statuses(service, *items) == ["accepted", "invalid", "invalid"]
        orders = [
            {"id": f"o-{code}", "shopper_id": "s-1", "type": "purchase", "attributes": {"value": 5, "currency": code}}
            for code in ("EUR", "eur", "USD")
        ]
        answer = await service.post("/v1/events", {"events": orders})
        assert [result["status"] for result in answer.json()["results"]] == ["accepted", "accepted", "invalid"]
        assert answer.json()["results"][2]["field"] == "attributes.currency"
