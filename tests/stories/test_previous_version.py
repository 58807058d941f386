"""Today's code answers, logs and learns the same as the previous version, byte for byte.

`tests/fixtures/previous_version/record.py` recorded the session of the previous version and contains its stories.
"""

from __future__ import annotations

import gzip
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from policies.records import rows
from tests.conftest import RealRedis
from tests.decision_service.conftest import Start
from tests.stories import sessions
from tests.stories.sessions import LOG, REGISTRY, TARGETS, JsonObject, Step

pytestmark = pytest.mark.xdist_group("previous version")  # the tests share what takes seconds to make

FIXTURE = Path(__file__).parents[1] / "fixtures" / "previous_version"
_ALL_MISTAKES = "mistakes of meaning are named beside those of structure, and there are more keys"
_SPANS = "a span has days, and others may follow"
_ITEMS = r"^\d+: POST /v1/(feedback|events) "
_LEFT = "the gate states when a send left"
_ENDS = "triggers say when they occurred and what ends them, and sends remember it"
_GATE = "the first answer of the gate, too, says what took the send back; a repeat says that it is one"
_AGAIN = "a hold that may end by itself says when the request has a send again"
_HOURS = "an hour counts once as active, however many events it has"
_ARRIVAL = "an event that may end triggers is logged no earlier than the watermark"
_UNCLICKED = "orders without a click are counted apart, and count by the catalogue's weight"
DELIBERATE = {
    r"\.locale: was 'absent', is ": "the answer names the locale of the template",
    r"\.content\.data\.event_id: was 'absent', is '": "the content's data names the decision",
    r"PUT /v1/catalog \.detail: was 'the catalogue has 1 mistakes; .*is 'the catalogue has 2 mistakes; ": _ALL_MISTAKES,
    r"PUT /v1/catalog \.errors: was \[{'field': 'colour', .*is \[{'field': 'colour', .*season_picks": _ALL_MISTAKES,
    r"\.quiet_hours: was \[(\d+), (\d+)\], is \[\1, \2, \[\], \[\]\]$": _SPANS,
    r"^281: PUT /v1/shoppers/x-1/preferences \.consent\.sms: was True, is False$": (
        "after an erasure a grant of one channel opened every channel; now it opens the channel that it names"
    ),
    r"\.state\.quiet_hours\.(days|others): was 'absent', is \[\]$": _SPANS,
    _ITEMS + r"\.(accepted|duplicate|late|unknown|invalid): ": "each item of a list counts once, under its status",
    _ITEMS + r"\.results\.\d+\.message: was 'only a conversion has a value'": "a refund has a value too",
    _ITEMS + r"\.results\.\d+\.message: was \"should be '": "refund is one more type of outcomes and of events",
    _ITEMS + r"\.(detail|errors\.0\.message): was '(events: )?List should have": "a list says how many items it has",
    _ITEMS + r"\.detail: was 'the body is not JSON: JSON is malformed": "another reader says where JSON ends",
    r"/v1/report\S* \.time_zone: was 'absent', is 'UTC'$": "a report names the zone of its hours and days",
    r"/v1/report\S* \.(total|rows\.\d+)\.(refunds|refunded|machine_opens|machine_clicks): was 'absent', is 0": (
        "new figures"
    ),
    r"/v1/report\S* \.(total|rows\.\d+)\.unclicked_(conversions|revenue): was 'absent', is [0-9.]+$": _UNCLICKED,
    r"\.reward\.order_weight: was 'absent', is 1\.0$": _UNCLICKED,
    r"/v1/report\S* \.incrementality: was 'absent', is \{'total': .*'verdict': 'not enough data yet'": (
        "the report says what sends have brought"
    ),
    r"\(outcome\)\.key: was 'outcome\\x1f[^']*\\x1fid\\x1f": "the key of an outcome with an id names the type",
    r"\(event\)\.key: was None": "the purchase of `sessions.state_times` has a time, and so a key",
    r"\(event\)\.key: was 'event\\x1f\w+', is 'event\\x1f\w+'$": "60 and 60.0 are one number, and one key",
    r"(\(outcome\)|\.content)\.dated: was 'absent', is (True|False)$": "a conversion says whose time it has",
    r"(\(outcome\)|\.content)\.is_copy: was 'absent', is True$": "an early outcome behind its decision says so",
    r"\.left_at: was 'absent', is (None|'2026-[^']*'|[0-9.]+)$": _LEFT,
    r"\.sends\.\d+\.decided_for: was 'absent', is (None|[0-9.]+)$": _LEFT,
    r"\.triggers\.\d+\.(occurred_at: was 'absent', is None|ends_on: was 'absent', is \[\])$": _ENDS,
    r"\.sends\.\d+\.(occurred_at: was 'absent', is None|ends_on: was 'absent', is \[\])$": _ENDS,
    r"\.state\.did_by_outcome: was 'absent', is {('purchase': [0-9.]+)?}$": _ENDS,
    r"^\.checkpoint\.(bytes: was 18113, is [0-9]+|sha256: )": (
        f"{_ENDS}; the checkpoint names its last row and its fold; contexts have a weekday"
    ),
    r"\.state\.activity\.by_hour\.\d+: was \d+\.0, is \d+\.0$": _HOURS,
    r"\.active_share: was [0-9.]+, is [0-9.]+$": _HOURS,
    r"^\.versions\.\d+\.facts\.policy: was 'absent', is 'default'$": "a version names the policy that it was made for",
    r"/activate \.headers\.idempotent-replay: was 'absent', is 'true'$": _GATE,
    r"\.reason: was 'unreachable', is 'bounced'$": _GATE,
    r"\.reason: was 'no_consent', is 'erased'$": _GATE,
    r"row \d+ \(event\)\.at: was 1795\d+\.0, is 1795\d+\.0$": _ARRIVAL,
    r"GET /v1/shoppers/(h-1|v-2) \.rows\.\d+\.content\.at: was 1795\d+\.0, is 1795\d+\.0$": _ARRIVAL,
    r"\.next_possible_at: was 'absent', is ('2026-[^']*'|None)$": _AGAIN,
    r"\(decision\)\.answer: was '(.*)}', is '\1,\"next_possible_at\":(\"[^\"]*\"|null)}'$": _AGAIN,
    r"^\.verdict\.reasons\.[2-6]\.(level|code|text): was ": (
        "the mean weight is corrected for skewness: its doubt is a smaller one, and stands behind the others"
    ),
    r"\.rules_version: was 3, is \d+$": "the rules judge endings, and the wish for no sends is a rule of its own",
}
"""Differences that were decided, each with its reason. A pattern names the field and what may stand there."""

NEW_FIGURES = {
    ".diagnostics.weights.largest_square_share": "the largest weight is compared with all",
    ".diagnostics.mean_weight_z": "the mean weight is corrected for skewness",
}
"""Figures of an evaluation that the recording lacks, each with its reason."""

_SHOWN = 10
"""How many differences of each part a failure shows. Later differences often follow from the first ones."""


@pytest.fixture(scope="module")
def steps() -> list[Step]:
    return sessions.state_times(sessions.read_lines(FIXTURE / "requests.jsonl.gz"))


@pytest.fixture(scope="module")
def recording() -> JsonObject:
    document: JsonObject = json.loads(gzip.decompress((FIXTURE / "expected.json.gz").read_bytes()))
    return document


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of the previous version. Tests read it and write only to copies."""
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
    """A data directory with an empty log that has the seed and the salt of the old log."""
    directory = tmp_path / "empty"
    directory.mkdir()
    sessions.create_empty_log(directory, old / LOG)
    return directory


def assert_no_differences(**parts: list[str]) -> None:
    """Fail with the first differences of every part that nobody decided."""
    parts = {
        part: [line for line in differences if not any(re.search(decided, line) for decided in DELIBERATE)]
        for part, differences in parts.items()
    }
    messages = [
        "\n  ".join([f"{len(differences)} differences in the {part}:", *(line[:500] for line in differences[:_SHOWN])])
        for part, differences in parts.items()
        if differences
    ]
    if messages:
        pytest.fail("\n".join(messages), pytrace=False)


def requests_of(steps: list[Step]) -> list[Step]:
    return [request for step in steps for request in step.get("together", [step]) if "path" in request]


def compare_by_request(steps: list[Step], recorded: list[JsonObject], current: list[JsonObject]) -> list[str]:
    """Return the differences between the answers to a session, each with its request."""
    return [
        f"{number}: {request['method']} {request['path']} {difference}"
        for number, (request, old, new) in enumerate(zip(requests_of(steps), recorded, current, strict=True))
        for difference in sessions.compare_answers(old, new)
    ]


def compare_by_path(recorded: dict[str, JsonObject], current: dict[str, JsonObject]) -> list[str]:
    return [
        f"{path} {difference}"
        for path, old in recorded.items()
        for difference in sessions.compare_answers(old, current[path])
    ]


def registry_of(recording: JsonObject) -> JsonObject:
    """Return the recorded registry, without digests of floats if this processor rounds differently."""
    versions, checkpoint = recording["versions"], recording["checkpoint"]
    if not sessions.rounds_as_recorded():
        versions = [version | {"sha256": None} for version in versions]
        checkpoint = checkpoint | {"sha256": None}
    return {"versions": versions, "checkpoint": checkpoint}


@pytest.mark.anyio
async def test_the_same_requests_get_the_same_answers_and_leave_the_same_log(
    replica: Start, redis: RealRedis, empty: Path, old: Path, steps: list[Step], recording: JsonObject
) -> None:
    answers = await sessions.Player(replica, redis, empty).play(steps)
    assert_no_differences(
        answers=compare_by_request(steps, recording["answers"], answers),
        log=sessions.compare_logs(sessions.read_log(old / LOG), sessions.read_log(empty / LOG)),
        registry=sessions.compare(registry_of(recording), sessions.read_registry(empty / REGISTRY)),
    )


@pytest.mark.anyio
async def test_an_old_data_directory_opens_and_gives_the_same_answers(
    replica: Start, data: Path, recording: JsonObject
) -> None:
    """Redis is empty, so the service rebuilds the shoppers' states from the whole old log."""
    async with replica(data_dir=data) as service:
        answers = await sessions.read_paths(service, list(recording["read_back"]))
    assert_no_differences(answers=compare_by_path(recording["read_back"], answers))


@pytest.mark.anyio
async def test_a_retry_of_an_old_decision_gets_the_old_bytes_and_no_second_row(
    replica: Start, data: Path, steps: list[Step], recording: JsonObject
) -> None:
    answers_by_request = dict(logged_decisions(steps, recording["answers"]))
    assert len(answers_by_request) > 100
    async with replica(data_dir=data) as service:
        before = service.rows()
        for request, answer in answers_by_request.items():
            retry = await service.client.post("/v1/decide", content=request)
            assert (retry.status_code, retry.text) == (200, answer)
            assert retry.headers["idempotent-replay"] == "true"
        assert service.rows() == before


def logged_decisions(steps: list[Step], answers: list[JsonObject]) -> Iterator[tuple[str, str]]:
    """Return the request and the answer of each decision that the log contains for a shopper who was never erased."""
    requests = requests_of(steps)
    erased_shoppers = [request["path"].rpartition("/")[2] for request in requests if request["method"] == "DELETE"]
    for request, answer in zip(requests, answers, strict=True):
        body: Any = request.get("body")
        is_logged = (request["path"], answer["status"]) == ("/v1/decide", 200) and not body.get("dry_run")
        if is_logged and body["shopper_id"] not in erased_shoppers:
            yield json.dumps(body), answer["text"]


@pytest.mark.anyio
@pytest.mark.parametrize("path", ["/v1/feedback", "/v1/events"])
async def test_a_retry_of_an_old_item_is_a_duplicate(
    replica: Start, data: Path, recording: JsonObject, path: str
) -> None:
    steps = sessions.read_lines(FIXTURE / "requests.jsonl.gz")
    items = list(logged_items(steps, recording["answers"], path))
    assert len(items) > 20
    async with replica(data_dir=data) as service:
        before = service.rows()
        for item in items:
            answer = await service.post(path, {"events": [item]})
            assert answer.json()["results"] == [{"status": "duplicate"}], item
        assert service.rows() == before


def logged_items(steps: list[Step], answers: list[JsonObject], path: str) -> Iterator[JsonObject]:
    """Return the items with an id or a time that the log contains for shoppers who were never erased."""
    requests = requests_of(steps)
    erased_shoppers = [request["path"].rpartition("/")[2] for request in requests if request["method"] == "DELETE"]
    for request, answer in zip(requests, answers, strict=True):
        if request["path"] != path or answer["status"] != 202:
            continue
        document = request["body"]
        items = document.get("events", [document])
        for item, result in zip(items, json.loads(answer["text"])["results"], strict=True):
            has_identity = "feedback_id" in item or "at" in item
            if has_identity and result["status"] != "invalid" and item.get("shopper_id") not in erased_shoppers:
                yield {name: value for name, value in item.items() if name != "now"}


def test_the_old_log_folded_from_its_start_gives_the_same_models_and_the_same_checkpoint(
    empty: Path, old: Path, recording: JsonObject
) -> None:
    positions = [version["position"] for version in recording["versions"]]
    registry = sessions.fold_log(empty, old / LOG, positions)
    assert_no_differences(registry=sessions.compare(registry_of(recording), registry))


@pytest.mark.parametrize("target", TARGETS)
def test_an_evaluation_of_the_old_log_gives_the_same_numbers(data: Path, recording: JsonObject, target: str) -> None:
    recorded, current = leaves(recording["evaluated"][target]), leaves(sessions.evaluate(data, target))
    assert list(recorded) == [name for name in current if name not in NEW_FIGURES]
    differing = [name for name, value in recorded.items() if not is_close(value, current[name])]
    assert_no_differences(numbers=[f"{name}: was {recorded[name]}, is {current[name]}" for name in differing])


def leaves(document: Any, path: str = "") -> dict[str, Any]:
    """Return every value of a document that is neither a dict nor a list, by its path."""
    if not isinstance(document, dict | list):
        return {path: document}
    parts = document.items() if isinstance(document, dict) else enumerate(document)
    return {name: leaf for key, part in parts for name, leaf in leaves(part, f"{path}.{key}").items()}


def is_close(recorded: Any, current: Any) -> bool:
    """Return whether two values are equal, floats up to rounding errors: processors may add in different orders."""
    if isinstance(recorded, float) and isinstance(current, float):
        return math.isclose(recorded, current, rel_tol=1e-9, abs_tol=1e-12)
    return bool(recorded == current)


def test_this_processor_rounds_as_the_one_of_the_recording() -> None:
    if not sessions.rounds_as_recorded():
        pytest.skip("this processor rounds otherwise: floats were compared up to rounding, not to the byte")


def test_every_kind_of_row_that_the_previous_version_knew_occurs_in_the_old_log(old: Path) -> None:
    all_kinds = {row_class.kind for row_class in get_args(rows.Row)} - {rows.ClockCorrectionRow.kind}
    log = sessions.read_log(old / LOG)
    assert {row["kind"] for row in log} == {msgspec.json.decode(row["body"])["row"] for row in log} == all_kinds


def test_a_difference_is_named_by_row_and_field(old: Path) -> None:
    recorded = sessions.read_log(old / LOG)
    number = next(n for n, row in enumerate(recorded) if row["kind"] == "decision")
    body = recorded[number]["body"]
    for old_text, new_text, differences in (
        (b'"arm":"treatment"', b'"arm":"random"', [".arm: was 'treatment', is 'random'"]),
        (b'"rules_version":', b'"rules_version":9', []),
    ):
        changed = [dict(row) for row in recorded]
        changed[number]["body"] = body.replace(old_text, new_text)
        assert changed[number]["body"] != body
        row = f"row {recorded[number]['position']} (decision)"
        assert sessions.compare_logs(recorded, changed) == [f"{row}{difference}" for difference in differences]
