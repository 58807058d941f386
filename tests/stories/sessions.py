"""Sessions: recorded requests played again, and all that can be read back of what they left.

A session is a list of steps, each a JSON object:

- ``{"start": {...settings}, "catalogue": {...}, "loses": "model"}``: the replica starts, anew on the same data where
  it ran already; with ``loses`` as long as it runs the latest model's bytes are gone.
- ``{"method": ..., "path": ..., "body": ...}``: a request; with ``text`` its body is no JSON.
- ``{"together": [request, ...]}``: requests that run at the same time.
- ``{"redis": "away"}`` and ``{"redis": "back"}``: the state store dies, and lives again.

Data are read with ``sqlite3`` and everything else over HTTP, so that a session does not depend on how the code is
arranged.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import math
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import numpy as np
from typer.testing import CliRunner

from decision_service.__main__ import app
from decision_service.app import open_learner
from decision_service.settings import Settings
from tests.conftest import RealRedis
from tests.decision_service.conftest import Replica, Start

Step = Mapping[str, Any]
Told = dict[str, Any]

LOG, REGISTRY = "decisions.sqlite", "models.sqlite"
COLUMNS = ("position", "kind", "at", "watermark", "incarnation", "event_id", "shopper_id", "key", "body")
TARGETS = ("uniform", "rule")

_HEADERS = ("content-type", "idempotent-replay", "catalog-version", "retry-after", "allow")
_PSEUDONYM = re.compile(r"erased:[0-9A-Z]{26}")
_REPORTS = ("", "?by=channel", "?by=message")


# -- files ----------------------------------------------------------------------------------------


def read_lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]


def write_lines(path: Path, each: Iterable[Any]) -> None:
    text = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in each)
    path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path)) as database, database:
        yield database


def log_rows(path: Path) -> list[Told]:
    """Give the rows of a log as they are stored."""
    with opened(path) as database:
        found = database.execute(f"SELECT {', '.join(COLUMNS)} FROM log ORDER BY position").fetchall()
    return [dict(zip(COLUMNS, values, strict=True)) for values in found]


def same_facts(directory: Path, source: Path) -> None:
    """Make an empty log with the facts of another one: its identity, its seed and the salt of its shoppers' keys."""
    open_learner(_settings(directory)).stop()
    with opened(source) as database:
        facts = database.execute("SELECT name, value FROM facts").fetchall()
    with opened(directory / LOG) as database:
        database.executemany("INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)", facts)


def _settings(directory: Path) -> Settings:
    return Settings.load({"data_dir": directory, "clock": "request", "seed": 1}, {})


# -- what counts as the same ----------------------------------------------------------------------


def arithmetic() -> str:
    """Return a digest of what this processor's exponentials and logarithms are, to the last bit.

    NumPy and the C library have several versions of both and choose by the processor.
    """
    numbers = np.linspace(0.001, 5.0, 2_000)
    plain = np.array([math.exp(-number) + math.log(number) for number in numbers])
    parts = (np.exp(-numbers), np.log(numbers), np.log1p(numbers), plain)
    return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()


@cache
def rounds_as_recorded() -> bool:
    """Return whether this processor rounds as the one of the recording: then numbers are compared to the last bit."""
    expected = Path(__file__).parents[1] / "fixtures" / "previous_version" / "expected.json.gz"
    recorded: str = json.loads(gzip.decompress(expected.read_bytes()))["arithmetic"]
    return recorded == arithmetic()


def canonical(bodies: Sequence[bytes]) -> list[bytes]:
    """Number the pseudonyms of erased shoppers, which are random, in the order in which they appear."""
    numbers: dict[str, str] = {}

    def numbered(found: re.Match[str]) -> str:
        return numbers.setdefault(found[0], f"erased:{len(numbers) + 1}")

    return [_PSEUDONYM.sub(numbered, body.decode()).encode() for body in bodies]


def without_rules_version(body: bytes) -> bytes:
    """Blank the one field that may differ between versions of the code; everything else stays as it is written."""
    return re.sub(rb'"rules_version":\d+', b'"rules_version":0', body)


def differences(recorded: Any, found: Any, path: str = "") -> list[str]:
    """Name the places in which two documents differ."""
    if isinstance(recorded, dict) and isinstance(found, dict):
        names = dict.fromkeys([*recorded, *found])
        pairs = [(f"{path}.{name}", recorded.get(name, "absent"), found.get(name, "absent")) for name in names]
        named = [each for at, old, new in pairs for each in differences(old, new, at)]
        return named or ([] if list(recorded) == list(found) else [f"{path}: the order of the fields"])
    if isinstance(recorded, list) and isinstance(found, list) and len(recorded) == len(found):
        return [
            each
            for number, (old, new) in enumerate(zip(recorded, found, strict=True))
            for each in differences(old, new, f"{path}.{number}")
        ]
    return [] if is_same(recorded, found) else [f"{path}: was {recorded!r}, is {found!r}"]


def is_same(recorded: Any, found: Any) -> bool:
    """Return whether two values are equal, floats up to rounding where the processor rounds in another way."""
    if isinstance(recorded, float) and isinstance(found, float) and not rounds_as_recorded():
        return math.isclose(recorded, found, rel_tol=1e-9, abs_tol=1e-12)
    return bool((type(recorded), recorded) == (type(found), found))


def body_differences(recorded: bytes, found: bytes) -> list[str]:
    """Name the fields in which two JSON bodies differ; their bytes where no field does."""
    if without_rules_version(recorded) == without_rules_version(found):
        return []
    named = differences(_decoded(recorded), _decoded(found))
    return named or ([f"the bytes: was {recorded!r}, is {found!r}"] if rounds_as_recorded() else [])


def _decoded(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        return body


def row_differences(recorded: Sequence[Told], found: Sequence[Told]) -> list[str]:
    """Name the rows and their fields in which two logs differ."""
    named = [] if len(recorded) == len(found) else [f"rows: were {len(recorded)}, are {len(found)}"]
    for old, new in zip(_comparable(recorded), _comparable(found), strict=False):
        where = f"row {old['position']} ({old['kind']})"
        body = body_differences(old.pop("body"), new.pop("body"))
        named += [f"{where}{each}" for each in [*differences(old, new), *body]]
    return named


def _comparable(rows: Sequence[Told]) -> list[Told]:
    """Leave out what is random: pseudonyms, and the name of a fence's incarnation of Redis."""
    texts = canonical([text for row in rows for text in (str(row["shopper_id"]).encode(), row["body"])])
    return [
        row | {"shopper_id": shopper.decode(), "body": body} | ({"key": None} if row["kind"] == "fence" else {})
        for row, shopper, body in zip(rows, texts[::2], texts[1::2], strict=True)
    ]


def answer_differences(recorded: Told, found: Told) -> list[str]:
    """Name what differs between two answers."""
    old, new = dict(recorded), dict(found)
    (was,), (is_,) = (canonical([each.pop("text").encode()]) for each in (old, new))
    return [*differences(old, new), *body_differences(was, is_)]


# -- playing --------------------------------------------------------------------------------------


class Player:
    """Plays steps and gives the answer to every request, in order."""

    def __init__(self, start: Start, redis: RealRedis, directory: Path) -> None:
        self._start, self._redis, self._directory = start, redis, directory
        self._replica: Replica | None = None
        self.answers: list[Told] = []

    async def play(self, steps: Sequence[Step]) -> list[Told]:
        """Play a whole session; its first step starts the replica."""
        starts = [number for number, step in enumerate(steps) if "start" in step]
        for first, end in zip(starts, [*starts[1:], len(steps)], strict=True):
            await self._run(steps[first], steps[first + 1 : end])
        return self.answers

    async def _run(self, start: Step, steps: Sequence[Step]) -> None:
        registry = self._directory / REGISTRY
        with lost_model(registry) if start.get("loses") == "model" else open_as_is():
            async with self._start(start.get("catalogue"), data_dir=self._directory, **start["start"]) as replica:
                for step in steps:
                    self.answers += await played(replica, self._redis, step)


async def played(replica: Replica, redis: RealRedis, step: Step) -> list[Told]:
    """Play a step; give the answers to its requests."""
    if step.get("redis") == "away":
        redis.kill()
        return []
    if step.get("redis") == "back":
        redis.start()
        await ready(replica)
        return []
    requests = step.get("together", [step])
    return list(await asyncio.gather(*(asked(replica, request) for request in requests)))


async def asked(replica: Replica, request: Step) -> Told:
    """Send a request; give status, headers and body of the answer."""
    content = json.dumps(request["body"]) if "body" in request else request.get("text")
    answer = await replica.client.request(request["method"], request["path"], content=content)
    return told(answer)


def told(answer: httpx2.Response) -> Told:
    headers = {name: answer.headers[name] for name in _HEADERS if name in answer.headers}
    return {"status": answer.status_code, "headers": headers, "text": answer.text}


async def ready(replica: Replica) -> None:
    """Return once the replica has brought the state store up again."""
    async with asyncio.timeout(30):
        while (await replica.client.get("/readyz")).status_code != 200:
            await asyncio.sleep(0.02)


@contextmanager
def open_as_is() -> Iterator[None]:
    yield


@contextmanager
def lost_model(registry: Path) -> Iterator[None]:
    """Take the bytes of the latest model away for a while."""
    with opened(registry) as database:
        number, payload = database.execute(
            "SELECT number, payload FROM versions ORDER BY number DESC LIMIT 1"
        ).fetchone()
        database.execute("UPDATE versions SET payload = NULL WHERE number = ?", [number])
    yield
    with opened(registry) as database:
        database.execute("UPDATE versions SET payload = ? WHERE number = ?", [payload, number])


# -- reading back ---------------------------------------------------------------------------------


def questions(steps: Iterable[Step]) -> list[str]:
    """Name the paths that tell everything about the decisions and shoppers of a session."""
    requests = [request for step in steps for request in step.get("together", [step]) if "path" in request]
    bodies = [item for request in requests if request["path"].startswith("/v1/decide") for item in _items(request)]
    paths = [request["path"] for request in requests if request["method"] in ("PUT", "DELETE")]
    named = [path.split("/")[3] for path in paths if path.startswith("/v1/shoppers/")]
    decisions = dict.fromkeys(str(body["event_id"]) for body in bodies if "event_id" in body)
    shoppers = dict.fromkeys([*(str(body["shopper_id"]) for body in bodies if "shopper_id" in body), *named])
    return [
        *(f"/v1/decisions/{event_id}" for event_id in decisions),
        *(f"/v1/shoppers/{shopper}{part}" for shopper in shoppers for part in ("", "/timeline", "/preferences")),
        *(f"/v1/report{by}" for by in _REPORTS),
        "/v1/catalog",
    ]


def _items(request: Step) -> list[Told]:
    body = request.get("body")
    items = body.get("decisions", [body]) if isinstance(body, dict) else []
    return [item for item in items if isinstance(item, dict)]


async def read_back(replica: Replica, paths: Sequence[str]) -> dict[str, Told]:
    """Ask for paths; give the answers by path."""
    return {path: told(await replica.client.get(path)) for path in paths}


def published(registry: Path) -> Told:
    """Tell of every model version, and of the learner's checkpoint, with digests for their bytes."""
    with opened(registry) as database:
        versions = database.execute("SELECT number, position, at, facts, payload FROM versions ORDER BY number")
        kept = [
            {"number": number, "position": position, "at": at, "facts": json.loads(facts), **_digest(payload)}
            for number, position, at, facts, payload in versions.fetchall()
        ]
        position, payload = database.execute("SELECT position, payload FROM checkpoint").fetchone()
    return {"versions": kept, "checkpoint": {"position": position, **_digest(payload)}}


def _digest(payload: bytes) -> Told:
    digest = hashlib.sha256(payload).hexdigest() if rounds_as_recorded() else None
    return {"bytes": len(payload), "sha256": digest}


def folded(directory: Path, log: Path, positions: Sequence[int]) -> Told:
    """Fold a log from its start with a learner that publishes at some positions; tell what it published."""
    rows, before = log_rows(log), 0
    same_facts(directory, log)
    learner = open_learner(_settings(directory))
    for position in positions:
        _append(directory / LOG, rows[before:position])
        learner.catch_up(position)
        before = position
    _append(directory / LOG, rows[before:])
    learner.stop()
    return published(directory / REGISTRY)


def _append(log: Path, rows: Sequence[Told]) -> None:
    places = ", ".join(f":{name}" for name in COLUMNS)
    with opened(log) as database:
        database.executemany(f"INSERT INTO log ({', '.join(COLUMNS)}) VALUES ({places})", rows)


def evaluated(directory: Path, target: str) -> Told:
    """Evaluate a target on the log in a data directory as the command line does, without facts about the machine."""
    found = CliRunner().invoke(app, ["evaluate", str(directory), "--target", target, "--json"])
    assert found.exit_code == 0, found.stderr
    document: Told = json.loads(found.stdout)
    del document["facts"]
    return document
