"""The journal: rows in, durable and in order; the state store is brought forward behind them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from decision_service.errors import Unavailable, Uncertain
from decision_service.log.base import (
    UNCONDITIONAL,
    Appended,
    Condition,
    Entry,
    EventLog,
    LogBusy,
    LogRow,
    LogUnavailable,
    Result,
)
from decision_service.log.group_commit import GroupCommit
from decision_service.log.row_times import at_watermark, row_encoder
from decision_service.projection.projector import Projector
from decision_service.state.base import StateUnavailable
from policies.records.rows import Row, decode, encode


@dataclass(frozen=True)
class Draft:
    """A row to be appended: its idempotency key, the incarnation that it is only valid in, and its condition.

    ``then`` gives what is written right behind it, in view of the earlier rows of its event: see `Entry`.
    """

    row: Row
    key: str | None = None
    fence: int | None = None
    condition: Condition = UNCONDITIONAL
    then: Callable[[Sequence[Row]], Sequence[Draft]] | None = None


class LogWriter:
    """Appends rows through the group commit and hands them to the projector.

    Parameters
    ----------
    log, commits
        The log, and its asyncio front.
    projector
        Brings the state store forward.
    """

    def __init__(self, log: EventLog, commits: GroupCommit, projector: Projector) -> None:
        self.log = log
        self._commits = commits
        self._projector = projector
        self._head = 0
        self._forwarding: asyncio.Task[None] | None = None
        self.incarnation: int | None = None

    async def append(self, draft: Draft) -> Result:
        """Append one row and return once it is durable; the state store follows by itself."""
        (result,) = await self.append_all([draft])
        return result

    async def append_all(self, drafts: Sequence[Draft]) -> list[Result]:
        """Append rows in order, in one transaction.

        Raises
        ------
        Unavailable
            When the log takes no more rows: none of these is in it.
        Uncertain
            When the log cannot be written: either none of the rows is in it, or all are.
        """
        try:
            results = await self._commits.append_all([_entry(draft) for draft in drafts])
        except LogBusy as error:
            raise Unavailable("too many rows wait to be written") from error
        except LogUnavailable as error:
            raise Uncertain("the log cannot be written") from error
        for draft, result in zip(drafts, results, strict=True):
            if isinstance(result, Appended):
                self._projector.offer(result.position, at_watermark(draft.row, result.watermark))
                self._head = max(self._head, result.position + result.followed)
        if self._forwarding is None or self._forwarding.done():
            self._forwarding = asyncio.create_task(self._forward())
        return results

    async def contained(self, position: int = 0) -> None:
        """Return when the state store contains every row appended here so far, and a position of others.

        A store that is away is not waited for: it decides nothing until it contains the whole log.
        """
        try:
            await self._projector.advance(max(position, self._head))
        except StateUnavailable:
            return

    async def _forward(self) -> None:
        """Keep the state store at the head, which may move meanwhile; a failure is the keeper's to mend."""
        reached = -1
        while reached < self._head:
            reached = self._head
            await self.contained()

    async def close(self) -> None:
        """Write what is queued and bring the state store forward once more."""
        await self._commits.close()
        if self._forwarding is not None:
            await self._forwarding


def _entry(draft: Draft) -> Entry:
    row = draft.row
    return Entry(
        kind=row.kind,
        at=row.at,
        body=encode(row),
        event_id=getattr(row, "event_id", None),
        shopper_id=getattr(row, "shopper_id", None),
        key=draft.key,
        fence=draft.fence,
        condition=draft.condition,
        dated=row_encoder(row),
        then=None if draft.then is None else _behind(draft.then),
    )


def _behind(then: Callable[[Sequence[Row]], Sequence[Draft]]) -> Callable[[Sequence[LogRow]], list[Entry]]:
    return lambda earlier: [_entry(draft) for draft in then([decode(row.body) for row in earlier])]
