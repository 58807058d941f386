"""The path of a batch, in reading order: accept, read, draw, reserve, append to the log, answer.

Each stage handles a list of items. A *round* is one pass through all stages. An item that needs more than the others,
such as a second look after its reservation was refused, gets another round; the next batch does not wait for it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

from decision_service.errors import INTERNAL, Invalid, ServiceError, Unavailable
from decision_service.pipeline.appending import append_drafts, append_holds
from decision_service.pipeline.budget_days import budget_days
from decision_service.pipeline.degraded import DegradedHold, degrade
from decision_service.pipeline.draft import Draft, look_again
from decision_service.pipeline.drafting import draft_items
from decision_service.pipeline.item import DecisionResponse, Item
from decision_service.pipeline.known import find_known, find_reported
from decision_service.pipeline.parts import Parts
from decision_service.pipeline.reservations import Reservations
from decision_service.service_log import REQUEST_ID
from decision_service.state.base import StateUnavailable
from decision_service.state.contents import StoredState
from decision_service.state.reach import check_reach

States = Mapping[str, StoredState]
"""The states of shoppers by shopper id."""

_logger = logging.getLogger(__name__)


class RequestBatch:
    """Items that are decided together, as if one after the other; every item is settled when `decide` returns.

    Parameters
    ----------
    items
        The items in their order, each with an event id of its own.
    parts
        What the items are decided with.
    on_logged
        Called when the rows of the first round are in the log: the next batch may begin. Later calls change nothing.
    """

    def __init__(self, items: Sequence[Item], parts: Parts, on_logged: Callable[[], None]) -> None:
        self._items = items
        self._parts = parts
        self._on_logged = on_logged
        self._serving = parts.serving()

    async def decide(self) -> None:
        """Decide all items. A round decides as many items as one read of the states allows."""
        remaining = await self._accept(self._items)
        while remaining:
            remaining = await self._try_round(remaining)

    async def _accept(self, items: Sequence[Item]) -> Sequence[Item]:
        """Return the items whose requests fit the catalogue, and refuse the others."""
        errors: dict[Item, ServiceError] = {}
        for item in items:
            try:
                item.request = self._parts.requests.read(item.body, item.now, self._serving.rulebook)
            except Exception as error:
                errors[item] = service_error(error, item)
        await self._refuse(errors)
        return [item for item in items if item not in errors]

    async def _accept_anew(self, items: Sequence[Item]) -> Sequence[Item]:
        """Go on with the catalogue and the policy in force now; nothing of the items is drawn yet."""
        if (serving := self._parts.serving()) is self._serving:
            return items
        self._serving = serving
        return await self._accept(items)

    async def _try_round(self, items: Sequence[Item]) -> list[Item]:
        """Make a round; return the items that need another one. If an item breaks the round, that item alone fails."""
        reservations = Reservations.of(self._parts)
        try:
            return await self._round(items, reservations)
        except StateUnavailable as away:
            await self._degrade([item for item in items if item.result is None], away)
            return []
        except Exception as error:
            await reservations.release([*reservations.held], self._parts)
            remaining = [item for item in items if item.result is None]
            if len(remaining) > 1:
                await self._decide_one_by_one(remaining)
            elif remaining:
                remaining[0].settle(service_error(error, remaining[0]))
            return []

    async def _decide_one_by_one(self, items: Sequence[Item]) -> None:
        shoppers = set[str]()
        for item in items:
            if item.request.shopper_id in shoppers:
                item.forget()  # what was drawn may rest on an earlier item, which is decided anew
            shoppers.add(item.request.shopper_id)
            remaining = [item]
            while remaining:
                remaining = await self._try_round(remaining)

    async def _round(self, items: Sequence[Item], reservations: Reservations) -> list[Item]:
        # Items with a draft get their second look first: the other items may rest on its result.
        in_round = [item for item in items if item.draft is not None] or await self._accept_anew(items)
        states = await self._read(in_round)
        in_round = await self._answer_repeats(in_round, states)
        in_round = await self._end_at_reported(in_round)
        drafts = self._answer_dry_runs(self._draft(in_round, states))
        drafts = await reservations.reserve(drafts, self._parts)
        failures = await append_drafts(drafts, reservations, self._parts, self._on_logged)
        await self._refuse(failures.errors)
        await self._degrade(failures.stale, StateUnavailable("the state store began anew while this was decided"))
        return [item for item in items if item.result is None]

    async def _read(self, items: Sequence[Item]) -> States:
        """Read the states of all shoppers, and what was spent on each budget day, in one trip to the state store."""
        rulebook, key = self._serving.rulebook, self._parts.shopper_keys.key
        check_reach(self._parts.store, rulebook)
        shoppers = dict.fromkeys(item.request.shopper_id for item in items)
        days = budget_days(rulebook, (item.request for item in items))
        stored = await self._parts.store.read_many([key(shopper) for shopper in shoppers], days)
        return dict(zip(shoppers, stored, strict=True))

    async def _answer_repeats(self, items: Sequence[Item], states: States) -> Sequence[Item]:
        """Answer the repeats of logged decisions, and return the other items.

        An item is looked for in the log if it may be a repeat, or if a later item of the round is about the same
        shopper. Every other repeat is found when its row is appended.
        """
        leaders = _find_leaders(items)
        suspects = [
            item
            for item in items
            if item.draft is None and (item in leaders or item.has_rival or _has_place(item, states))
        ]
        for item, result in (await find_known(self._parts.log_writer.log, suspects)).items():
            item.settle(result)
        return [item for item in items if item.result is None] if suspects else items

    async def _end_at_reported(self, items: Sequence[Item]) -> Sequence[Item]:
        """Return the items up to the first one of a list whose outcomes were reported already.

        These outcomes are logged behind its decision. They may withdraw consent, and give a budget something back: the
        items behind it must know this.
        """
        reported = await find_reported(self._parts.log_writer.log, [item for item in items[:-1] if item.is_of_list])
        end = next((number for number, item in enumerate(items, 1) if item in reported), len(items))
        return items[:end]

    def _draft(self, items: Sequence[Item], states: States) -> dict[Item, Draft]:
        """Draw for the first items, or look again at the drafts that the items have."""
        if items and items[0].draft is not None:
            return {
                item: look_again(item.draft, states[item.request.shopper_id], is_lost=item.is_lost)
                for item in items
                if item.draft is not None
            }
        return draft_items(items, states, self._serving, self._parts.seed)

    def _answer_dry_runs(self, drafts: dict[Item, Draft]) -> dict[Item, Draft]:
        """Answer the dry runs, and return the drafts of the other items."""
        for item, draft in drafts.items():
            if item.is_dry_run:
                item.settle(DecisionResponse(draft.body))
        return {item: draft for item, draft in drafts.items() if not item.is_dry_run}

    async def _degrade(self, items: Sequence[Item], away: StateUnavailable) -> None:
        """Hold the items: without the states the rules cannot judge, so nothing may be sent."""
        if not items:
            return
        holds: dict[Item, DegradedHold] = {}
        errors: dict[Item, ServiceError] = {}
        for item in items:
            try:
                hold = degrade(item, self._serving, self._parts.seed, away)
            except Exception as error:
                errors[item] = service_error(error, item)
                continue
            if item.is_dry_run:
                item.settle(DecisionResponse(hold.body))
            else:
                holds[item] = hold
        errors |= await append_holds(holds, self._parts, self._on_logged)
        await self._refuse(errors)

    async def _refuse(self, errors: Mapping[Item, ServiceError]) -> None:
        """Settle items with errors. But a repeat gets the first answer again, whatever has changed since."""
        curable = [item for item, error in errors.items() if isinstance(error, Invalid | Unavailable)]
        known = await find_known(self._parts.log_writer.log, curable)
        for item, error in errors.items():
            item.settle(known.get(item, error))


def _find_leaders(items: Sequence[Item]) -> set[Item]:
    """Return the items whose shopper has another item behind: that item rests on the result of the first one."""
    leaders, later_shoppers = set[Item](), set[str]()
    for item in reversed(items):
        if item.request.shopper_id in later_shoppers:
            leaders.add(item)
        later_shoppers.add(item.request.shopper_id)
    return leaders


def _has_place(item: Item, states: States) -> bool:
    return states[item.request.shopper_id].state.send_of(item.request.event_id) is not None


def service_error(error: Exception, item: Item | None = None) -> ServiceError:
    """Return an error that the caller may see; an error that nobody foresaw is written to the service log.

    A batch runs for many requests, so the item says under which request's id the error is logged.
    """
    if isinstance(error, ServiceError):
        return error.with_traceback(None)  # its frames hold the items, and an item holds its error: a cycle
    request_id = REQUEST_ID.get() if item is None else item.request_id
    _logger.error("a decision failed", exc_info=error, extra={"request_id": request_id})
    return ServiceError(INTERNAL)
