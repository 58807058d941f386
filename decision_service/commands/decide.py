"""The path of a decision, in reading order: state, decide, reserve, append to the log, answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import msgspec
from ulid import ULID

from decision_service import metrics
from decision_service.commands.decide_request import RequestReader, fingerprint
from decision_service.commands.early_outcomes import early_outcomes
from decision_service.errors import Erased, Invalid, Unavailable, Uncertain
from decision_service.learning.serving import ServedPolicy
from decision_service.log.base import (
    Appended,
    ConditionFailed,
    DuplicateKey,
    LogUnavailable,
    NewRow,
    StaleIncarnation,
    StoredRow,
)
from decision_service.log.condition import AppendCondition, Query, kinds_that_change
from decision_service.log.keys import decision_key
from decision_service.projection.writer import LogWriter
from decision_service.schemas.decision_answer import Answer, answer, degraded_answer
from decision_service.schemas.requests import DecideBody
from decision_service.state.base import (
    RESERVED_FOR_S,
    NoLongerAllowed,
    Reservation,
    StateChanged,
    StateStore,
    StateUnavailable,
    StoredState,
)
from decision_service.state.shopper_keys import ShopperKeys, is_pseudonym
from policies.catalogue.rulebook import Rulebook, millionths
from policies.decide import decide, is_held_out, next_possible_send, still_allowed
from policies.decision import Decision
from policies.decision_row import LOST_RACE, NO_ELIGIBLE_ACTION, decision_row, degraded_row
from policies.records.request import Request
from policies.records.rows import DecisionRow, ErasureRow
from policies.rules.budget import BudgetDay, utc_day
from policies.rules.rules import RULES
from policies.shopper.context import shared_context
from policies.shopper.renames import rename_spending
from policies.shopper.retention import LONGEST_LEAD_S
from policies.shopper.state import NEW_SHOPPER


@dataclass(frozen=True)
class DecisionResponse:
    """The bytes of an answer, and whether an earlier request got them."""

    body: bytes
    replayed: bool = False


@dataclass(frozen=True)
class _HeldReservation:
    """A reservation that was made, the log's incarnation at that time, and the log's time until which it holds."""

    reservation: Reservation
    incarnation: int | None
    deadline: float


class Decider:
    """Decides: the only writer of decision rows.

    Parameters
    ----------
    serving
        Returns the catalogue and the policy to decide with; called once per decision.
    store, log_writer
        The shoppers' states and the log.
    seed
        The application seed stored with the data.
    shopper_keys
        The keys that states are kept under.
    requests
        Makes requests of bodies.
    """

    def __init__(
        self,
        serving: Callable[[], ServedPolicy],
        store: StateStore,
        log_writer: LogWriter,
        seed: bytes,
        shopper_keys: ShopperKeys,
        requests: RequestReader,
    ) -> None:
        self._serving = serving
        self._store = store
        self._log_writer = log_writer
        self._seed = seed
        self._shopper_keys = shopper_keys
        self._requests = requests

    async def decide(self, body: DecideBody, now: float) -> DecisionResponse:
        """Answer a request; the log contains the decision before it is answered.

        Raises
        ------
        Invalid
            When the trigger is unknown, or the event id was used with another body.
        Erased
            When the event id was used by a shopper who was erased.
        Unavailable
            When the log cannot be written, or a critical trigger finds the state store away.
        """
        body_hash = "" if body.dry_run else fingerprint(body)
        seen = self._log_writer.head
        try:
            return await self._decide(body, now, body_hash, seen)
        except (Invalid, Unavailable):
            # A repeat gets the first answer again, whatever has changed since.
            earlier = await self._find_response(body.event_id or "", body_hash)
            if earlier is None:
                raise
            return earlier

    async def _decide(self, body: DecideBody, now: float, fingerprint: str, seen: int) -> DecisionResponse:
        serving = self._serving()
        request = self._requests.read(body, now, serving.rulebook)
        try:
            if body.dry_run:
                decision, stored = await self._draw(request, serving)
                return DecisionResponse((await self._answer(decision, decision_row(decision), stored)).encode())
            result = await self._draw_and_log(request, serving, fingerprint)
        except StateUnavailable as away:
            return await self._degrade(request, serving, fingerprint, away, seen, dry_run=body.dry_run)
        if isinstance(result, StaleIncarnation):
            stale = StateUnavailable("the state store began anew while this was decided")
            return await self._degrade(request, serving, fingerprint, stale, seen, dry_run=False)
        return result

    async def _find_response(self, event_id: str, fingerprint: str) -> DecisionResponse | None:
        """Return the response that an event id got before, None if it got none or the log cannot be read."""
        if not fingerprint:
            return None
        try:
            rows = await asyncio.to_thread(self._log_writer.log.find_by_key, [decision_key(event_id)])
        except LogUnavailable:
            return None
        return _replay(rows[0], fingerprint) if rows else None

    async def may_run_out(self, times: Sequence[float]) -> bool:
        """Return whether decisions at these times may use up a day's budget, so that their order would matter."""
        rulebook = self._serving().rulebook
        if not rulebook.budgets or len(times) < 2:
            return False
        days = sorted({day for at in times for day in budget_days(rulebook, at)})
        try:
            stored = await self._store.read(self._shopper_keys.key(""), days)
        except StateUnavailable:
            return False  # nothing will be sent
        spent = rename_spending(stored.spent, rulebook.former_names)
        return any(
            cost + len(times) * millionths(rulebook.dearest[channel]) > millionths(rulebook.budgets[channel])
            for (channel, _), cost in spent.items()
        )

    async def _read(self, request: Request, rulebook: Rulebook) -> StoredState:
        check_reach(self._store, rulebook)
        return await self._store.read(self._shopper_keys.key(request.shopper_id), budget_days(rulebook, request.now))

    async def _draw(self, request: Request, serving: ServedPolicy) -> tuple[Decision, StoredState]:
        stored = await self._read(request, serving.rulebook)
        return decide(request, stored.state, serving.rulebook, serving.policy, self._seed, stored.spent), stored

    async def _draw_and_log(
        self, request: Request, serving: ServedPolicy, fingerprint: str
    ) -> DecisionResponse | StaleIncarnation:
        """Decide until the decision is in the log; a shopper who is erased meanwhile is decided for anew."""
        while True:
            decision, stored = await self._draw(request, serving)
            if stored.state.send_of(request.event_id) is not None:  # probably a repeat: it reserves nothing
                earlier = await self._find_response(request.event_id, fingerprint)
                if earlier is not None:
                    return earlier
            result = await self._reserve_and_log(decision, stored, fingerprint)
            if not isinstance(result, ConditionFailed):
                return result

    async def _reserve_and_log(
        self, decision: Decision, stored: StoredState, fingerprint: str
    ) -> DecisionResponse | StaleIncarnation | ConditionFailed:
        """Reserve and append until both agree: the drawn action stays, only whether it is delivered can change.

        The result is `ConditionFailed` only if the shopper was erased.
        """
        shopper_id = decision.request.shopper_id
        shoppers = (shopper_id, self._shopper_keys.key(shopper_id))
        erased = Query((ErasureRow.kind,), shoppers, after=stored.position)
        kinds = kinds_that_change(ends=decision.send is not None and bool(decision.send.ends_on))
        allowed = decision.is_send
        while True:
            row = decision_row(decision, lost_race=decision.is_send and not allowed, fingerprint=fingerprint)
            # Before reserving: if rendering fails, nothing has been reserved.
            rendered = await self._answer(decision, row, stored)
            held = await self._reserve(decision, stored) if allowed else None
            if allowed and held is None:
                allowed = False
                continue
            condition = AppendCondition(fail_if=(erased,))
            if held is not None:
                changed = Query(kinds, shoppers, after=stored.position)
                condition = AppendCondition((erased, changed), deadline=held.deadline, incarnation=held.incarnation)
            result = await self._append(row, rendered, condition, held)
            if not isinstance(result, ConditionFailed):
                return result
            await self._log_writer.wait_until_contained(result.position)
            if result.shopper_erased:
                return result
            stored = await self._read(decision.request, decision.rulebook)
            allowed = allowed and still_allowed(decision, stored.state)

    async def _answer(self, decision: Decision, row: DecisionRow, stored: StoredState) -> Answer:
        """Write the answer; a hold that may end by itself says when."""
        if row.hold_reason not in (NO_ELIGIBLE_ACTION, LOST_RACE):
            return answer(decision, row)
        if row.hold_reason == LOST_RACE or decision.rulebook.budgets:
            key, days = self._shopper_keys.key(row.shopper_id), budget_days_ahead(decision)
            stored = await self._store.read(key, days)
        return answer(decision, row, next_possible_send(decision, stored.state, stored.spent))

    async def _reserve(self, decision: Decision, stored: StoredState) -> _HeldReservation | None:
        """Reserve the drawn send; None if a rule forbids it by now."""
        send, rulebook = decision.send, decision.rulebook
        if send is None:
            return None
        budget = None if send.critical else rulebook.budgets.get(send.channel)
        reservation = Reservation(
            shopper=self._shopper_keys.key(decision.request.shopper_id),
            version=stored.version,
            attempt=f"{send.event_id}/{ULID()}",
            send=send,
            catalogue=rulebook.version,
            budget=None if budget is None else millionths(budget),
            former_channels=rulebook.former_names.names_of_channel(send.channel)[1:],
        )
        incarnation, deadline = self._log_writer.incarnation, self._log_writer.log.now() + RESERVED_FOR_S
        while isinstance(result := await self._store.reserve(reservation), StateChanged):
            if not still_allowed(decision, result.stored.state):
                return None
            reservation = replace(reservation, version=result.stored.version)
        if isinstance(result, NoLongerAllowed):
            return None
        return _HeldReservation(reservation, incarnation, deadline)

    async def _append(
        self, row: DecisionRow, rendered: Answer, condition: AppendCondition, held: _HeldReservation | None
    ) -> DecisionResponse | StaleIncarnation | ConditionFailed:
        body = rendered.encode()
        row = msgspec.structs.replace(row, answer=body.decode())
        new_row = NewRow(
            row,
            decision_key(row.event_id),
            condition,
            partial(early_outcomes, row, self._serving().rulebook),  # with the names of a rename since the draw
        )
        try:
            result = await self._log_writer.append(new_row)
        except Uncertain:
            raise  # the row may be in the log: the reservation stays until the state store contains the rows up to now
        except Unavailable:
            await self._release(held)
            raise
        if isinstance(result, Appended):
            if result.follow_ups:  # they may withdraw consent, and the next decision must know that
                await self._log_writer.wait_until_contained()
            _count(rendered)
            return DecisionResponse(body)
        await self._release(held)
        if isinstance(result, ConditionFailed) and self._log_writer.log.now() > condition.deadline:
            raise Unavailable("the reservation took too long")
        return _replay(result.row, row.fingerprint) if isinstance(result, DuplicateKey) else result

    async def _release(self, held: _HeldReservation | None) -> None:
        """Release a reservation that was not used; a store that is away forgets it by itself."""
        if held is not None:
            try:
                await self._store.release(held.reservation)
            except StateUnavailable:
                return

    async def _degrade(
        self,
        request: Request,
        serving: ServedPolicy,
        fingerprint: str,
        away: StateUnavailable,
        seen: int,
        *,
        dry_run: bool,
    ) -> DecisionResponse:
        """Hold, because nothing may be sent without the rules.

        Raises
        ------
        Unavailable
            For a critical trigger: its caller must try again. So must the caller of a shopper who was erased after the
            log's position ``seen``: what was asked before the erasure must not be written behind it.
        """
        if any(trigger.critical for trigger in request.triggers):
            raise Unavailable(f"the shopper's state is away: {away}") from away
        context = shared_context(request, NEW_SHOPPER, serving.rulebook)
        held_out = is_held_out(self._seed, request.shopper_id, serving.rulebook)
        row = degraded_row(request, serving.rulebook, serving.policy.record, context, held_out=held_out)
        row = msgspec.structs.replace(row, fingerprint=fingerprint)
        rendered = degraded_answer(row, request.ignored)
        if dry_run:
            return DecisionResponse(rendered.encode())
        shoppers = (request.shopper_id, self._shopper_keys.key(request.shopper_id))
        condition = AppendCondition(fail_if=(Query((ErasureRow.kind,), shoppers, after=seen),))
        result = await self._append(row, rendered, condition, None)
        if not isinstance(result, DecisionResponse):
            raise Unavailable("the shopper was erased while this was decided")
        return result


def check_reach(store: StateStore, rulebook: Rulebook) -> None:
    """Raise `StateUnavailable` while the states do not keep sends as long as the rules of a catalogue look back."""
    if RULES.reach_s(rulebook) > store.horizon_s:
        raise StateUnavailable("the states are being folded again for a catalogue that looks further back")


def budget_days(rulebook: Rulebook, now: float) -> list[BudgetDay]:
    """Return the channels and days whose budgets may limit a decision that is made now."""
    return _of_every_budget(rulebook, {utc_day(now + delay) for delay in rulebook.space.delays_s})


def budget_days_ahead(decision: Decision) -> list[BudgetDay]:
    """Return the channels and days whose budgets may limit the same request later, before its triggers expire."""
    now, rulebook = decision.request.now, decision.rulebook
    expires_at = max(trigger.expires_at for trigger in decision.request.triggers)
    last = utc_day(min(expires_at, now + LONGEST_LEAD_S))
    return _of_every_budget(rulebook, range(utc_day(now), last + 1))


def _of_every_budget(rulebook: Rulebook, days: Iterable[int]) -> list[BudgetDay]:
    """Return days with the names, old ones too, of every channel that has a budget."""
    names, days = rulebook.former_names, sorted(days)
    return [(name, day) for channel in rulebook.budgets for name in names.names_of_channel(channel) for day in days]


def _count(rendered: Answer) -> None:
    metrics.DECISIONS.labels(rendered.decision, rendered.hold_reason or "").inc()


def _replay(stored: StoredRow, fingerprint: str) -> DecisionResponse:
    """Return the response of a decision that is in the log already."""
    winner = stored.row
    if isinstance(winner, DecisionRow) and is_pseudonym(winner.shopper_id):
        raise Erased("this decision's shopper was erased")
    if not isinstance(winner, DecisionRow) or winner.fingerprint != fingerprint:
        raise Invalid.field("event_id", "was used for a decision with another body")
    metrics.REPLAYS.inc()
    return DecisionResponse(winner.answer.encode(), replayed=True)
