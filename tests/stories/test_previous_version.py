"""What the previous version answered, logged and learned, the code of today answers, logs and learns to the byte.

The session was recorded by `tests/fixtures/previous_version/record.py`, which tells its stories.
"""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from policies.records import rows
from tests.conftest import RealRedis
from tests.decision_service.conftest import Start
from tests.stories import sessions
from tests.stories.sessions import LOG, REGISTRY, TARGETS, Step, Told

FIXTURE = Path(__file__).parents[1] / "fixtures" / "previous_version"
_SHOWN = 10
"""Differences that a failure shows of each part; the first ones are the telling ones."""


@pytest.fixture(scope="module")
def steps() -> list[Step]:
    return sessions.read_lines(FIXTURE / "requests.jsonl.gz")


@pytest.fixture(scope="module")
def expected() -> Told:
    document: Told = json.loads(gzip.decompress((FIXTURE / "expected.json.gz").read_bytes()))
    return document


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory that the previous version left; tests work on copies."""
    directory = tmp_path_factory.mktemp("previous")
    for name in (LOG, REGISTRY):
        (directory / name).write_bytes(gzip.decompress((FIXTURE / f"{name}.gz").read_bytes()))
    return directory


@pytest.fixture
def data(old: Path, tmp_path: Path) -> Path:
    """A copy of the old data directory."""
    directory = tmp_path / "data"
    directory.mkdir()
    for name in (LOG, REGISTRY):
        (directory / name).write_bytes((old / name).read_bytes())
    return directory


@pytest.fixture
def empty(old: Path, tmp_path: Path) -> Path:
    """A data directory in which nothing has happened, with the seed and the salt of the old one."""
    directory = tmp_path / "empty"
    directory.mkdir()
    sessions.same_facts(directory, old / LOG)
    return directory


def nothing_differs(**parts: list[str]) -> None:
    """Fail with the first differences of every part."""
    told = [
        "\n  ".join([f"{len(found)} differences in the {part}:", *(each[:500] for each in found[:_SHOWN])])
        for part, found in parts.items()
        if found
    ]
    if told:
        pytest.fail("\n".join(told), pytrace=False)


def requests_of(steps: list[Step]) -> list[Step]:
    return [request for step in steps for request in step.get("together", [step]) if "path" in request]


def named(steps: list[Step], recorded: list[Told], found: list[Told]) -> list[str]:
    """Name what differs between answers, with the requests that were answered."""
    return [
        f"{number}: {request['method']} {request['path']} {each}"
        for number, (request, was, is_) in enumerate(zip(requests_of(steps), recorded, found, strict=True))
        for each in sessions.answer_differences(was, is_)
    ]


def learned(expected: Told) -> Told:
    """Return what was published; without digests of floats where the processor rounds in another way."""
    versions, checkpoint = expected["versions"], expected["checkpoint"]
    if not sessions.rounds_as_recorded():
        versions = [version | {"sha256": None} for version in versions]
        checkpoint = checkpoint | {"sha256": None}
    return {"versions": versions, "checkpoint": checkpoint}


def of_paths(recorded: dict[str, Told], found: dict[str, Told]) -> list[str]:
    return [
        f"{path} {each}" for path, was in recorded.items() for each in sessions.answer_differences(was, found[path])
    ]


@pytest.mark.anyio
async def test_the_same_requests_get_the_same_answers_and_leave_the_same_log(
    replica: Start, redis: RealRedis, empty: Path, old: Path, steps: list[Step], expected: Told
) -> None:
    answers = await sessions.Player(replica, redis, empty).play(steps)
    nothing_differs(
        answers=named(steps, expected["answers"], answers),
        log=sessions.row_differences(sessions.log_rows(old / LOG), sessions.log_rows(empty / LOG)),
        registry=sessions.differences(learned(expected), sessions.published(empty / REGISTRY)),
    )


@pytest.mark.anyio
async def test_an_old_data_directory_opens_and_tells_the_same(replica: Start, data: Path, expected: Told) -> None:
    """Redis is empty: the shoppers' states are folded from the first row of the old log."""
    async with replica(data_dir=data) as service:
        found = await sessions.read_back(service, list(expected["read_back"]))
    nothing_differs(answers=of_paths(expected["read_back"], found))


@pytest.mark.anyio
async def test_a_retry_of_an_old_decision_gets_the_old_bytes_and_no_second_row(
    replica: Start, data: Path, steps: list[Step], expected: Told
) -> None:
    decided = dict(decisions(steps, expected["answers"]))
    assert len(decided) > 100
    async with replica(data_dir=data) as service:
        before = service.rows()
        for body, text in decided.items():
            again = await service.client.post("/v1/decide", content=body)
            assert (again.status_code, again.text) == (200, text)
            assert again.headers["idempotent-replay"] == "true"
        assert service.rows() == before


def decisions(steps: list[Step], answers: list[Told]) -> Iterator[tuple[str, str]]:
    """Give the bodies of the decisions that are in the log under their shopper's name, and what was answered."""
    requests = requests_of(steps)
    erased = [each["path"].rpartition("/")[2] for each in requests if each["method"] == "DELETE"]
    for request, answer in zip(requests, answers, strict=True):
        body: Any = request.get("body")
        is_logged = (request["path"], answer["status"]) == ("/v1/decide", 200) and not body.get("dry_run")
        if is_logged and body["shopper_id"] not in erased:
            yield json.dumps(body), answer["text"]


def test_the_old_log_folded_from_its_start_gives_the_same_models_and_the_same_checkpoint(
    empty: Path, old: Path, expected: Told
) -> None:
    positions = [version["position"] for version in expected["versions"]]
    found = sessions.folded(empty, old / LOG, positions)
    nothing_differs(registry=sessions.differences(learned(expected), found))


@pytest.mark.parametrize("target", TARGETS)
def test_an_evaluation_of_the_old_log_gives_the_same_numbers(data: Path, expected: Told, target: str) -> None:
    recorded, found = leaves(expected["evaluated"][target]), leaves(sessions.evaluated(data, target))
    assert list(recorded) == list(found)
    differing = [name for name, value in recorded.items() if not is_near(value, found[name])]
    nothing_differs(numbers=[f"{name}: was {recorded[name]}, is {found[name]}" for name in differing])


def leaves(document: Any, path: str = "") -> dict[str, Any]:
    """Give every value of a document by its path."""
    if not isinstance(document, dict | list):
        return {path: document}
    parts = document.items() if isinstance(document, dict) else enumerate(document)
    return {name: each for key, part in parts for name, each in leaves(part, f"{path}.{key}").items()}


def is_near(was: Any, is_: Any) -> bool:
    """Tell whether two values are equal; sums may be added in another order on another processor."""
    if isinstance(was, float) and isinstance(is_, float):
        return math.isclose(was, is_, rel_tol=1e-9, abs_tol=1e-12)
    return bool(was == is_)


def test_every_kind_of_row_occurs_in_the_old_log(old: Path) -> None:
    known = {each.kind for each in get_args(rows.Row)}
    stored = sessions.log_rows(old / LOG)
    assert {row["kind"] for row in stored} == {msgspec.json.decode(row["body"])["row"] for row in stored} == known


def test_a_difference_is_named_by_row_and_field(old: Path) -> None:
    recorded = sessions.log_rows(old / LOG)
    number = next(n for n, row in enumerate(recorded) if row["kind"] == "decision")
    body = recorded[number]["body"]
    for old_text, new_text, told in (
        (b'"arm":"treatment"', b'"arm":"random"', [".arm: was 'treatment', is 'random'"]),
        (b'"rules_version":', b'"rules_version":9', []),
    ):
        changed = [dict(row) for row in recorded]
        changed[number]["body"] = body.replace(old_text, new_text)
        assert changed[number]["body"] != body
        where = f"row {recorded[number]['position']} (decision)"
        assert sessions.row_differences(recorded, changed) == [f"{where}{each}" for each in told]
