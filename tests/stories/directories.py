"""Read and compare a recorded data directory: what its log folds to, what the API says of it, what repeats get."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import redis as redis_client

from policies.learning.fold import Learning
from policies.learning.interactions import Interaction
from policies.models.learned import LEARNING
from policies.records.rows import ClockRow, Row, decode
from tests.conftest import RealRedis
from tests.decision_service.conftest import Replica
from tests.factories import DAY_S
from tests.stories import sessions
from tests.stories.sessions import LOG, JsonObject, Step

EXPECTED, DUMP = "expected.json", "dump.rdb"
OUTCOMES = ("delivered", "open", "click", "conversion", "ignore", "opt_out", "complaint", "bounce")
"""The types of outcomes of the version that was recorded."""

TAKEN = ("accepted", "late", "unknown")
"""The statuses of items that are in the log."""

END = "2026-12-01T10:30:00Z"
"""After the last row of the recording."""

# -- Redis ----------------------------------------------------------------------------------------


def save_redis(redis: RealRedis) -> bytes:
    """Return everything that a Redis holds, as the file that it would load."""
    with redis_client.Redis.from_url(redis.url) as client:
        client.save()
    return (redis.socket.parent / DUMP).read_bytes()


def start_redis_with(redis: RealRedis, dump: bytes) -> None:
    """Start a Redis that holds what a dump holds."""
    redis.kill()
    (redis.socket.parent / DUMP).write_bytes(dump)
    redis.start()
    with redis_client.Redis.from_url(redis.url) as client:
        while client.info("persistence")["loading"]:
            time.sleep(0.01)


# -- the fold -------------------------------------------------------------------------------------


def list_interactions(directory: Path) -> list[JsonObject]:
    """Fold a log, and 40 days more in which nothing happens, and return what the model learns from."""
    log = [(row["position"], decode(row["body"])) for row in sessions.read_log(directory / LOG)]
    last = log[-1][0] + 1
    log.append((last, ClockRow(max(row.at for _, row in log) + 40 * DAY_S)))
    learning = Learning(_look_up_in(log), LEARNING.make_learner)
    return [_describe(interaction) for position, row in log for interaction in learning.fold(position, row)]


def _look_up_in(log: Sequence[tuple[int, Row]]) -> Any:
    """Return a function that looks up the rows of decisions."""
    rows: dict[str, list[tuple[int, Row]]] = {}
    for position, row in log:
        event_id = getattr(row, "event_id", None)
        if isinstance(event_id, str):
            rows.setdefault(event_id, []).append((position, row))
    return lambda event_ids: {event_id: rows.get(event_id, []) for event_id in event_ids}


def _describe(interaction: Interaction) -> JsonObject:
    action, result, before = interaction.action, interaction.result, interaction.before
    return {
        "event_id": interaction.event_id,
        "position": interaction.position,
        "action": [action.message, action.channel, action.delay_s],
        "category": interaction.category,
        "context": dict(interaction.context),
        "propensity": interaction.propensity,
        "p_out": interaction.p_out,
        "reward": result.reward,
        "gain": result.gain,
        "opted_out": result.opted_out,
        "complaint_loss": result.complaint_loss,
        "corrects": None if before is None else before.reward,
    }


# -- the API --------------------------------------------------------------------------------------


def list_requests(steps: Iterable[Step]) -> list[Step]:
    return [request for step in steps for request in step.get("together", [step]) if "path" in request]


def pair(steps: Iterable[Step], answers: Iterable[JsonObject]) -> list[tuple[Step, JsonObject]]:
    """Return the requests of a session with their answers."""
    return list(zip(list_requests(steps), answers, strict=True))


def list_shoppers(steps: Sequence[Step]) -> list[str]:
    """Return every shopper of a session."""
    bodies = [request["body"] for request in list_requests(steps) if isinstance(request.get("body"), dict)]
    items = [item for body in bodies for item in (body, *body.get("events", ()))]
    in_bodies = [str(item["shopper_id"]) for item in items if "shopper_id" in item]
    in_paths = [request["path"].split("/")[3] for request in list_requests(steps) if "/shoppers/" in request["path"]]
    return list(dict.fromkeys([*in_bodies, *in_paths]))


def list_paths(steps: Sequence[Step]) -> list[str]:
    """Return the paths under which the decisions, the shoppers and the report of a session are read."""
    bodies = [request["body"] for request in list_requests(steps) if request["path"] == "/v1/decide"]
    return [
        *(f"/v1/decisions/{body['event_id']}" for body in bodies),
        *(
            f"/v1/shoppers/{shopper}{part}"
            for shopper in list_shoppers(steps)
            for part in ("/timeline", "/preferences")
        ),
        "/v1/report?by=channel",
        "/v1/catalog",
    ]


async def find_open_channels(replica: Replica, shoppers: Sequence[str]) -> dict[str, list[str]]:
    """Return for each shopper the channels that consent, reachability and preferences leave open."""
    return {shopper: await _find_open(replica, shopper) for shopper in shoppers}


async def _find_open(replica: Replica, shopper: str) -> list[str]:
    """Ask, for one channel after the other, why the clean message on this channel could not be sent."""
    body = {"shopper_id": shopper, "triggers": [{"type": "probe"}], "now": END, "dry_run": True}
    answer = await replica.post("/v1/decide", body)
    assert answer.status_code == 200, (shopper, answer.text)
    withheld = {
        entry["channel"]
        for entry in answer.json()["excluded"]
        if entry["reason"] in ("no_consent", "unreachable", "preference")
    }
    return [channel for channel in ("push", "email", "sms", "webpush") if channel not in withheld]


# -- repeats --------------------------------------------------------------------------------------


async def repeat(replica: Replica, steps: Sequence[Step], answers: Sequence[JsonObject]) -> list[JsonObject]:
    """Send again what was taken; return the status, and the status of each item that was taken."""
    repeated = []
    for request, first in _list_taken(steps, answers):
        again = await sessions.send_request(replica, request)
        repeated.append({"status": again["status"], "items": _statuses_of_taken(first, again)})
    return repeated


def list_repeated(steps: Sequence[Step], answers: Sequence[JsonObject]) -> list[Step]:
    """Return the requests that `repeat` sends again."""
    return [request for request, _ in _list_taken(steps, answers)]


def _list_taken(steps: Sequence[Step], answers: Sequence[JsonObject]) -> list[tuple[Step, JsonObject]]:
    taken = {("/v1/feedback", 202), ("/v1/events", 202)}
    return [(request, first) for request, first in pair(steps, answers) if (request["path"], first["status"]) in taken]


def _statuses_of_taken(first: JsonObject, again: JsonObject) -> list[str | None]:
    """Return the statuses in the second answer; None for items that were not taken the first time."""
    pairs = zip(_items(first), _items(again), strict=True)
    return [now["status"] if before["status"] in TAKEN else None for before, now in pairs]


def _items(answer: JsonObject) -> list[Mapping[str, Any]]:
    items: list[Mapping[str, Any]] = json.loads(answer["text"]).get("results", [])
    return items


def list_decisions(steps: Sequence[Step], answers: Sequence[JsonObject]) -> list[tuple[Step, JsonObject]]:
    """Return the decide requests that are in the log, of shoppers who were not erased later, with their answers."""
    last_erasure = {
        request["path"].rpartition("/")[2]: number
        for number, request in enumerate(list_requests(steps))
        if request["method"] == "DELETE"
    }
    return [
        (request, answer)
        for number, (request, answer) in enumerate(pair(steps, answers))
        if (request["path"], answer["status"]) == ("/v1/decide", 200)
        and last_erasure.get(request["body"]["shopper_id"], -1) < number
    ]


# -- what a recording must contain ----------------------------------------------------------------


def check_coverage(
    log: Sequence[JsonObject],
    answers: Sequence[JsonObject],
    read_back: Mapping[str, JsonObject],
    required: Mapping[str, set[str]],
) -> None:
    """Fail if a recording lacks a required value."""
    rows = [msgspec.json.decode(row["body"]) for row in log]
    outcomes = [row for row in rows if row["row"] == "outcome"]
    bodies = [json.loads(answer["text"]) for answer in answers if answer["text"]]
    inspected = [json.loads(answer["text"]) for path, answer in read_back.items() if "/decisions/" in path]
    counts = {
        "row": Counter(row["row"] for row in rows),
        "outcome with an id": Counter(row["type"] for row in outcomes if row.get("feedback_id")),
        "outcome without an id": Counter(row["type"] for row in outcomes if not row.get("feedback_id")),
        "hold": Counter(row["hold_reason"] for row in rows if row.get("hold_reason")),
        "item": Counter(item["status"] for body in bodies for item in body.get("results", ()) if "status" in item),
        "send_status": Counter(body.get("status") for body in inspected),
    }
    missing = {field: values - {*counts[field]} for field, values in required.items()}
    assert not any(missing.values()), f"the recording lacks {missing} of {counts}"
