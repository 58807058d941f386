"""The export of a shopper: all that is stored about the shopper, for machines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import msgspec

from decision_service.errors import Unavailable
from decision_service.log.base import EventLog, StoredRow
from decision_service.schemas.decision_answer import iso
from decision_service.schemas.preferences import preferences_of
from decision_service.state.base import StateStore, StateUnavailable
from decision_service.state.shopper_keys import ShopperKeys
from policies.catalogue.rulebook import Rulebook
from policies.records.request import Request
from policies.records.rows import DecisionRow
from policies.shopper.context import shared_context
from policies.shopper.renames import rename_state

_BATCH = 200
_TIMES_BY_NAME = ("did", "withheld")
"""Fields of a state that hold times by name."""


class Export:
    """Reads everything that is stored about a shopper.

    The document has the shopper's ``preferences``, the ``state`` that decisions rest on, the ``features`` that
    decisions are made on, and ``rows``: every row of the log about the shopper as it is stored, the latest first. An
    outcome that was logged before its decision follows that decision.

    Parameters
    ----------
    log, store
        Where rows and states are.
    shopper_keys
        Makes the keys that states are kept under.
    """

    def __init__(self, log: EventLog, store: StateStore, shopper_keys: ShopperKeys) -> None:
        self._log = log
        self._store = store
        self._shopper_keys = shopper_keys

    async def of(self, shopper_id: str, rulebook: Rulebook, now: float) -> AsyncIterator[bytes]:
        """Return the document as of a time, in parts, so that a long history needs little memory.

        Raises
        ------
        Unavailable
            When the state store is away.
        LogUnavailable
            When the log cannot be read.
        """
        try:
            state = (await self._store.read(self._shopper_keys.key(shopper_id))).state
        except StateUnavailable as away:
            raise Unavailable("the shopper's state is away") from away
        head = {
            "shopper_id": shopper_id,
            "as_of": iso(now),
            "preferences": preferences_of(state, rulebook),
            "state": by_field_name(state),
            "features": shared_context(
                Request("", shopper_id, (), now), rename_state(state, rulebook.former_names), rulebook
            ),
        }
        first = await asyncio.to_thread(self._page, shopper_id, None)
        return self._parts(shopper_id, head, first)

    async def _parts(self, shopper_id: str, head: dict[str, Any], page: list[StoredRow]) -> AsyncIterator[bytes]:
        yield msgspec.json.encode(head)[:-1] + b',"rows":['
        comma = b""
        while page:
            for row in await asyncio.to_thread(self._add_early_outcomes, page):
                yield comma + _entry(row)
                comma = b","
            page = await asyncio.to_thread(self._page, shopper_id, page[-1].position)
        yield b"]}"

    def _page(self, shopper_id: str, before: int | None) -> list[StoredRow]:
        return self._log.find_by_shopper(shopper_id, _BATCH, before)

    def _add_early_outcomes(self, page: list[StoredRow]) -> list[StoredRow]:
        """Add the outcomes that were logged before anybody knew whom they are about."""
        decided = [row.event_id for row in page if row.kind == DecisionRow.kind and row.event_id is not None]
        early = [row for row in self._log.find_by_event(decided) if row.shopper_id is None]
        return list(_insert_behind_decisions(page, early)) if early else page


def _insert_behind_decisions(page: list[StoredRow], early: list[StoredRow]) -> Iterator[StoredRow]:
    for row in page:
        yield row
        if row.kind == DecisionRow.kind:
            yield from (outcome for outcome in reversed(early) if outcome.event_id == row.event_id)


def _entry(row: StoredRow) -> bytes:
    return b'{"log_position":%d,"watermark":%s,"content":%s}' % (
        row.position,
        msgspec.json.encode(row.watermark),
        row.body,
    )


def by_field_name(value: Any, name: str = "") -> Any:
    """Return a state as JSON values: every field by its name, times as on the wire.

    >>> from policies.shopper.state import ShopperState
    >>> by_field_name(ShopperState(seen_at=0.0, did={"session": 60.0}))["did"]
    {'session': '1970-01-01T00:01:00Z'}
    """
    if isinstance(value, msgspec.Struct):
        return {field: by_field_name(getattr(value, field), field) for field in value.__struct_fields__}
    if isinstance(value, dict):
        return {key: by_field_name(item, "_at" if name in _TIMES_BY_NAME else "") for key, item in value.items()}
    if isinstance(value, tuple):
        return [by_field_name(item) for item in value]
    return iso(value) if name.endswith("_at") and value is not None else value
