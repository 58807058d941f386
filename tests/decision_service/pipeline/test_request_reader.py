"""The request of a decide: what is refused, what is left out, and what is the same body again."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from decision_service.errors import ServiceError
from decision_service.pipeline.request_reader import fingerprint
from decision_service.schemas.parsing import parse_item
from decision_service.schemas.requests import DecideBody
from tests.decision_service.conftest import Start, decide_body
from tests.factories import small_document
from tests.stories.sessions import LOG, read_lines, read_log

PREVIOUS_VERSION = Path(__file__).parents[2] / "fixtures" / "previous_version"

pytestmark = pytest.mark.anyio


def hash_of(**changes: Any) -> str:
    return fingerprint(parse_item(DecideBody, decide_body(**changes)))


def trigger(**fields: Any) -> list[dict[str, Any]]:
    return [{"type": "cart_abandoned", **fields}]


def test_the_fingerprint_is_that_of_the_version_before() -> None:
    """Retries of decisions that an earlier version logged must get their bytes."""
    whole = decide_body(
        triggers=trigger(priority=1, attributes={"price": 59.0, "category": "shoes"}),
        context={"cart_value": 1.5, "vip": True},
        exclude=[{"channel": "push"}],
        defer_activation=True,
    )
    assert hash_of() == "f0b91bd61d8e396e7bc8a59a78a70a0a"
    assert fingerprint(parse_item(DecideBody, whole)) == "e368f0bc1ca8912c75293d75a44cc5ec"


def recorded_items() -> Iterator[dict[str, Any]]:
    """Yield the requests for decisions that the earlier version got, single or in a batch."""
    for step in read_lines(PREVIOUS_VERSION / "requests.jsonl.gz"):
        for request in step.get("together", [step]):
            match request:
                case {"path": "/v1/decide/batch", "body": {"decisions": list(items)}}:
                    yield from (item for item in items if isinstance(item, dict))
                case {"path": "/v1/decide", "body": {"event_id": str()} as item}:
                    yield item


def test_every_recorded_row_has_the_fingerprint_of_its_request(tmp_path: Path) -> None:
    """A retry after an upgrade is a repeat: its fingerprint is what the earlier version stored."""
    (tmp_path / LOG).write_bytes(gzip.decompress((PREVIOUS_VERSION / f"{LOG}.gz").read_bytes()))
    stored = {
        row["event_id"]: row["fingerprint"]
        for row in map(msgspec.json.decode, (row["body"] for row in read_log(tmp_path / LOG)))
        if row["row"] == "decision" and row["fingerprint"]
    }
    asked: dict[str, set[str]] = defaultdict(set)
    for item in recorded_items():
        with suppress(ServiceError):
            asked[item.get("event_id", "")].add(fingerprint(parse_item(DecideBody, item)))
    known = {event_id for event_id in stored if event_id in asked}
    assert len(known) > 150
    assert {event_id for event_id in known if stored[event_id] not in asked[event_id]} == set()


def test_what_counts_as_absent_does_not_change_the_fingerprint() -> None:
    plain = hash_of(triggers=trigger(attributes={"price": 5}))
    for same in (
        trigger(attributes={"price": 5, "brand": None}),
        trigger(attributes={"price": 5.0}, occurred_at=None),
        trigger(attributes={"price": 5, "text": "x" * 1_001, "number": 2**53 + 1}),
    ):
        assert hash_of(triggers=same) == plain
    assert hash_of(triggers=trigger(attributes={"price": 5}, occurred_at="2026-11-21T16:00:00Z")) != plain


async def test_attributes_that_cannot_be_kept_are_named_and_the_decision_is_made(replica: Start) -> None:
    attributes = {"product": "Runner", "brand": None, "text": "x" * 1_001, "big": 2**53 + 1, "small": -(2.0**60)}
    async with replica(small_document(), policy="rule") as service:
        answer = await service.decide(triggers=[*trigger(), *trigger(attributes=attributes)])
        assert [part["field"] for part in answer["ignored"]] == [
            f"triggers.1.attributes.{name}" for name in ("text", "big", "small")
        ]
        explained = (await service.client.get("/v1/decisions/e-1")).json()
        assert explained["triggers"][1]["attributes"] == {"product": "Runner"}
        again = await service.post("/v1/decide", decide_body(triggers=[*trigger(), *trigger(attributes=attributes)]))
        assert again.json() == answer
        assert "ignored" not in await service.decide(event_id="e-2")


@pytest.mark.parametrize("value", [[1], {"a": 1}, float("nan")])
async def test_an_attribute_of_no_plain_type_is_refused(replica: Start, value: Any) -> None:
    async with replica(small_document()) as service:
        body = decide_body(triggers=trigger(attributes={"a": value}))
        batch = await service.client.post("/v1/decide/batch", content=dumps({"decisions": [body]}))
        error = batch.json()["results"][0]["error"]
        alone = await service.client.post("/v1/decide", content=dumps(body))
        assert alone.json()["errors"] == error["errors"]
        assert error["errors"][0]["field"] == "triggers.0.attributes.a"


def dumps(body: Any) -> bytes:
    """Write JSON as Python clients do, NaN included."""

    return json.dumps(body).encode()


EXCLUSIONS: list[tuple[dict[str, Any], str]] = [
    ({"channel": "psuh"}, "exclude.0.channel"),
    ({"message": "reminderr", "channel": "push"}, "exclude.0.message"),
    ({"delay_s": 1}, "exclude.0.delay_s"),
    ({}, "exclude.0"),
    ({"channel": None, "message": None, "delay_s": None}, "exclude.0"),
]


@pytest.mark.parametrize(("pattern", "field"), EXCLUSIONS)
async def test_a_pattern_that_forbids_nothing_or_everything_is_refused(
    replica: Start, pattern: dict[str, Any], field: str
) -> None:
    async with replica(small_document()) as service:
        for body in (decide_body(exclude=[pattern]), decide_body(exclude=[pattern], dry_run=True)):
            answer = await service.post("/v1/decide", body)
            assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


async def test_a_repeat_gets_its_bytes_although_the_catalogue_lost_what_it_excludes(replica: Start) -> None:
    other = small_document()
    for message in other["messages"].values():
        message["templates"] = {"push": message["templates"]["push"]}
    del other["channels"]["email"]
    body = decide_body(exclude=[{"channel": "email"}])
    async with replica(small_document(), policy="rule") as service:
        first = await service.post("/v1/decide", body)
        assert (await service.client.put("/v1/catalog", json=other)).status_code == 200
        again = await service.post("/v1/decide", body)
        assert (again.content, again.headers["Idempotent-Replay"]) == (first.content, "true")
        assert (await service.post("/v1/decide", body | {"event_id": "e-2"})).status_code == 422


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name in ("locale", "time_zone") for value in (5, True, 0.5)]
    + [("time_zone", zone) for zone in ("Mars/Base", "localtime", "")],
)
async def test_a_locale_or_a_zone_that_nobody_can_use_is_refused(replica: Start, name: str, value: Any) -> None:
    async with replica(small_document()) as service:
        answer = await service.post("/v1/decide", decide_body(context={name: value}))
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, f"context.{name}")


async def test_the_expiry_counts_from_when_the_trigger_occurred(replica: Start) -> None:
    async with replica(small_document(), policy="rule") as service:
        await service.decide(triggers=trigger(occurred_at="2026-11-20T17:00:00Z"))
        (explained,) = (await service.client.get("/v1/decisions/e-1")).json()["triggers"]
        assert explained["expires_at"] == "2026-11-22T17:00:00Z"
        old = await service.decide(event_id="e-2", triggers=trigger(occurred_at="2026-11-19T16:00:00Z"))
        assert (old["hold_reason"], old["excluded"][0]["reason"]) == ("no_eligible_action", "expired")


async def test_a_trigger_ahead_of_the_clock_is_refused(replica: Start) -> None:
    ahead = decide_body(triggers=trigger(occurred_at="2100-01-01T00:00:00Z"), now=None)
    async with replica(small_document(), clock="wall") as service:
        answer = await service.post("/v1/decide", ahead)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "triggers.0.occurred_at")


async def test_half_a_character_is_named_by_its_field_and_fails_alone(replica: Start) -> None:
    broken = decide_body(event_id="e-2", triggers=trigger(attributes={"product": "Runner \ud83d"}))
    async with replica(small_document()) as service:
        alone = await service.client.post("/v1/decide", content=dumps(broken))
        assert (alone.status_code, alone.json()["errors"][0]["field"]) == (422, "triggers.0.attributes.product")
        batch = await service.client.post("/v1/decide/batch", content=dumps({"decisions": [decide_body(), broken]}))
        first, second = batch.json()["results"]
        assert (first["event_id"], second["error"]["status"]) == ("e-1", 422)


async def test_a_pattern_may_use_a_former_name(replica: Start) -> None:
    document = small_document()
    document["channels"]["push"]["formerly"] = ["app"]
    async with replica(document) as service:
        answer = await service.decide(exclude=[{"channel": "app"}])
        excluded = {part["channel"] for part in answer["excluded"] if part["reason"] == "excluded_by_caller"}
        assert excluded == {"push"}
