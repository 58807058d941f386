"""Play a recorded session, read the data that the session leaves, and compare the data with the recorded data.

A session is a list of steps, each a JSON object:

- ``{"start": {...settings}, "catalogue": {...}, "loses": "model"}``: start the replica. A later start uses the data
  of the earlier ones. With ``loses``, the registry has no bytes of the latest model while this replica runs.
- ``{"method": ..., "path": ..., "body": ...}``: send a request. ``text`` instead of ``body`` is sent as it stands, for
  bodies that are not JSON.
- ``{"together": [request, request]}``: send these requests at the same time, each to a replica of its own. The second
  one has read the shopper's state when the first one takes its place.
- ``{"redis": "away"}`` and ``{"redis": "back"}``: kill Redis, and start it again.

The log and the registry are read with ``sqlite3`` and everything else over HTTP, so that a recorded session does not
depend on the structure of the code.
"""

from __future__ import annotations

import asyncio
import copy
import gzip
import hashlib
import json
import math
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx2
import msgspec
import numpy as np
from typer.testing import CliRunner

from decision_service.__main__ import app
from decision_service.app import open_learner
from decision_service.log.row_bodies import decode_body
from decision_service.settings import Settings
from policies.records.rows import unpack
from tests.conftest import RealRedis
from tests.decision_service.conftest import Replica, Start

Step = Mapping[str, Any]
JsonObject = dict[str, Any]

LOG, REGISTRY = "decisions.sqlite", "models.sqlite"
COLUMNS = ("position", "kind", "at", "watermark", "incarnation", "event_id", "shopper_id", "key", "body")
TARGETS = ("uniform", "rule")

_HEADERS = ("content-type", "idempotent-replay", "catalog-version", "retry-after", "allow")
_PSEUDONYM = re.compile(r"erased:[0-9A-Z]{26}")
_REPORTS = ("", "?by=channel", "?by=message")


# -- files ----------------------------------------------------------------------------------------


def read_lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]


def write_lines(path: Path, documents: Iterable[Any]) -> None:
    text = "".join(json.dumps(document, ensure_ascii=False) + "\n" for document in documents)
    path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))


@contextmanager
def open_database(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path)) as database, database:
        yield database


def read_log(path: Path) -> list[JsonObject]:
    """Return the stored rows of a log, by column name, with their bodies as JSON."""
    with open_database(path) as database:
        rows = database.execute(f"SELECT {', '.join(COLUMNS)} FROM log ORDER BY position").fetchall()
    return [dict(zip(COLUMNS, (*values, decode_body(body)), strict=True)) for *values, body in rows]


def create_empty_log(directory: Path, source: Path) -> None:
    """Create a log without rows that has the facts of the source: identity, seed, and salt of the shopper keys."""
    open_learner(_settings(directory)).stop()
    with open_database(source) as database:
        facts = database.execute("SELECT name, value FROM facts").fetchall()
    with open_database(directory / LOG) as database:
        database.executemany("INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)", facts)


def _settings(directory: Path) -> Settings:
    return Settings.load({"data_dir": directory, "clock": "request", "seed": 1}, {})


def state_times(steps: Iterable[Step]) -> list[Step]:
    """Let conversions and purchases that have neither an id nor a time state the time of their call.

    Today they are refused, because a repeat would count twice. The recorded version took the time of the call.
    """
    amended = copy.deepcopy(list(steps))
    for step in amended:
        for request in step.get("together", [step]):
            _state_times(request.get("body"))
    return amended


def _state_times(body: Any) -> None:
    items = body.get("events") if isinstance(body, dict) else None
    for item in items if isinstance(items, list) else ():
        needs = isinstance(item, dict) and item.get("type") in ("conversion", "purchase")
        if needs and "at" not in item and "feedback_id" not in item and "now" in body:
            item["at"] = body["now"]


# -- comparing ------------------------------------------------------------------------------------


def digest_arithmetic() -> str:
    """Return a digest of exponentials and logarithms as this processor computes them, to the last bit.

    NumPy and the C library each have several implementations of both and choose one by the processor.
    """
    numbers = np.linspace(0.001, 5.0, 2_000)
    plain = np.array([math.exp(-number) + math.log(number) for number in numbers])
    parts = (np.exp(-numbers), np.log(numbers), np.log1p(numbers), plain)
    return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()


@cache
def rounds_as_recorded() -> bool:
    """Return whether this processor rounds like the recording's processor; only then must floats be equal."""
    expected = Path(__file__).parents[1] / "fixtures" / "previous_version" / "expected.json.gz"
    recorded: str = json.loads(gzip.decompress(expected.read_bytes()))["arithmetic"]
    return recorded == digest_arithmetic()


def number_pseudonyms(bodies: Sequence[bytes]) -> list[bytes]:
    """Replace the random pseudonyms of erased shoppers by numbers, in the order of their first appearance."""
    numbers: dict[str, str] = {}

    def number(pseudonym: re.Match[str]) -> str:
        return numbers.setdefault(pseudonym[0], f"erased:{len(numbers) + 1}")

    return [_PSEUDONYM.sub(number, body.decode()).encode() for body in bodies]


NEW_FIELDS = {
    "the export shows the whole state, and a state knows more": r"\.state\.(subscribed|withheld)",
    "preferences have a subscription, and say which of them are the shopper's words": r"(subscribed|stated)",
    "the answer to a catalogue warns of dropped names that are in use": r"^\.warnings",
    "a refused change of preferences says what it withholds all the same": r"\.applied",
    "a withdrawal that is logged at the watermark keeps the date of the shopper's words": r"(\.content)?\.stated_at",
    "a decision says its weekday, what it knew of the shopper, and the click that it predicted": (
        r"\.local_weekday|(\.content|^)\.numbers|^\.p_click"
    ),
    "an erased trigger keeps the price of its product, which learning uses": r"\.triggers\.\d+\.price",
    "a state knows what was predicted of a send, and counts active hours on weekends": (
        r"\.sends\.\d+\.(p_click|product_category)|\.(expected|compared)_clicks|\.activity\.(on_weekends|latest)"
    ),
}
"""Fields that this version adds, by the reason: the patterns of their paths end here. Nothing else may differ."""


def is_new_field(path: str) -> bool:
    """Return whether a field did not exist in the previous version."""
    return any(re.search(f"{pattern}$", path) for pattern in NEW_FIELDS.values())


def without_new_fields(document: Any, path: str = "") -> Any:
    """Return a document of this version as the previous version would write it."""
    if isinstance(document, dict):
        places = ((name, value, f"{path}.{name}") for name, value in document.items())
        return {name: without_new_fields(value, place) for name, value, place in places if not is_new_field(place)}
    if isinstance(document, list):
        return [without_new_fields(part, f"{path}.{number}") for number, part in enumerate(document)]
    return document


def blank_rules_version(body: bytes) -> bytes:
    """Set the one field to 0 that may differ between versions of the code, and leave all other bytes unchanged."""
    return re.sub(rb'"rules_version":\d+', b'"rules_version":0', body)


def unpack_arrays(body: bytes) -> bytes:
    """Return a row with its packed arrays as hexadecimal digits: the packed form depends on the version of the code."""

    def spell_out(field: re.Match[bytes]) -> bytes:
        return b'"%b":"%b"' % (field[1], unpack(field[2].decode(), np.uint8).tobytes().hex().encode())

    return re.sub(rb'"(verdicts|probabilities)":"([^"]+)"', spell_out, body)


def compare(recorded: Any, current: Any, path: str = "") -> list[str]:
    """Return the differences between two documents, each with its path and both values.

    The answer in the row of a decision is JSON inside JSON.
    """
    if path.endswith(".answer") and isinstance(recorded, str) and isinstance(current, str):
        recorded, current = _decode(recorded.encode()), _decode(current.encode())
    if isinstance(recorded, dict) and isinstance(current, dict):
        names = dict.fromkeys([*recorded, *current])
        pairs = [(f"{path}.{name}", recorded.get(name, "absent"), current.get(name, "absent")) for name in names]
        differences = [difference for place, old, new in pairs for difference in compare(old, new, place)]
        return differences or ([] if list(recorded) == list(current) else [f"{path}: the order of the fields"])
    if isinstance(recorded, list) and isinstance(current, list) and len(recorded) == len(current):
        return [
            difference
            for number, (old, new) in enumerate(zip(recorded, current, strict=True))
            for difference in compare(old, new, f"{path}.{number}")
        ]
    return [] if is_same(recorded, current) else [f"{path}: was {recorded!r}, is {current!r}"]


def is_same(recorded: Any, current: Any) -> bool:
    """Return whether two values are equal, floats up to rounding errors if this processor rounds differently."""
    if isinstance(recorded, float) and isinstance(current, float) and not rounds_as_recorded():
        return math.isclose(recorded, current, rel_tol=1e-9, abs_tol=1e-12)
    return bool((type(recorded), recorded) == (type(current), current))


def compare_bodies(recorded: bytes, current: bytes) -> list[str]:
    """Return the differing fields of two JSON bodies, or the bodies themselves if only their bytes differ."""
    recorded, current = (unpack_arrays(blank_rules_version(body)) for body in (recorded, current))
    if recorded == current:
        return []
    document = _decode(current)
    previous = without_new_fields(document)
    differences = compare(_decode(recorded), previous)
    if previous != document:
        return differences
    return differences or ([f"the bytes: was {recorded!r}, is {current!r}"] if rounds_as_recorded() else [])


def _decode(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        return body


def compare_logs(recorded: Sequence[JsonObject], current: Sequence[JsonObject]) -> list[str]:
    """Return the differences between two logs, each with its row and field."""
    differences = [] if len(recorded) == len(current) else [f"rows: were {len(recorded)}, are {len(current)}"]
    for old, new in zip(_without_random_values(recorded), _without_random_values(current), strict=False):
        row = f"row {old['position']} ({old['kind']})"
        body_differences = compare_bodies(old.pop("body"), new.pop("body"))
        differences += [f"{row}{difference}" for difference in [*compare(old, new), *body_differences]]
    return differences


def _without_random_values(rows: Sequence[JsonObject]) -> list[JsonObject]:
    """Number the pseudonyms, and remove the key of a fence, which is the name of an incarnation of Redis."""
    texts = number_pseudonyms([text for row in rows for text in (str(row["shopper_id"]).encode(), row["body"])])
    return [
        row | {"shopper_id": shopper.decode(), "body": body} | ({"key": None} if row["kind"] == "fence" else {})
        for row, shopper, body in zip(rows, texts[::2], texts[1::2], strict=True)
    ]


def compare_answers(recorded: JsonObject, current: JsonObject) -> list[str]:
    """Return the differences between two answers."""
    old, new = dict(recorded), dict(current)
    (old_body,), (new_body,) = (number_pseudonyms([answer.pop("text").encode()]) for answer in (old, new))
    return [*compare(old, new), *compare_bodies(old_body, new_body)]


# -- playing --------------------------------------------------------------------------------------


class Player:
    """Plays the steps of a session and keeps the answers in the order of the requests."""

    def __init__(self, start: Start, redis: RealRedis, directory: Path) -> None:
        self._start, self._redis, self._directory = start, redis, directory
        self._replica: Replica | None = None
        self.answers: list[JsonObject] = []

    async def play(self, steps: Sequence[Step]) -> list[JsonObject]:
        """Play a session, which must begin with a start, and return the answers."""
        starts = [number for number, step in enumerate(steps) if "start" in step]
        for first, end in zip(starts, [*starts[1:], len(steps)], strict=True):
            await self._run(steps[first], steps[first + 1 : end])
        return self.answers

    async def _run(self, start: Step, steps: Sequence[Step]) -> None:
        registry = self._directory / REGISTRY
        with hide_latest_model(registry) if start.get("loses") else nullcontext():
            async with self._start(start.get("catalogue"), data_dir=self._directory, **start["start"]) as replica:
                for step in steps:
                    if "together" in step:
                        async with self._start(data_dir=self._directory, **start["start"]) as other:
                            self.answers += await race(replica, other, *step["together"])
                    else:
                        self.answers += await play_step(replica, self._redis, step)


async def play_step(replica: Replica, redis: RealRedis, step: Step) -> list[JsonObject]:
    """Play a step of one replica, and return the answer to its request if it is one."""
    if step.get("redis") == "away":
        redis.kill()
        return []
    if step.get("redis") == "back":
        redis.start()
        await replica.wait_until_ready()
        return []
    return [await send_request(replica, step)]


async def race(first: Replica, second: Replica, early: Step, late: Step) -> list[JsonObject]:
    """Return the answers to two decides of one shopper: the late one reserves when the early one is answered."""
    store, has_read, may_reserve = second.service.store, asyncio.Event(), asyncio.Event()
    reserve = store.reserve_many

    async def wait_and_reserve(reservations: Sequence[Any]) -> Any:
        has_read.set()
        await may_reserve.wait()
        return await reserve(reservations)

    with patch.object(store, "reserve_many", wait_and_reserve):
        answering = asyncio.create_task(send_request(second, late))
        await has_read.wait()
        answer = await send_request(first, early)
        may_reserve.set()
        return [answer, await answering]


async def send_request(replica: Replica, request: Step) -> JsonObject:
    content = json.dumps(request["body"]) if "body" in request else request.get("text")
    return read_answer(await replica.client.request(request["method"], request["path"], content=content))


def read_answer(response: httpx2.Response) -> JsonObject:
    """Return the parts of an answer that are compared: status, some headers and the body."""
    headers = {name: response.headers[name] for name in _HEADERS if name in response.headers}
    return {"status": response.status_code, "headers": headers, "text": response.text}


@contextmanager
def hide_latest_model(registry: Path) -> Iterator[None]:
    """Remove the bytes of the latest model from the registry, and put them back at the end."""
    with open_database(registry) as database:
        number, payload = database.execute(
            "SELECT number, payload FROM versions ORDER BY number DESC LIMIT 1"
        ).fetchone()
        database.execute("UPDATE versions SET payload = NULL WHERE number = ?", [number])
    yield
    with open_database(registry) as database:
        database.execute("UPDATE versions SET payload = ? WHERE number = ?", [payload, number])


# -- reading back ---------------------------------------------------------------------------------


def list_paths(steps: Iterable[Step]) -> list[str]:
    """Return every path under which something about the session's decisions and shoppers can be read."""
    requests = [request for step in steps for request in step.get("together", [step]) if "path" in request]
    bodies = [body for request in requests if request["path"].startswith("/v1/decide") for body in _bodies(request)]
    changed_paths = [request["path"] for request in requests if request["method"] in ("PUT", "DELETE")]
    changed_shoppers = [path.split("/")[3] for path in changed_paths if path.startswith("/v1/shoppers/")]
    decisions = dict.fromkeys(str(body["event_id"]) for body in bodies if "event_id" in body)
    deciding_shoppers = [str(body["shopper_id"]) for body in bodies if "shopper_id" in body]
    shoppers = dict.fromkeys([*deciding_shoppers, *changed_shoppers])
    return [
        *(f"/v1/decisions/{event_id}" for event_id in decisions),
        *(f"/v1/shoppers/{shopper}{part}" for shopper in shoppers for part in ("", "/timeline", "/preferences")),
        *(f"/v1/report{by}" for by in _REPORTS),
        "/v1/catalog",
    ]


def _bodies(request: Step) -> list[JsonObject]:
    """Return the bodies of the decisions that a request asks for; a batch has several."""
    body = request.get("body")
    items = body.get("decisions", [body]) if isinstance(body, dict) else []
    return [item for item in items if isinstance(item, dict)]


async def read_paths(replica: Replica, paths: Sequence[str]) -> dict[str, JsonObject]:
    """Read several paths and return the answers by path."""
    return {path: read_answer(await replica.client.get(path)) for path in paths}


def read_registry(registry: Path) -> JsonObject:
    """Return all model versions and the learner's checkpoint, with a digest in the place of their bytes."""
    with open_database(registry) as database:
        versions = database.execute("SELECT number, position, at, facts, payload FROM versions ORDER BY number")
        documents = [
            {"number": number, "position": position, "at": at, "facts": json.loads(facts), **_digest(payload)}
            for number, position, at, facts, payload in versions.fetchall()
        ]
        position, payload = database.execute("SELECT position, payload FROM checkpoint").fetchone()
    return {"versions": documents, "checkpoint": {"position": position, **_digest(payload)}}


def _digest(payload: bytes) -> JsonObject:
    digest = hashlib.sha256(payload).hexdigest() if rounds_as_recorded() else None
    return {"bytes": len(payload), "sha256": digest}


def fold_log(directory: Path, log: Path, positions: Sequence[int]) -> JsonObject:
    """Let a learner read a log from its start and publish at these positions; return the registry that it leaves."""
    rows, before = read_log(log), 0
    create_empty_log(directory, log)
    learner = open_learner(_settings(directory))
    for position in positions:
        _append(directory / LOG, rows[before:position])
        learner.catch_up(position)
        before = position
    _append(directory / LOG, rows[before:])
    learner.stop()
    return read_registry(directory / REGISTRY)


def _append(log: Path, rows: Sequence[JsonObject]) -> None:
    placeholders = ", ".join(f":{name}" for name in COLUMNS)
    with open_database(log) as database:
        database.executemany(f"INSERT INTO log ({', '.join(COLUMNS)}) VALUES ({placeholders})", rows)


def evaluate(directory: Path, target: str) -> JsonObject:
    """Return the JSON of the ``evaluate`` command for a data directory, without its facts about the machine."""
    result = CliRunner().invoke(app, ["evaluate", str(directory), "--target", target, "--json"])
    assert result.exit_code == 0, result.stderr
    document: JsonObject = json.loads(result.stdout)
    del document["facts"]
    return document
