"""A batch gives what its requests give one after the other, to the byte: answers, rows, places and spending."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from decision_service.errors import ServiceError
from decision_service.pipeline.decider import DatedBody, Decider
from decision_service.pipeline.item import Result
from decision_service.pipeline.queue import Queue
from decision_service.schemas.parsing import parse
from decision_service.schemas.requests import DecideBody
from policies.records.rows import OutcomeRow
from policies.rules.budget import utc_day
from tests.decision_service.conftest import Replica, Start, decide_body
from tests.factories import DAY_S, NOW, small_document

SHOPPERS = ("anna", "ben", "carla")


def scarce_document() -> dict[str, Any]:
    """A catalogue with caps that bind, budgets that a few sends use up, and triggers that end or are critical."""
    document = small_document(
        delays_s=[0, 3_600, 86_400], caps=[{"max": 2, "window_s": 172_800}], min_gap_s=1_800, currency="EUR"
    )
    document["channels"]["push"] |= {"cost": 0.4, "daily_budget": 1.0}
    document["channels"]["email"] |= {"cost": 0.1, "daily_budget": 0.9}
    document["messages"]["hint"] |= {"cost": 0.2}
    document["triggers"]["cart_abandoned"]["ends_on"] = ["purchase"]
    document["triggers"]["urgent"] = {"priority": 1, "expires_s": 3_600, "critical": True}
    document["messages"]["hint"]["triggers"].append("urgent")
    return document


@dataclass
class Pair:
    """Two services with the same seed and logs of their own: one gets singles, the other one lists."""

    runner: asyncio.Runner
    singles: Replica
    lists: Replica
    examples: int = 0

    def begin(self) -> None:
        """Begin an example: its shoppers and its days are new."""
        self.examples += 1

    @property
    def prefix(self) -> str:
        return f"x{self.examples}-"

    @property
    def now(self) -> float:
        return NOW + 50 * DAY_S * self.examples


@pytest.fixture
def pair(replica: Start, tmp_path: Path) -> Iterator[Pair]:
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()

        async def start(name: str) -> Replica:
            (tmp_path / name).mkdir()
            return await stack.enter_async_context(
                replica(scarce_document(), policy="uniform", data_dir=tmp_path / name)
            )

        yield Pair(runner, runner.run(start("singles")), runner.run(start("lists")))
        runner.run(stack.aclose())


@dataclass(frozen=True)
class Wish:
    """A request of an example."""

    event: int
    shopper: str
    triggers: tuple[str, ...]
    exclude: tuple[str, ...]
    minutes: int
    dry_run: bool
    deferred: bool

    def request(self, prefix: str, begin: float) -> DatedBody:
        at = begin + 60 * self.minutes
        document = decide_body(
            event_id=f"{prefix}{self.event}",
            shopper_id=prefix + self.shopper,
            triggers=[{"type": kind} for kind in self.triggers],
            exclude=[{"channel": channel} for channel in self.exclude],
            dry_run=self.dry_run,
            defer_activation=self.deferred,
            now=datetime.fromtimestamp(at, UTC).isoformat(),
        )
        return parse(DecideBody, msgspec.json.encode(document)), at


@st.composite
def wishes(draw: st.DrawFn) -> list[Wish]:
    """Requests in time; now and then an event id comes twice, with the same body or with another one."""
    made: list[Wish] = []
    minutes = 0
    for number in range(draw(st.integers(2, 14))):
        minutes += draw(st.sampled_from((0, 0, 0, 1, 30, 60, 1_440)))
        if made and draw(st.integers(0, 7)) == 0:
            made.append(draw(st.sampled_from(made)))
            continue
        kind = st.sampled_from((*("cart_abandoned", "wishlist") * 6, "urgent", "nope"))
        made.append(
            Wish(
                event=draw(st.sampled_from((number, number, number, number, 0, 1))),
                shopper=draw(st.sampled_from(SHOPPERS)),
                triggers=tuple(dict.fromkeys(draw(st.lists(kind, min_size=1, max_size=2)))),
                exclude=draw(st.sampled_from(((), (), ("email",), ("push",)))),
                minutes=minutes,
                dry_run=draw(st.integers(0, 9)) == 0,
                deferred=draw(st.booleans()),
            )
        )
    return made


early_outcomes = st.lists(
    st.tuples(st.integers(0, 6), st.sampled_from(("opt_out", "bounce", "click", "complaint"))), max_size=2
)


async def report_early(service: Replica, outcomes: Sequence[tuple[int, str]], prefix: str, now: float) -> None:
    """Report outcomes of decisions that are not made yet."""
    at = datetime.fromtimestamp(now, UTC).isoformat()
    for number, kind in outcomes:
        outcome = {"event_id": f"{prefix}{number}", "type": kind, "feedback_id": str(number), "now": at}
        assert (await service.post("/v1/feedback", outcome)).status_code == 202


async def decide_one_by_one(service: Replica, requests: Sequence[DatedBody]) -> list[Result]:
    results: list[Result] = []
    for request in requests:
        results += await service.service.decider.decide_list([request])
    return results


def comparable(result: Result) -> object:
    return (type(result), result.detail, result.errors) if isinstance(result, ServiceError) else result


async def content(service: Replica, prefix: str, now: float) -> object:
    """Return the rows of an example, the states of its shoppers, and what its days have cost."""
    log, store = service.service.log, service.service.store
    await service.service.log_writer.wait_until_contained()
    stored = [row for shopper in SHOPPERS for row in log.find_by_shopper(prefix + shopper, 1_000)]
    # The copy of an outcome has a time of the log, which depends on the rows of other shoppers.
    rows = [msgspec.structs.replace(row.row, at=0.0) if isinstance(row.row, OutcomeRow) else row.row for row in stored]
    days = [(channel, utc_day(now) + ahead) for channel in ("push", "email") for ahead in range(12)]
    states = [await store.read(service.service.shopper_keys.key(prefix + shopper), days) for shopper in SHOPPERS]
    return sorted(rows, key=repr), [(known.state, known.folded, known.spent) for known in states]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wished=wishes(), outcomes=early_outcomes, size=st.sampled_from((2, 5, 64)))
def test_a_list_gives_what_its_requests_give_one_after_the_other(
    pair: Pair, wished: list[Wish], outcomes: list[tuple[int, str]], size: int
) -> None:
    pair.begin()
    requests = [wish.request(pair.prefix, pair.now) for wish in wished]

    async def scenario() -> None:
        for service in (pair.singles, pair.lists):
            await report_early(service, outcomes, pair.prefix, pair.now)
        decider = Decider(pair.lists.service.decider._parts, Queue(most_in_batch=size))
        in_order = await decide_one_by_one(pair.singles, requests)
        together = await decider.decide_list(requests)
        assert [*map(comparable, together)] == [*map(comparable, in_order)]
        contents = [await content(service, pair.prefix, pair.now) for service in (pair.singles, pair.lists)]
        assert contents[0] == contents[1]

    pair.runner.run(scenario())


@pytest.mark.parametrize("example", range(1, 6))
def test_what_an_early_opt_out_precludes_is_drawn_before_the_requests_behind(pair: Pair, example: int) -> None:
    """The second request rests on the first one, and the third one may use up the budget of the second."""
    pair.examples = example
    wished = [
        Wish(0, "carla", ("cart_abandoned",), (), 60, dry_run=False, deferred=False),
        Wish(1, "carla", ("cart_abandoned", "wishlist"), (), 120, dry_run=False, deferred=True),
        Wish(2, "anna", ("wishlist",), ("email",), 120, dry_run=False, deferred=False),
    ]
    requests = [wish.request(pair.prefix, pair.now) for wish in wished]

    async def scenario() -> None:
        for service in (pair.singles, pair.lists):
            await report_early(service, [(0, "opt_out")], pair.prefix, pair.now)
        in_order = await decide_one_by_one(pair.singles, requests)
        together = await pair.lists.service.decider.decide_list(requests)
        assert [*map(comparable, together)] == [*map(comparable, in_order)]

    pair.runner.run(scenario())
