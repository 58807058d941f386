"""The append: all rows of a round go to the log in one transaction; then the items are answered, or they fail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from decision_service import metrics
from decision_service.errors import ServiceError, Unavailable, Uncertain
from decision_service.log.base import (
    Appended,
    AppendResult,
    ConditionFailed,
    DamagedRow,
    DuplicateKey,
    NewRow,
    StaleIncarnation,
)
from decision_service.pipeline.degraded import DegradedHold
from decision_service.pipeline.draft import Draft
from decision_service.pipeline.item import DecisionResponse, Item
from decision_service.pipeline.known import damage_error, replay
from decision_service.pipeline.parts import Parts
from decision_service.pipeline.reservations import Reservations
from decision_service.pipeline.rows import new_rows

Results = Mapping[Item, AppendResult]
Written = Mapping[Item, Draft] | Mapping[Item, DegradedHold]


@dataclass(frozen=True)
class Failures:
    """The items that fail, and those whose state store began anew. The others are answered, or go on."""

    errors: dict[Item, ServiceError] = field(default_factory=dict)
    stale: list[Item] = field(default_factory=list)


async def append_drafts(
    drafts: Mapping[Item, Draft], reservations: Reservations, parts: Parts, on_logged: Callable[[], None]
) -> Failures:
    """Append the rows of drafts, and answer the items whose rows are in the log; the others fail or go on."""
    if not drafts:
        return Failures()
    rows = new_rows(drafts, reservations, parts.shopper_keys, parts.serving().rulebook)
    try:
        results = await _append(rows, parts)
    except Unavailable as error:
        if not isinstance(error, Uncertain):
            # An uncertain row keeps its reservation until the state store contains the rows up to now.
            await reservations.release(rows, parts)
        return Failures(dict.fromkeys(rows, error))
    reservations.keep([item for item, result in results.items() if isinstance(result, Appended)])
    followed = _answer_appended(drafts, results)
    on_logged()
    await reservations.release([*reservations.held], parts)
    _answer_repeats(results)
    await _answer_followed(drafts, followed, parts)
    refused = {item: result for item, result in results.items() if isinstance(result, ConditionFailed)}
    if refused:
        await parts.log_writer.wait_until_contained(max(result.position for result in refused.values()))
    return _judge(drafts, results, reservations, parts)


def _judge(drafts: Mapping[Item, Draft], results: Results, reservations: Reservations, parts: Parts) -> Failures:
    """Return the items that fail, and prepare the other items that the log refused for another round.

    The first refused item of a shopper keeps its draft, unless the shopper was erased. Later items of the shopper rest
    on that draft, so they are drawn anew. So are items behind a row that brought others: these change the shopper too.
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
        elif parts.log_writer.log.now() > reservations.deadline:
            failures.errors[item] = Unavailable("the reservation took too long")
        else:
            item.keep(drafts[item])
    return failures


async def append_holds(
    holds: Mapping[Item, DegradedHold], parts: Parts, on_logged: Callable[[], None]
) -> dict[Item, ServiceError]:
    """Append the rows of degraded holds, and answer their items; return the items that fail."""
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
    """Answer the items whose rows were appended; return the items whose rows have follow-up rows, unanswered."""
    appended = {item: result for item, result in results.items() if isinstance(result, Appended)}
    _settle(written, [item for item, result in appended.items() if not result.follow_ups])
    return [item for item, result in appended.items() if result.follow_ups]


async def _answer_followed(written: Written, items: Sequence[Item], parts: Parts) -> None:
    """Answer items once the state store contains their follow-up rows, which may withdraw consent."""
    if items:
        await parts.log_writer.wait_until_contained()
        _settle(written, items)


def _answer_repeats(results: Results) -> None:
    """Answer the items whose decisions the log had already; an item fails if a row of its event is damaged."""
    for item, result in results.items():
        if isinstance(result, DuplicateKey):
            item.settle(replay(result.row, item))
        elif isinstance(result, DamagedRow):
            item.settle(damage_error(item, result.position))


def _settle(written: Written, items: Iterable[Item]) -> None:
    answers = Counter[tuple[str, str]]()
    for item in items:
        row = written[item].row
        answers["send" if row.is_delivered else "hold", row.hold_reason or ""] += 1
        item.settle(DecisionResponse(written[item].body))
    for labels, count in answers.items():
        metrics.DECISIONS.labels(*labels).inc(count)
