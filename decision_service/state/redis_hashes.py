"""Redis hashes: how they hold shoppers' states, pending facts and spending. `RedisStateStore` describes the keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from decision_service.state.base import UnreadableState
from decision_service.state.contents import StoredState
from decision_service.state.shopper_keys import ShopperKey
from policies.rules.budget import NOTHING_SPENT, BudgetDay, Spent
from policies.shopper.preferences import withhold
from policies.shopper.state import Send, ShopperState

RESERVED, WITHDRAWN = "p:", "w:"
"""Prefixes of the fields that hold pending facts: reservations, and withdrawals."""

Hash = Mapping[bytes, bytes]

encode_state = msgspec.msgpack.Encoder().encode
"""Write a state, or a send."""

_decode_state = msgspec.msgpack.Decoder(ShopperState).decode
_decode_send = msgspec.msgpack.Decoder(Send).decode


def pending_name(shopper: ShopperKey, field: str) -> str:
    """Return the name of a pending fact among those of all shoppers."""
    return f"{shopper} {field}"  # shoppers' keys have no spaces


def split_pending_name(name: bytes) -> tuple[ShopperKey, str]:
    """Return the shopper and the field of a pending fact."""
    shopper, _, field = name.decode().partition(" ")
    return ShopperKey(shopper), field


def day_name(day: BudgetDay) -> str:
    """Return the field of a budget day, or of the uses of a name on a day."""
    return f"{day[0]} {day[1]}"


def day_of(name: bytes) -> BudgetDay:
    """Return the budget day of a field.

    >>> day_of(b"sms 20000")
    ('sms', 20000)
    """
    channel, _, day = name.decode().rpartition(" ")
    return channel, int(day)


def stored_state(fields: Hash, position: int = 0, spent: Spent = NOTHING_SPENT) -> StoredState:
    """Return a shopper's state with all pending facts.

    Raises
    ------
    UnreadableState
        When what is stored is no state.
    """
    state = folded = folded_state(fields)
    try:
        for field, value in _pending_fields(fields):
            is_send = field.startswith(RESERVED)
            state = state.with_claim(_decode_send(value)) if is_send else withhold(state, value.decode())
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnreadableState(str(error)) from error
    return StoredState(state, int(fields.get(b"v", 0)), position, spent, folded)


def folded_state(fields: Hash) -> ShopperState:
    """Return a shopper's state without pending facts.

    Raises
    ------
    UnreadableState
        When what is stored is no state.
    """
    blob = fields.get(b"b")
    try:
        return ShopperState() if blob is None else _decode_state(blob)
    except msgspec.DecodeError as error:
        raise UnreadableState(str(error)) from error


def _pending_fields(fields: Hash) -> Iterator[tuple[str, bytes]]:
    return ((name.decode(), value) for name, value in fields.items() if name[1:2] == b":")
