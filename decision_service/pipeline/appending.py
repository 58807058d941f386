"""What a round decided goes to the log in one group: who is answered then, and who is not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from decision_service import metrics
from decision_service.errors import ServiceError, Unavailable, Uncertain
from decision_service.log.base import Appended, AppendResult, ConditionFailed, DuplicateKey, NewRow, StaleIncarnation
from decision_service.pipeline.degraded import DegradedHold
from decision_service.pipeline.draft import Draft
from decision_service.pipeline.item import DecisionResponse, Item
from decision_service.pipeline.known import replay
from decision_service.pipeline.parts import Parts
from decision_service.pipeline.reservations import Places
from decision_service.pipeline.rows import new_rows

Results = Mapping[Item, AppendResult]
Written = Mapping[Item, Draft] | Mapping[Item, DegradedHold]


@dataclass(frozen=True)
class Failures:
    """The items of a group that fail, and those whose state store began anew; the others are answered or go on."""

    errors: dict[Item, ServiceError] = field(default_factory=dict)
    stale: list[Item] = field(default_factory=list)


async def append_drafts(
    drafts: Mapping[Item, Draft], places: Places, parts: Parts, on_logged: Callable[[], None]
) -> Failures:
    """Append the rows of drafts, and answer those that the log has. The others are left for another round, or fail."""
    if not drafts:
        return Failures()
    rows = new_rows(drafts, places, parts.shopper_keys, parts.serving().rulebook)
    try:
        results = await _append(rows, parts)
    except Unavailable as error:
        if not isinstance(error, Uncertain):
            # Of an uncertain row the place stays until the state store contains the rows up to now.
            await places.release(rows, parts)
        return Failures(dict.fromkeys(rows, error))
    places.keep([item for item, result in results.items() if isinstance(result, Appended)])
    followed = _answer_appended(drafts, results)
    on_logged()
    await places.release([*places.held], parts)
    _answer_repeats(results)
    await _answer_followed(drafts, followed, parts)
    refused = {item: result for item, result in results.items() if isinstance(result, ConditionFailed)}
    if refused:
        await parts.log_writer.wait_until_contained(max(result.position for result in refused.values()))
    return _judge(drafts, results, places, parts)


def _judge(drafts: Mapping[Item, Draft], results: Results, places: Places, parts: Parts) -> Failures:
    """Say what becomes of the drafts that the log refused.

    The first one of a shopper that was refused keeps what was drawn, unless the shopper was erased. What rests on it is
    drawn anew, and so is what comes behind a row that brought others: these are about the shopper too.
    """
    failures, shoppers = Failures(), set[str]()
    for item, result in results.items():
        if isinstance(result, Appended) and not result.follow_ups:
            continue
        shopper_id = item.request.shopper_id
        is_first = shopper_id not in shoppers
        shoppers.add(shopper_id)
        if item.result is not None:
            continue
        if not is_first or (isinstance(result, ConditionFailed) and result.shopper_erased):
            item.forget()
        elif isinstance(result, StaleIncarnation):
            failures.stale.append(item)
        elif parts.log_writer.log.now() > places.deadline:
            failures.errors[item] = Unavailable("the reservation took too long")
        else:
            item.keep(drafts[item])
    return failures


async def append_holds(
    holds: Mapping[Item, DegradedHold], parts: Parts, on_logged: Callable[[], None]
) -> dict[Item, ServiceError]:
    """Append the rows of holds, and answer; return the items that fail."""
    if not holds:
        return {}
    rulebook = parts.serving().rulebook
    rows = {item: hold.new_row(item, parts.shopper_keys, rulebook) for item, hold in holds.items()}
    try:
        results = await _append(rows, parts)
    except Unavailable as error:
        return dict.fromkeys(rows, error)
    followed = _answer_appended(holds, results)
    on_logged()
    _answer_repeats(results)
    await _answer_followed(holds, followed, parts)
    erased = "the shopper was erased while this was decided"
    return {item: Unavailable(erased) for item in rows if item.result is None}


async def _append(rows: Mapping[Item, NewRow], parts: Parts) -> Results:
    return dict(zip(rows, await parts.log_writer.append_all([*rows.values()]), strict=True))


def _answer_appended(written: Written, results: Results) -> list[Item]:
    """Answer the items whose rows were appended; return those whose rows were followed by others."""
    appended = {item: result for item, result in results.items() if isinstance(result, Appended)}
    _settle(written, [item for item, result in appended.items() if not result.follow_ups])
    return [item for item, result in appended.items() if result.follow_ups]


async def _answer_followed(written: Written, items: Sequence[Item], parts: Parts) -> None:
    """Answer items once the state store contains the rows behind theirs: those may withdraw consent."""
    if items:
        await parts.log_writer.wait_until_contained()
        _settle(written, items)


def _answer_repeats(results: Results) -> None:
    """Answer the items that the log has already."""
    for item, result in results.items():
        if isinstance(result, DuplicateKey):
            item.settle(replay(result.row, item.fingerprint))


def _settle(written: Written, items: Iterable[Item]) -> None:
    answers = Counter[tuple[str, str]]()
    for item in items:
        answer = written[item].answer
        answers[answer.decision, answer.hold_reason or ""] += 1
        item.settle(DecisionResponse(written[item].body))
    for labels, count in answers.items():
        metrics.DECISIONS.labels(*labels).inc(count)
