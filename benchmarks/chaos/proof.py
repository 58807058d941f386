"""What must hold afterwards: the log keeps every rule, and the state store holds what the log says."""

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
from policies.shopper.fold import fold
from policies.shopper.state import NEW_SHOPPER, ShopperState
from tests.reference.auditor import Auditor, audit


@dataclass(frozen=True)
class Proof:
    """What the log and the state store say after a run."""

    rows: int
    sends: int
    places: int
    violations: Counter[str]
    reasons: Counter[str]
    """How many joint actions were excluded, by reason."""
    places_that_differ: list[str]
    states_that_differ: list[str]
    budgets_that_differ: list[str]

    @property
    def holds(self) -> bool:
        """Whether nothing was found."""
        found = (self.violations, self.places_that_differ, self.states_that_differ, self.budgets_that_differ)
        return not any(found)


async def prove(log: EventLog, redis_url: str) -> Proof:
    """Audit a log that nobody writes to any more, and compare it with the states in Redis."""
    rows, shopper_keys = rows_of(log), ShopperKeys((log.read_fact("salt") or "").encode())
    found = audit(rows, concurrent=True, key_of=shopper_keys.key)
    now = max(row.at for _, row in rows)
    folded = _folded([row for _, row in rows], shopper_keys)
    store = RedisStateStore.connect(redis_url, log.read_fact("log_id") or "")
    try:
        stored = {key: each.state for key, each in (await store.read_folded(folded)).items()}
        reached = await store.position()
        budgets = await _budgets_that_differ(store, found, log, now)
    finally:
        await store.close()
    states: list[str] = [key for key, state in folded.items() if stored[key] != state]
    decisions = [row for _, row in rows if isinstance(row, DecisionRow)]
    return Proof(
        rows=len(rows),
        sends=sum(row.is_delivered for row in decisions),
        places=sum(map(len, found.places(now).values())),
        violations=Counter(violation.code for violation in found.violations),
        reasons=_reasons(decisions),
        places_that_differ=_places_that_differ(found, stored, shopper_keys, now),
        states_that_differ=states if reached == rows[-1][0] else [f"position {reached} of {rows[-1][0]}", *states],
        budgets_that_differ=budgets,
    )


def rows_of(log: EventLog) -> list[tuple[int, Row]]:
    """Read the whole log."""
    return [(stored.position, stored.row) for stored in read_rows(log)]


def _folded(rows: list[Row], shopper_keys: ShopperKeys) -> dict[ShopperKey, ShopperState]:
    """Fold every shopper's state from the log; one who was erased begins anew."""
    states: dict[ShopperKey, ShopperState] = defaultdict(ShopperState)
    for row in rows:
        if isinstance(row, ErasureRow):
            states[ShopperKey(row.key)] = fold(NEW_SHOPPER, row)
        elif isinstance(row, SHOPPER_ROWS) and row.shopper_id and not is_pseudonym(row.shopper_id):
            key = shopper_keys.key(row.shopper_id)
            states[key] = fold(states[key], row)
    return states


def _places_that_differ(
    found: Auditor, stored: dict[ShopperKey, ShopperState], shopper_keys: ShopperKeys, now: float
) -> list[str]:
    replayed = {
        shopper_keys.key(shopper_id): {(each.event_id, each.send_at, each.channel, each.waits) for each in places}
        for shopper_id, places in found.places(now).items()
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


async def _budgets_that_differ(store: StateStore, found: Auditor, log: EventLog, now: float) -> list[str]:
    await store.trust(log.head().incarnation)
    costs = found.costs(now)
    spent = (await store.read(ShopperKey("nobody"), list(costs))).spent
    return [f"{day}: {spent[day]} not {cost}" for day, cost in costs.items() if Decimal(spent[day]) != cost * 1_000_000]


def _reasons(decisions: list[DecisionRow]) -> Counter[str]:
    counts = np.zeros(256, dtype=np.int64)
    for row in decisions:
        if row.verdicts:
            counts += np.bincount(unpack(row.verdicts, np.uint8), minlength=256)
    return Counter({reason.name: int(counts[reason]) for reason in Reason if 0 < reason < 255})
