"""Audit a log after a run: it must keep every rule, and the state store must agree with it."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from decision_service.log.base import EventLog
from decision_service.log.reading import read_rows
from decision_service.state.base import StateStore
from decision_service.state.redis import RedisStateStore
from decision_service.state.shopper_keys import ShopperKey, ShopperKeys, is_pseudonym
from policies.records.reasons import Reason
from policies.records.rows import SHOPPER_ROWS, DecisionRow, ErasureRow, Row, unpack
from policies.shopper.fold import fold, horizon_of
from policies.shopper.state import HORIZON_S, NEW_SHOPPER, ShopperState
from tests.reference.auditor import Auditor, audit


@dataclass(frozen=True)
class Proof:
    """The results of an audit of the log and the state store."""

    rows: int
    sends: int
    reservations: int
    left_early: int
    """The number of sends that the gate let leave before their send time."""
    superseded: int
    """The number of sends whose trigger ended before they left."""
    erasures: int
    violations: Counter[str]
    reasons: Counter[str]
    """Number of excluded joint actions, by reason."""
    reservations_that_differ: list[str]
    states_that_differ: list[str]
    budgets_that_differ: list[str]

    @property
    def holds(self) -> bool:
        return not any(
            (self.violations, self.reservations_that_differ, self.states_that_differ, self.budgets_that_differ)
        )


async def prove(log: EventLog, redis_url: str) -> Proof:
    """Audit a log to which nothing is written any more, and compare it with the states in Redis."""
    rows, shopper_keys = _read_log(log), ShopperKeys((log.read_fact("salt") or "").encode())
    auditor = audit(rows, concurrent=True, key_of=shopper_keys.key)
    now = log.head().watermark
    store = RedisStateStore(redis_url, log.read_fact("log_id") or "")
    try:
        horizon_s = horizon_of(await store.stored_fold_version()) or HORIZON_S
        store.keep_sends_for(horizon_s)
        folded = _fold_states([row for _, row in rows], shopper_keys, horizon_s)
        stored = await store.read_folded(folded)
        reached = await store.position()
        budgets = await _budgets_that_differ(store, auditor, log, now)
    finally:
        await store.close()
    states: list[str] = [key for key, state in folded.items() if stored[key] != state]
    decisions = [row for _, row in rows if isinstance(row, DecisionRow)]
    return Proof(
        rows=len(rows),
        sends=sum(row.is_delivered for row in decisions),
        reservations=sum(map(len, auditor.reservations(now).values())),
        left_early=auditor.left_early,
        superseded=auditor.superseded,
        erasures=sum(isinstance(row, ErasureRow) for _, row in rows),
        violations=Counter(violation.code for violation in auditor.violations),
        reasons=_reasons(decisions),
        reservations_that_differ=_reservations_that_differ(auditor, stored, shopper_keys, now),
        states_that_differ=states if reached == rows[-1][0] else [f"position {reached} of {rows[-1][0]}", *states],
        budgets_that_differ=budgets,
    )


def _read_log(log: EventLog) -> list[tuple[int, Row]]:
    return [(stored.position, stored.row) for stored in read_rows(log)]


def _fold_states(rows: list[Row], shopper_keys: ShopperKeys, horizon_s: float) -> dict[ShopperKey, ShopperState]:
    """Fold every shopper's state from the log; after an erasure the state begins anew."""
    states: dict[ShopperKey, ShopperState] = defaultdict(ShopperState)
    for row in rows:
        if isinstance(row, ErasureRow):
            states[ShopperKey(row.key)] = fold(NEW_SHOPPER, row)
        elif isinstance(row, SHOPPER_ROWS) and row.shopper_id and not is_pseudonym(row.shopper_id):
            key = shopper_keys.key(row.shopper_id)
            states[key] = fold(states[key], row, horizon_s)
    return states


def _reservations_that_differ(
    auditor: Auditor, stored: dict[ShopperKey, ShopperState], shopper_keys: ShopperKeys, now: float
) -> list[str]:
    replayed = {
        shopper_keys.key(shopper_id): {(one.event_id, one.send_at, one.channel, one.waits) for one in reservations}
        for shopper_id, reservations in auditor.reservations(now).items()
    }
    kept = {
        key: {
            (send.event_id, send.send_at, send.channel, send.deferred)
            for send in state.sends
            if not send.critical and not send.has_expired(now)
        }
        for key, state in stored.items()
    }
    return [key for key in {*replayed, *kept} if replayed.get(key, set()) != kept.get(key, set())]


async def _budgets_that_differ(store: StateStore, auditor: Auditor, log: EventLog, now: float) -> list[str]:
    await store.trust(log.head().incarnation)
    costs = auditor.costs(now)
    spent = (await store.read(ShopperKey("nobody"), list(costs))).spent
    return [f"{day}: {spent[day]} not {cost}" for day, cost in costs.items() if Decimal(spent[day]) != cost * 1_000_000]


def _reasons(decisions: list[DecisionRow]) -> Counter[str]:
    counts = np.zeros(256, dtype=np.int64)
    for row in decisions:
        if row.verdicts:
            counts += np.bincount(unpack(row.verdicts, np.uint8), minlength=256)
    return Counter({reason.name: int(counts[reason]) for reason in Reason if 0 < reason < 255})
