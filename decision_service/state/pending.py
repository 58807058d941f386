"""Pending facts: what the log will contain in a moment, and the store counts already.

A reservation is pending until its decision row is written, a withdrawal until its outcome, preferences or erasure row
is.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from ulid import ULID

from decision_service.state.shopper_keys import ShopperKey
from policies.records.rows import Row
from policies.records.withholding import withheld_paths
from policies.shopper.state import Send

RESERVED_FOR_S = 30
"""How long a reservation holds: its row is written by then, or never.

A pending fact may be dropped after twice as long. Both the store and the log use wall time, so a machine that was
suspended cannot commit a row after its reservation was dropped. Not covered: a commit that takes longer than 30 s more,
or a difference between the clocks of two machines that is larger.
"""


class Reservation(msgspec.Struct, frozen=True):
    """A send to be reserved: it counts under the caps from then on.

    Parameters
    ----------
    shopper
        Who gets the send.
    version
        The version of the state that the send was decided on.
    attempt
        The event id, a slash, and a token of this try: a retry never releases the reservation of another try.
    send
        The send.
    catalogue
        The version of the catalogue that the send was decided with.
    budget
        What its channel may spend on its UTC day in millionths, None without a limit.
    former_channels
        Former names of the channel: what was spent under these names counts too.
    """

    shopper: ShopperKey
    version: int
    attempt: str
    send: Send
    catalogue: int
    budget: int | None = None
    former_channels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reserved:
    """The send is reserved."""


@dataclass(frozen=True)
class StateChanged:
    """Nothing was reserved: the shopper's state has changed since it was read."""


@dataclass(frozen=True)
class NoLongerAllowed:
    """Nothing was reserved: the day's budget does not pay for the send, or another catalogue is in force."""


ReserveResult = Reserved | StateChanged | NoLongerAllowed


@dataclass(frozen=True)
class Withdrawal:
    """A shopper withholds something, ahead of the row that says so.

    Parameters
    ----------
    path
        What is withheld, for example ``consent.push``: see `policies.records.withholding`.
    attempt
        The log's last position at that time, a slash, and a token of this try: the row will be behind this position, so
        an older row that withholds the same never settles the withdrawal. An earlier version named no position.
    """

    shopper: ShopperKey
    path: str
    attempt: str

    @classmethod
    def of(cls, shopper: ShopperKey, path: str, head: int) -> Withdrawal:
        return cls(shopper, path, f"{head}/{ULID()}")

    @classmethod
    def all_of(cls, shopper: ShopperKey, row: Row, head: int) -> list[Withdrawal]:
        """Return a withdrawal for each path that a row withholds, which will be behind the log's last position."""
        return [cls.of(shopper, path, head) for path in withheld_paths(row)]
