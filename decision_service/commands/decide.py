"""The path of a decision, in reading order: state, decide, reserve, append to the log, answer."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from math import inf

import msgspec
from ulid import ULID

from decision_service import metrics
from decision_service.commands.early_outcomes import early_outcomes
from decision_service.errors import Erased, Invalid, Unavailable, Uncertain
from decision_service.learning.serving import ServedPolicy
from decision_service.log.base import UNCONDITIONAL, Appended, Condition, Conflict, Fenced, LogUnavailable, Precluded
from decision_service.log.keys import decision_key
from decision_service.projection.writer import Draft, LogWriter
from decision_service.schemas.decision_answer import Answer, answer, degraded_answer
from decision_service.schemas.requests import DecideBody
from decision_service.state.base import (
    RESERVED_FOR_S,
    NoLongerAllowed,
    Reservation,
    StateChanged,
    StateStore,
    StateUnavailable,
    Stored,
)
from decision_service.state.shopper_keys import ShopperKeys, is_pseudonym
from policies.catalogue.rulebook import Rulebook, millionths
from policies.decide import Decision, decide, is_held_out, still_allowed
from policies.decision_row import decision_row, degraded_row
from policies.records.request import Exclusion, Request
from policies.records.rows import DecisionRow, TriggerRecord, decode
from policies.rules.budget import BudgetDay, utc_day
from policies.shopper.context import shared_context
from policies.shopper.state import NEW_SHOPPER


@dataclass(frozen=True)
class DecisionResponse:
    """The bytes of an answer, and whether they were given before."""

    body: bytes
    replayed: bool = False


@dataclass(frozen=True)
class _Place:
    """A reserved place, the incarnation of the log that it was taken in, and how long it holds by the log's clock."""

    reservation: Reservation
    incarnation: int | None
    until: float


class Decider:
    """Decides: the only writer of decision rows.

    Parameters
    ----------
    serving
        Gives what to decide with; asked once per decision.
    store, journal
        The shoppers' states and the log.
    seed
        The application seed stored with the data.
    names
        Gives the keys that states are kept under.
    """

    def __init__(
        self,
        serving: Callable[[], ServedPolicy],
        store: StateStore,
        journal: LogWriter,
        seed: bytes,
        names: ShopperKeys,
    ) -> None:
        self._serving = serving
        self._store = store
        self._journal = journal
        self._seed = seed
        self._names = names

    async def decide(self, body: DecideBody, now: float) -> DecisionResponse:
        """Answer a request; what was answered is in the log.

        Raises
        ------
        Invalid
            When the trigger is unknown, or the event id was used with another body.
        Erased
            When the event id was used by a shopper who was erased.
        Unavailable
            When the log cannot be written, or a critical trigger finds the state store away.
        """
        fingerprint = "" if body.dry_run else _fingerprint(body)
        try:
            return await self._decide(body, now, fingerprint)
        except (Invalid, Unavailable):
            # Whatever has changed since, what was answered once is answered again.
            known = await self._known(body.event_id or "", fingerprint)
            if known is None:
                raise
            return known

    async def _decide(self, body: DecideBody, now: float, fingerprint: str) -> DecisionResponse:
        serving = self._serving()
        request = _request(body, now, serving.rulebook)
        try:
            if body.dry_run:
                decision, _ = await self._drawn(request, serving)
                return DecisionResponse(answer(decision, decision_row(decision)).encode())
            result = await self._logged(request, serving, fingerprint)
        except StateUnavailable as away:
            return await self._degrade(request, serving, fingerprint, away, dry_run=body.dry_run)
        if isinstance(result, Fenced):
            fenced = StateUnavailable("the state store began anew while this was decided")
            return await self._degrade(request, serving, fingerprint, fenced, dry_run=False)
        return result

    async def _known(self, event_id: str, fingerprint: str) -> DecisionResponse | None:
        """Give what was answered to an event id before, None where nothing was, or the log cannot be asked."""
        if not fingerprint:
            return None
        try:
            found = await asyncio.to_thread(self._journal.log.find_all, [decision_key(event_id)])
        except LogUnavailable:
            return None
        return _replay(Conflict(found[0]), fingerprint) if found else None

    async def may_run_out(self, times: Sequence[float]) -> bool:
        """Tell whether decisions at these times may use up a day's budget, so that their order would matter."""
        rulebook = self._serving().rulebook
        if not rulebook.budgets or len(times) < 2:
            return False
        days = sorted({day for at in times for day in budget_days(rulebook, at)})
        try:
            spent = (await self._store.read(self._names.key(""), days)).spent
        except StateUnavailable:
            return False  # nothing will be sent
        return any(
            spent[channel, day] + len(times) * millionths(rulebook.dearest[channel])
            > millionths(rulebook.budgets[channel])
            for channel, day in days
        )

    async def _read(self, request: Request, rulebook: Rulebook) -> Stored:
        return await self._store.read(self._names.key(request.shopper_id), budget_days(rulebook, request.now))

    async def _drawn(self, request: Request, serving: ServedPolicy) -> tuple[Decision, Stored]:
        stored = await self._read(request, serving.rulebook)
        return decide(request, stored.state, serving.rulebook, serving.policy, self._seed, stored.spent), stored

    async def _logged(self, request: Request, serving: ServedPolicy, fingerprint: str) -> DecisionResponse | Fenced:
        """Decide until it is in the log: anew where the shopper was erased meanwhile, of whom nothing may come back."""
        while True:
            decision, stored = await self._drawn(request, serving)
            if stored.state.send_of(request.event_id) is not None:  # a repeat, most likely: it takes no second place
                known = await self._known(request.event_id, fingerprint)
                if known is not None:
                    return known
            result = await self._settle(decision, stored, fingerprint)
            if not isinstance(result, Precluded):
                return result

    async def _settle(
        self, decision: Decision, stored: Stored, fingerprint: str
    ) -> DecisionResponse | Fenced | Precluded:
        """Reserve and append until both agree: what was drawn stays drawn, whether it may still leave can change.

        Precluded only where the shopper was erased.
        """
        shopper_id, since = decision.request.shopper_id, stored.position
        shoppers = (shopper_id, self._names.key(shopper_id))
        allowed = decision.is_send
        while True:
            row = decision_row(decision, lost_race=decision.is_send and not allowed, fingerprint=fingerprint)
            told = answer(decision, row)  # before the place is taken: what cannot be told takes none
            place = await self._reserve(decision, stored) if allowed else None
            if allowed and place is None:
                allowed = False
                continue
            condition = Condition(
                shoppers=shoppers,
                unerased_since=since,
                since=stored.position if place else None,
                until=place.until if place else inf,
            )
            result = await self._append(row, told, condition, place)
            if not isinstance(result, Precluded):
                return result
            await self._journal.contained(result.position)
            if result.erased:
                return result
            stored = await self._read(decision.request, decision.rulebook)
            allowed = allowed and still_allowed(decision, stored.state)

    async def _reserve(self, decision: Decision, stored: Stored) -> _Place | None:
        """Take the drawn send's place; None when a rule turned meanwhile."""
        send, rulebook = decision.send, decision.rulebook
        if send is None:
            return None
        budget = None if send.critical else rulebook.budgets.get(send.channel)
        reservation = Reservation(
            shopper=self._names.key(decision.request.shopper_id),
            version=stored.version,
            attempt=f"{send.event_id}/{ULID()}",
            send=send,
            catalogue=rulebook.version,
            budget=None if budget is None else millionths(budget),
        )
        incarnation, until = self._journal.incarnation, self._journal.log.now() + RESERVED_FOR_S
        while isinstance(taken := await self._store.reserve(reservation), StateChanged):
            if not still_allowed(decision, taken.stored.state):
                return None
            reservation = replace(reservation, version=taken.stored.version)
        if isinstance(taken, NoLongerAllowed):
            return None
        return _Place(reservation, incarnation, until)

    async def _append(
        self, row: DecisionRow, told: Answer, condition: Condition, place: _Place | None
    ) -> DecisionResponse | Fenced | Precluded:
        body = told.encode()
        row = msgspec.structs.replace(row, answer=body.decode())
        fence = None if place is None else place.incarnation
        try:
            result = await self._journal.append(
                Draft(row, decision_key(row.event_id), fence, condition, partial(early_outcomes, row))
            )
        except Uncertain:
            raise  # the row may be in the log: its claim stays until the store contains what was written by then
        except Unavailable:
            await self._give_back(place)
            raise
        if isinstance(result, Appended):
            if result.followed:  # by withdrawals, perhaps: the next decision is to know them
                await self._journal.contained()
            _count(told)
            return DecisionResponse(body)
        await self._give_back(place)
        if isinstance(result, Precluded) and self._journal.log.now() > condition.until:
            raise Unavailable("the reservation took too long")
        return _replay(result, row.fingerprint) if isinstance(result, Conflict) else result

    async def _give_back(self, place: _Place | None) -> None:
        """Give back what was not used; a store that is away forgets such claims by itself."""
        if place is not None:
            try:
                await self._store.release(place.reservation)
            except StateUnavailable:
                return

    async def _degrade(
        self, request: Request, serving: ServedPolicy, fingerprint: str, away: StateUnavailable, *, dry_run: bool
    ) -> DecisionResponse:
        """Hold, because nothing may be sent unguarded; only a critical trigger is told to come again."""
        if any(trigger.critical for trigger in request.triggers):
            raise Unavailable(f"the shopper's state is away: {away}") from away
        context = shared_context(request, NEW_SHOPPER, serving.rulebook)
        held_out = is_held_out(self._seed, request.shopper_id, serving.rulebook)
        row = degraded_row(request, serving.rulebook, serving.policy.record, context, held_out=held_out)
        row = msgspec.structs.replace(row, fingerprint=fingerprint)
        told = degraded_answer(row)
        if dry_run:
            return DecisionResponse(told.encode())
        return _unconditional(await self._append(row, told, UNCONDITIONAL, None))


def _unconditional(result: DecisionResponse | Fenced | Precluded) -> DecisionResponse:
    if not isinstance(result, DecisionResponse):
        raise Unavailable("the log refused a decision that takes no place")
    return result


def budget_days(rulebook: Rulebook, now: float) -> list[BudgetDay]:
    """Name the budgets that a decision made now may have to heed."""
    days = {utc_day(now + delay) for delay in rulebook.space.delays_s}
    return [(channel, day) for channel in rulebook.budgets for day in sorted(days)]


def _count(told: Answer) -> None:
    metrics.DECISIONS.labels(told.decision, told.hold_reason or "").inc()


def _replay(conflict: Conflict, fingerprint: str) -> DecisionResponse:
    winner = decode(conflict.row.body)
    if isinstance(winner, DecisionRow) and is_pseudonym(winner.shopper_id):
        raise Erased("this decision's shopper was erased")
    if not isinstance(winner, DecisionRow) or winner.fingerprint != fingerprint:
        raise Invalid.field("event_id", "was used for a decision with another body")
    metrics.REPLAYS.inc()
    return DecisionResponse(winner.answer.encode(), replayed=True)


def _request(body: DecideBody, now: float, rulebook: Rulebook) -> Request:
    """Fill in the catalogue's defaults."""
    known = rulebook.catalogue.triggers
    for number, trigger in enumerate(body.triggers):
        if trigger.type not in known:
            raise Invalid.field(f"triggers.{number}.type", f"the catalogue has no trigger {trigger.type!r}")
    triggers = tuple(
        TriggerRecord(
            type=trigger.type,
            priority=known[trigger.type].priority if trigger.priority is None else trigger.priority,
            critical=known[trigger.type].critical if trigger.critical is None else trigger.critical,
            expires_at=(
                now + known[trigger.type].expires_s if trigger.expires_at is None else trigger.expires_at.timestamp()
            ),
            attributes=trigger.attributes,
        )
        for trigger in body.triggers
    )
    exclude = tuple(Exclusion(each.message, each.channel, each.delay_s) for each in body.exclude)
    event_id = body.event_id or str(ULID())
    return Request(event_id, body.shopper_id, triggers, now, body.context, exclude, body.defer_activation)


def _fingerprint(body: DecideBody) -> str:
    """Name a body as parsed, its own defaults filled in, so that formatting does not matter.

    What the catalogue fills in is left out: a repeat is the same after the catalogue has changed.
    """
    said = _plain(body.model_dump(exclude={"event_id"}))
    return hashlib.blake2b(msgspec.json.encode(said, order="deterministic"), digest_size=16).hexdigest()


def _plain(value: object) -> object:
    """Give what is equal one spelling: instants of every offset, and whole numbers with or without a point."""
    match value:
        case dict():
            return {key: _plain(each) for key, each in value.items()}
        case list() | tuple():
            return [_plain(each) for each in value]
        case datetime():
            return _plain(value.timestamp())
        case float() if value.is_integer():
            return int(value)
    return value
