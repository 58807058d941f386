"""Opening state stores, and what they are asked in tests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from decision_service.state.base import StateStore
from decision_service.state.pending import Reservation, ReserveResult
from decision_service.state.shopper_keys import ShopperKey
from decision_service.state.updates import ShopperUpdate, StateUpdate
from policies.rules.budget import utc_day
from policies.shopper.state import Send, ShopperState
from tests.factories import NOW

Open = Callable[..., Awaitable[StateStore]]

S = ShopperKey("s")
DAY = ("sms", utc_day(NOW))


async def begin(store: StateStore, *, anew: bool = False) -> str:
    token = await store.begin(await store.stored_incarnation(), anew=anew)
    assert token is not None
    return token


async def make_ready(store: StateStore, *, trusted: bool = True) -> StateStore:
    """Prepare a store, and trust it in the first incarnation unless said otherwise."""
    await store.prepare()
    if trusted:
        if not await store.is_current(1):
            assert await store.complete(await begin(store), 1)
        await store.trust(1)
    return store


def reservation(version: int, event_id: str = "e", *, unique: str = "1", shopper: ShopperKey = S) -> Reservation:
    return Reservation(
        shopper,
        version,
        f"{event_id}/{unique}",
        Send(event_id=event_id, send_at=NOW, message="m", channel="push", category="c"),
        catalogue=1,
    )


def paid_reservation(number: int, *, budget: int | None = 100_000) -> Reservation:
    """A text message of 0.03; each number is another shopper, on the same day."""
    send = Send(event_id=f"e-{number}", send_at=NOW, message="m", channel="sms", category="c", cost=0.03)
    return Reservation(ShopperKey(f"s-{number}"), 0, f"e-{number}/1", send, catalogue=1, budget=budget)


async def reserve(store: StateStore, reservation: Reservation) -> ReserveResult:
    (result,) = await store.reserve_many([reservation])
    return result


async def apply_one(store: StateStore, before: int) -> bool:
    update = StateUpdate(before, before + 1, {S: ShopperUpdate(ShopperState(locale="es"))}, {DAY: 30_000})
    return await store.apply(update)
