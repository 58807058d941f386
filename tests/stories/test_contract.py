"""The HTTP contract, tested on the real application with a real Redis and a real SQLite."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from decision_service.log.base import AppendResult, LogUnavailable, NewRow
from decision_service.state.pending import Reservation, Reserved
from policies.records.rows import DecisionRow, OutcomeRow, decode
from tests.conftest import RealRedis
from tests.decision_service.conftest import Start, decide_body
from tests.factories import small_document

pytestmark = pytest.mark.anyio


async def test_a_decision_is_answered_and_logged(replica: Start) -> None:
    async with replica() as service:
        answer = await service.decide(
            triggers=[
                {
                    "type": "cart_abandoned",
                    "attributes": {"product": "Runner 3", "promo_code": "X", "missing_amount": 3},
                }
            ]
        )
        assert answer["decision"] == "send"
        assert answer["hold_reason"] is None
        assert answer["eligible"] == 45
        assert set(answer["action"]) == {"message", "channel", "delay_s"}
        assert answer["content"]["data"]["product"] == "Runner 3"
        assert answer["policy"] == {"name": "default", "version": 0, "mode": "online"}
        explained = (await service.client.get("/v1/decisions/e-1")).json()
        assert explained["drawn"] == answer["action"]
        total = sum(entry["probability"] for entry in explained["distribution"])
        assert total == pytest.approx(1.0)
        drawn = [entry for entry in explained["distribution"] if answer["action"].items() <= entry.items()]
        assert [entry["probability"] for entry in drawn] == [answer["propensity"]]


async def test_the_same_id_gives_the_same_bytes_and_one_row(replica: Start) -> None:
    async with replica() as service:
        first = await service.post("/v1/decide", decide_body())
        rows = service.rows()
        again = await service.post("/v1/decide", decide_body(context={}, dry_run=False))
        assert again.content == first.content
        assert "Idempotent-Replay" not in first.headers
        assert again.headers["Idempotent-Replay"] == "true"
        other = await service.post("/v1/decide", decide_body(context={"cart_value": 1}))
        assert (other.status_code, other.json()["errors"][0]["field"]) == (422, "event_id")
        assert service.rows() == rows


async def test_bodies_with_equal_values_are_the_same_request(replica: Start) -> None:
    async with replica() as service:
        first = await service.post("/v1/decide", decide_body(context={"cart_value": 1}))
        for same in ({"context": {"cart_value": 1.0}}, {"now": "2026-11-21T18:00:00+01:00"}):
            again = await service.post("/v1/decide", decide_body(**({"context": {"cart_value": 1}} | same)))
            assert again.content == first.content


async def test_the_same_id_gives_the_same_bytes_whatever_has_changed(replica: Start, redis: RealRedis) -> None:
    document = small_document()
    document["triggers"]["cart_abandoned"]["critical"] = True
    other = small_document()
    for message in other["messages"].values():
        message["triggers"] = ["wishlist"]
    del other["triggers"]["cart_abandoned"]
    async with replica(document) as service:
        first = await service.post("/v1/decide", decide_body())
        assert (await service.client.put("/v1/catalog", json=other)).status_code == 200
        assert (await service.post("/v1/decide", decide_body())).content == first.content
        assert (await service.post("/v1/decide", decide_body(event_id="e-2"))).status_code == 422
        redis.kill()
        assert (await service.post("/v1/decide", decide_body())).content == first.content


async def test_a_repeated_decision_does_not_replace_its_reservation(replica: Start) -> None:
    """Otherwise the repeat could move the place to a later day, and a third call would find today's place free."""
    document = small_document(delays_s=[0, 259_200], caps=[{"max": 1, "window_s": 86_400}])
    for message, trigger, delay_s in (("reminder", "cart_abandoned", 0), ("hint", "wishlist", 259_200)):
        document["messages"][message] |= {"triggers": [trigger], "delays_s": [delay_s]}
        document["triggers"][trigger]["expires_s"] = 864_000
    async with replica(document, policy="uniform") as service:
        assert (await service.decide(event_id="e-1", now="2026-11-21T17:00:00Z"))["decision"] == "send"
        await service.service.log_writer.wait_until_contained()
        shopper = service.service.shopper_keys.key("s-1")
        stored = await service.service.store.read(shopper)
        (place,) = stored.state.sends
        later = msgspec.structs.replace(place, message="hint", send_at=place.send_at + 259_200)
        reservation = Reservation(shopper, stored.version, "e-1/repeat", later, catalogue=1)
        assert await service.service.store.reserve_many([reservation]) == [Reserved()]
        held = await service.decide(event_id="e-2", now="2026-11-21T17:02:00Z")
        assert held["hold_reason"] == "no_eligible_action"


@pytest.mark.parametrize("written", [True, False])
async def test_a_place_stays_taken_while_nobody_knows_whether_its_decision_was_logged(
    replica: Start, monkeypatch: pytest.MonkeyPatch, written: bool
) -> None:
    """The database fails during a commit: after it has written the row, or before."""
    async with replica(small_document(caps=[{"max": 1, "window_s": 86_400}])) as service:
        append = service.service.log.append

        def fail_once(rows: Sequence[NewRow]) -> list[AppendResult]:
            monkeypatch.setattr(service.service.log, "append", append)
            if written:
                append(rows)
            raise LogUnavailable("the connection was lost")

        monkeypatch.setattr(service.service.log, "append", fail_once)
        first = await service.post("/v1/decide", decide_body())
        assert first.status_code == (200 if written else 503)
        assert (await service.decide(event_id="e-2"))["hold_reason"] == "no_eligible_action"
        again = await service.post("/v1/decide", decide_body())
        assert (again.status_code, again.json()["decision"]) == (200, "send")


async def test_parallel_calls_with_one_id_have_one_winner(replica: Start) -> None:
    async with replica(small_document(caps=[{"max": 1, "window_s": 86_400}])) as service:
        answers = await asyncio.gather(*(service.post("/v1/decide", decide_body()) for _ in range(20)))
        assert len({answer.content for answer in answers}) == 1
        assert (await service.decide(event_id="e-2"))["hold_reason"] == "no_eligible_action"
        decisions = [row for row in service.service.log.read(0, 100) if row.kind == "decision"]
        assert len(decisions) == 2


async def test_a_hundred_parallel_decides_with_a_cap_of_three_give_three_sends(replica: Start) -> None:
    async with replica(small_document(caps=[{"max": 3, "window_s": 7 * 86_400}]), policy="rule") as service:
        answers = await asyncio.gather(*(service.decide(event_id=f"e-{number}") for number in range(100)))
        outcomes = Counter(answer["decision"] for answer in answers)
        assert outcomes["send"] == 3
        lost = [answer for answer in answers if answer["hold_reason"] == "lost_race"]
        assert all(answer["action"] is None and answer["propensity"] > 0 for answer in lost)


async def test_two_replicas_share_the_caps(replica: Start) -> None:
    catalogue = small_document(caps=[{"max": 3, "window_s": 7 * 86_400}])
    async with replica(catalogue, policy="rule") as one, replica(catalogue, policy="rule") as two:
        answers = await asyncio.gather(*((one, two)[number % 2].decide(event_id=f"e-{number}") for number in range(60)))
        assert Counter(answer["decision"] for answer in answers)["send"] == 3


async def test_a_fresh_service_sends(replica: Start) -> None:
    async with replica() as service:
        answers = [await service.decide(event_id=f"e-{n}", shopper_id=f"s-{n}") for n in range(100)]
        assert sum(answer["decision"] == "send" for answer in answers) >= 95


async def test_a_dry_run_answers_as_it_would_and_leaves_nothing(replica: Start) -> None:
    async with replica() as service:
        rows = service.rows()
        dry = await service.decide(dry_run=True)
        assert service.rows() == rows
        assert (await service.client.get("/v1/decisions/e-1")).status_code == 404
        real = await service.decide()
        assert real == dry


async def test_a_batch_answers_like_single_calls_and_one_bad_item_fails_alone(replica: Start) -> None:
    async with replica(small_document(caps=[{"max": 1, "window_s": 86_400}]), policy="rule") as service:
        items = [decide_body(), decide_body(event_id="e-2"), decide_body(event_id="e-3", shopper_id=7), decide_body()]
        results = (await service.post("/v1/decide/batch", {"decisions": items})).json()["results"]
        assert results[0]["decision"] == "send"
        assert results[1]["hold_reason"] in ("no_eligible_action", "policy")
        assert results[2]["error"]["errors"][0]["field"] == "shopper_id"
        assert results[3] == results[0]
        assert await service.decide() == results[0]


async def test_a_request_without_an_id_gets_one(replica: Start) -> None:
    async with replica() as service:
        answer = await service.decide(event_id=None)
        assert len(answer["event_id"]) == 26


async def test_holds_say_why(replica: Start) -> None:
    async with replica() as service:
        everything = [{"channel": channel} for channel in ("push", "email", "sms", "webpush", "inapp")]
        answer = await service.decide(exclude=everything)
        assert (answer["decision"], answer["hold_reason"], answer["eligible"]) == ("hold", "no_eligible_action", 1)
        assert answer["propensity"] == 1.0
        for name in ("action", "send_at", "content", "attribution_ends_at", "trigger"):
            assert answer[name] is None, name
        assert {entry["reason"] for entry in answer["excluded"]} == {"excluded_by_caller"}
        assert sum(entry["count"] for entry in answer["excluded"]) == 50


GARBAGE: list[tuple[str, bytes, int, str | None]] = [
    ("not JSON", b"{", 400, None),
    ("not UTF-8", b'{"shopper_id": "\xff"}', 400, None),
    ("a list", b"[]", 422, "body"),
    ("wrong type", json.dumps(decide_body(shopper_id=3)).encode(), 422, "shopper_id"),
    ("empty id", json.dumps(decide_body(shopper_id="")).encode(), 422, "shopper_id"),
    ("long id", json.dumps(decide_body(event_id="x" * 256)).encode(), 422, "event_id"),
    ("control character", json.dumps(decide_body(event_id="a\x00b")).encode(), 422, "event_id"),
    ("unknown field", json.dumps(decide_body(colour="red")).encode(), 422, "colour"),
    ("wrong type of a flag", json.dumps(decide_body(defer_activation="yes")).encode(), 422, "defer_activation"),
    ("unknown trigger", json.dumps(decide_body(triggers=[{"type": "nope"}])).encode(), 422, "triggers.0.type"),
    ("no trigger", json.dumps(decide_body(triggers=[])).encode(), 422, "triggers"),
    ("too many triggers", json.dumps(decide_body(triggers=[{"type": "welcome"}] * 21)).encode(), 422, "triggers"),
    ("nested context", json.dumps(decide_body(context={"a": {"b": 1}})).encode(), 422, "context.a"),
    ("a null in the context", json.dumps(decide_body(context={"a": None})).encode(), 422, "context.a"),
    ("NaN", json.dumps(decide_body(context={"a": float("nan")})).encode(), 422, "context.a"),
    ("infinity", json.dumps(decide_body(context={"a": float("inf")})).encode(), 422, "context.a"),
    ("too large a number", json.dumps(decide_body(context={"a": 10**400})).encode(), 422, "context.a"),
    ("too much context", json.dumps(decide_body(context={str(n): 1 for n in range(101)})).encode(), 422, "context"),
    ("now before 2000", json.dumps(decide_body(now="1999-12-31T23:59:59Z")).encode(), 422, "now"),
    ("now without a zone", json.dumps(decide_body(now="2026-11-21T17:00:00")).encode(), 422, "now"),
    ("no now", json.dumps(decide_body(now=None)).encode(), 422, "now"),
    ("two megabytes", b'{"shopper_id": "' + b"x" * (2 << 20) + b'"}', 413, None),
    ("deeply nested", b"[" * 100_000, 400, None),
]


async def test_garbage_gets_a_problem_and_leaves_no_row(replica: Start) -> None:
    async with replica() as service:
        rows = service.rows()
        for case, raw, status, field in GARBAGE:
            answer = await service.client.post("/v1/decide", content=raw)
            assert answer.status_code == status, (case, answer.text)
            assert answer.headers["content-type"] == "application/problem+json", case
            problem = answer.json()
            assert problem["status"] == status, case
            if field is not None:
                assert field in [error["field"] for error in problem["errors"]], (case, problem)
            assert service.rows() == rows, case


GARBAGE_ELSEWHERE: list[tuple[str, Any, str]] = [
    ("/v1/feedback", {"events": []}, "events"),
    ("/v1/feedback", {"events": [{}] * 1_001}, "events"),
    ("/v1/feedback", {"event": 1}, "events"),
    ("/v1/events", {"events": "x"}, "events"),
    ("/v1/clock", {}, "now"),
    ("/v1/decide/batch", {"decisions": []}, "decisions"),
]


async def test_garbage_on_other_paths_names_its_field(replica: Start) -> None:
    async with replica() as service:
        rows = service.rows()
        for path, body, field in GARBAGE_ELSEWHERE:
            answer = await service.post(path, body)
            assert answer.status_code == 422, (path, field)
            assert field in [error["field"] for error in answer.json()["errors"]], path
            assert service.rows() == rows, path


async def test_every_outcome_has_a_status_of_its_own(replica: Start) -> None:
    async with replica(policy="rule") as service:
        answer = await service.decide()
        click = {"event_id": "e-1", "type": "click", "feedback_id": "f-1", "at": answer["send_at"]}
        late = click | {"feedback_id": "f-2", "at": answer["attribution_ends_at"]}
        items = [
            click,
            click,
            late,
            {"event_id": "nobody", "type": "click"},
            {"event_id": "e-1", "type": "wink"},
            {"event_id": "e-1", "type": "click", "value": 3},
            {"event_id": "e-1", "type": "conversion", "value": -1},
        ]
        response = await service.post("/v1/feedback", {"events": items})
        assert response.status_code == 202
        body = response.json()
        assert [entry["status"] for entry in body["results"]] == [
            *("accepted", "duplicate", "late", "unknown", "invalid", "invalid", "invalid")
        ]
        assert [entry.get("field") for entry in body["results"][4:]] == ["type", "value", "value"]
        counts = {name: body.get(name, 0) for name in ("accepted", "duplicate", "late", "unknown", "invalid")}
        assert counts == {"accepted": 1, "duplicate": 1, "late": 1, "unknown": 1, "invalid": 3}
        again = await service.post("/v1/feedback", items[0])
        assert again.json()["results"] == [{"status": "duplicate"}]


async def test_feedback_without_an_id_is_recognised_by_its_content(replica: Start) -> None:
    async with replica() as service:
        await service.decide()
        same = {"event_id": "e-1", "type": "open", "at": "2026-11-21T18:00:00Z"}
        other = same | {"at": "2026-11-21T18:00:01Z"}
        results = (await service.post("/v1/feedback", {"events": [same, same, other]})).json()["results"]
        assert [entry["status"] for entry in results] == ["accepted", "duplicate", "accepted"]


@pytest.mark.parametrize("kind", ["opt_out", "complaint"])
async def test_an_opt_out_applies_to_the_next_decision_on_any_replica(replica: Start, kind: str) -> None:
    async with replica(policy="rule") as one, replica(policy="rule") as two:
        channel = (await one.decide())["action"]["channel"]
        await one.post("/v1/feedback", {"event_id": "e-1", "type": kind})
        for number, service in enumerate((two, one)):
            answer = await service.decide(event_id=f"next-{number}")
            withdrawn = next(entry for entry in answer["excluded"] if entry["reason"] == "no_consent")
            assert withdrawn["channel"] == channel


async def test_a_repeated_opt_out_does_not_withdraw_a_consent_given_after_it(replica: Start) -> None:
    async with replica(policy="rule") as service:
        channel = (await service.decide())["action"]["channel"]
        opt_out = {"event_id": "e-1", "feedback_id": "f", "type": "opt_out"}
        await service.post("/v1/feedback", opt_out)
        grant = {"consent": {channel: True}, "now": "2026-11-21T17:00:01Z"}
        await service.client.put("/v1/shoppers/s-1/preferences", json=grant)
        again = await service.post("/v1/feedback", {"events": [opt_out, opt_out]})
        assert [entry["status"] for entry in again.json()["results"]] == ["duplicate", "duplicate"]
        answer = await service.decide(event_id="e-2")
        assert "no_consent" not in {entry["reason"] for entry in answer["excluded"]}


async def test_an_opt_out_before_its_decision_withdraws_consent_when_the_decision_arrives(replica: Start) -> None:
    async with replica(policy="rule") as service:
        first = await service.post(
            "/v1/feedback", {"event_id": "e-1", "type": "opt_out", "now": "2026-11-21T17:00:00Z"}
        )
        assert first.json()["results"] == [{"status": "unknown"}]
        channel = (await service.decide())["action"]["channel"]
        preferences = (await service.client.get("/v1/shoppers/s-1/preferences")).json()
        assert preferences["consent"][channel] is False


async def test_a_bounce_before_its_decision_frees_the_place_when_the_decision_arrives(replica: Start) -> None:
    bounce = {"event_id": "e-1", "type": "bounce", "now": "2026-11-21T17:00:00Z"}
    document = small_document(delays_s=[0], caps=[{"max": 1, "window_s": 86_400}])
    async with replica(document, policy="rule") as service:
        assert (await service.post("/v1/feedback", bounce)).json()["results"] == [{"status": "unknown"}]
        assert (await service.decide())["decision"] == "send"
        assert (await service.decide(event_id="e-2"))["decision"] == "send", "the place is free again"
        await service.post("/v1/clock", {"now": "2026-11-23T17:00:00Z"})
        assert service.learner.progress.learned == 1
        explained = (await service.client.get("/v1/decisions/e-1")).json()
        assert (explained["status"], explained["learned"]) == ("bounced", {"status": "never", "reason": "bounced"})
        assert [entry["type"] for entry in explained["outcomes"]] == ["bounce"]
        assert (await service.client.get("/v1/report")).json()["total"]["undelivered"] == {"bounced": 1}
        assert (await service.post("/v1/feedback", bounce)).json()["results"] == [{"status": "duplicate"}]


async def test_a_bounce_before_its_decision_and_dated_after_its_window_is_only_reported(replica: Start) -> None:
    bounce = {"event_id": "e-1", "type": "bounce", "at": "2026-11-29T17:00:00Z", "now": "2026-11-21T17:00:00Z"}
    async with replica(small_document(delays_s=[0]), policy="rule") as service:
        await service.post("/v1/feedback", bounce)
        await service.decide()
        explained = (await service.client.get("/v1/decisions/e-1")).json()
        assert (explained["status"], explained["outcomes"][0]["late"]) == ("sent", True)


@pytest.mark.parametrize(("kind", "status"), [("bounce", "bounced"), ("opt_out", "sent"), ("complaint", "sent")])
async def test_an_outcome_before_its_decision_is_joined_even_if_the_database_fails_next(
    replica: Start, monkeypatch: pytest.MonkeyPatch, kind: str, status: str
) -> None:
    """The commit of the decision may or may not have happened, and every later write fails."""
    async with replica(small_document(delays_s=[0]), policy="rule") as service:
        await service.post("/v1/feedback", {"event_id": "e-1", "type": kind, "now": "2026-11-21T17:00:00Z"})
        log = service.service.log
        append = log.append

        def append_and_fail(rows: Sequence[NewRow]) -> list[AppendResult]:
            if log.find_by_event(["e-1"])[-1].kind == OutcomeRow.kind:
                append(rows)
            raise LogUnavailable("in doubt")

        monkeypatch.setattr(log, "append", append_and_fail)
        channel = (await service.decide())["action"]["channel"]
        assert (await service.decide())["action"]["channel"] == channel
        await service.service.log_writer.wait_until_contained(service.rows())
        explained = (await service.client.get("/v1/decisions/e-1")).json()
        assert (explained["status"], [entry["type"] for entry in explained["outcomes"]]) == (status, [kind])
        preferences = (await service.client.get("/v1/shoppers/s-1/preferences")).json()
        assert preferences["consent"][channel] is (kind == "bounce")


@pytest.mark.parametrize(("kind", "status"), [("bounce", "bounced"), ("opt_out", "sent")])
async def test_an_outcome_is_joined_to_a_decision_that_is_logged_while_it_is_handled(
    replica: Start, monkeypatch: pytest.MonkeyPatch, kind: str, status: str
) -> None:
    async with replica(small_document(delays_s=[0]), policy="rule") as service:
        feedback = service.service.feedback
        find_decisions = feedback._find_decisions

        async def find_decisions_too_early(event_ids: set[str]) -> Any:
            decisions = await find_decisions(event_ids)
            monkeypatch.setattr(feedback, "_find_decisions", find_decisions)
            await service.decide()
            return decisions

        monkeypatch.setattr(feedback, "_find_decisions", find_decisions_too_early)
        outcome = {"event_id": "e-1", "type": kind, "now": "2026-11-21T17:00:00Z"}
        assert (await service.post("/v1/feedback", outcome)).json()["results"] == [{"status": "accepted"}]
        assert (await service.client.get("/v1/decisions/e-1")).json()["status"] == status
        preferences = (await service.client.get("/v1/shoppers/s-1/preferences")).json()
        assert list(preferences["consent"].values()).count(False) == (kind == "opt_out")


async def test_a_change_of_preferences_keeps_the_fields_that_are_absent(replica: Start) -> None:
    async with replica() as service:
        path = "/v1/shoppers/s-1/preferences"
        before = (await service.client.get(path)).json()
        assert before == {
            "consent": dict.fromkeys(("push", "email", "sms", "webpush", "inapp"), True),
            "reachable": dict.fromkeys(("push", "email", "sms", "webpush", "inapp"), True),
            "subscribed": True,
            "muted_categories": [],
            "max_per_week": None,
            "quiet_hours": None,
            "time_zone": "UTC",
            "locale": "en",
            "stated": [],
        }
        changed = await service.client.put(
            path, json={"consent": {"sms": False}, "time_zone": "Asia/Kolkata", "locale": "es"}
        )
        assert changed.json()["consent"]["sms"] is False
        await service.client.put(path, json={"consent": {"push": False}})
        after = (await service.client.get(path)).json()
        assert (after["consent"]["sms"], after["consent"]["push"], after["time_zone"]) == (False, False, "Asia/Kolkata")
        answer = await service.decide(triggers=[{"type": "welcome"}])
        assert {entry["channel"] for entry in answer["excluded"] if entry["reason"] == "no_consent"} == {"push"}


BAD_PREFERENCES: list[tuple[dict[str, Any], str]] = [
    ({"consent": {"fax": True}}, "consent.fax"),
    ({"time_zone": "Mars/Base"}, "time_zone"),
    ({"time_zone": "../etc/passwd"}, "time_zone"),
    ({"locale": "!"}, "locale"),
    ({"quiet_hours": {"from": "22:00", "to": "7:00"}}, "quiet_hours.to"),
    ({"quiet_hours": {"from": "22:00", "to": "22:00"}}, "quiet_hours"),
    ({"muted_categories": ["crt"]}, "muted_categories.0"),
    ({"max_per_week": -1}, "max_per_week"),
    ({"reachable": {"fax": False}}, "reachable.fax"),
    ({"consent": {"push": "yes"}}, "consent.push"),
]


async def test_bad_preferences_change_nothing(replica: Start) -> None:
    async with replica() as service:
        rows = service.rows()
        for body, field in BAD_PREFERENCES:
            answer = await service.client.put("/v1/shoppers/s-1/preferences", json=body)
            assert answer.status_code == 422, body
            assert answer.json()["errors"][0]["field"] == field
            assert service.rows() == rows, body


async def test_purchases_change_the_segment_of_the_next_decision(replica: Start) -> None:
    async with replica() as service:
        events = [
            {"shopper_id": "s-1", "type": "purchase", "at": f"2026-11-{day}T10:00:00Z", "attributes": {"value": 40}}
            for day in (10, 12)
        ]
        answer = await service.post("/v1/events", {"events": events, "now": "2026-11-21T16:00:00Z"})
        assert answer.json() == {"accepted": 2, "results": [{"status": "accepted"}] * 2}
        again = await service.post("/v1/events", {"events": events, "now": "2026-11-21T16:00:00Z"})
        assert again.json()["results"] == [{"status": "duplicate"}] * 2
        await service.decide()
        context = (await service.client.get("/v1/decisions/e-1")).json()["context"]
        assert (context["segment"], context["purchases"], context["average_order"]) == ("repeat_buyer", 2, 40.0)


async def test_the_clock_folds_publishes_and_serves(replica: Start) -> None:
    async with replica() as service:
        await service.decide()
        await service.post("/v1/feedback", {"event_id": "e-1", "type": "click"})
        early = await service.post("/v1/clock", {"now": "2026-11-21T17:30:00Z"})
        assert early.json() == {"now": "2026-11-21T17:30:00Z", "version": 0}
        reached = await service.post("/v1/clock", {"now": "2026-11-25T00:00:00Z"})
        assert reached.json()["version"] == 1
        rows = service.rows()
        past = await service.post("/v1/clock", {"now": "2026-11-22T00:00:00Z"})
        assert past.json()["version"] == 1
        assert service.rows() == rows
        assert (await service.decide(event_id="e-2", now="2026-11-25T00:00:01Z"))["policy"]["version"] == 1
        learned = (await service.client.get("/v1/decisions/e-1")).json()["learned"]
        assert (learned["status"], learned["first_version"]) == ("learned", 1)


async def test_now_is_refused_by_the_wall_clock(replica: Start) -> None:
    async with replica(clock="wall") as service:
        for path, body in [
            ("/v1/decide", decide_body()),
            ("/v1/feedback", {"event_id": "e", "type": "click", "now": "2026-11-21T17:00:00Z"}),
        ]:
            answer = await service.post(path, body)
            assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "now")
        assert (await service.post("/v1/clock", {"now": "2026-11-21T17:00:00Z"})).status_code == 404
        ahead = {"event_id": "e", "type": "click", "at": "2100-01-01T00:00:00Z"}
        result = (await service.post("/v1/feedback", {"events": [ahead]})).json()["results"][0]
        assert (result["status"], result["field"]) == ("invalid", "at")
        alone = await service.post("/v1/feedback", ahead)
        assert (alone.status_code, alone.json()["errors"][0]["field"]) == (422, "at")


async def test_unknown_paths_and_methods_get_problems(replica: Start) -> None:
    async with replica() as service:
        for method, path, status in [("GET", "/v2", 404), ("GET", "/v1/decide", 405), ("GET", "/v1/decisions/x", 404)]:
            answer = await service.client.request(method, path)
            assert answer.status_code == status
            assert answer.headers["content-type"] == "application/problem+json"


async def test_a_wrong_method_is_answered_with_every_right_one(replica: Start) -> None:
    async with replica() as service:
        for path, allowed in [
            ("/v1/decide", "POST"),
            ("/v1/catalog", "GET, HEAD, PUT"),
            ("/v1/shoppers/s-1", "DELETE, GET, HEAD"),
            ("/v1/shoppers/s-1/preferences", "GET, HEAD, PUT"),
            ("/v1/decisions/e-1/activate", "POST"),
        ]:
            answer = await service.client.patch(path)
            assert (answer.status_code, answer.headers["Allow"]) == (405, allowed)


async def test_the_clock_answers_in_utc(replica: Start) -> None:
    async with replica() as service:
        reached = await service.post("/v1/clock", {"now": "2026-11-21T18:00:00.25+01:00"})
        assert reached.json()["now"] == "2026-11-21T17:00:00.250000Z"


async def test_health_metrics_and_catalogue_can_be_read(replica: Start) -> None:
    async with replica() as service:
        await service.decide()
        assert (await service.client.get("/healthz")).json() == {"status": "alive"}
        assert (await service.client.get("/readyz")).json()["clock"] == "request"
        assert 'decision_service_decisions_total{decision="send"' in (await service.client.get("/metrics")).text
        catalogue = await service.client.get("/v1/catalog")
        assert catalogue.headers["Catalog-Version"] == "1"


async def test_a_row_names_the_catalogue_version(replica: Start) -> None:
    async with replica(small_document()) as service:
        await service.decide()
    async with replica(small_document(caps=[{"max": 9, "window_s": 60}])) as service:
        await service.decide(event_id="e-2")
        rows = [decode(row.body) for row in service.service.log.read(0, 100)]
    versions = {row.event_id: row.catalogue_version for row in rows if isinstance(row, DecisionRow)}
    assert versions == {"e-1": 1, "e-2": 2}


async def test_settings_that_contradict_the_data_are_refused(replica: Start) -> None:
    async with replica():
        pass
    with pytest.raises(ValueError, match="--clock: these data were made with the request clock"):
        async with replica(clock="wall"):
            pass
    with pytest.raises(ValueError, match="--seed: these data were made with seed 1, not 2"):
        async with replica(seed=2):
            pass
