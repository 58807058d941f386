"""The facts of a send that its life depends on."""

from __future__ import annotations

from typing import Protocol

import msgspec

from policies.records.rows import DecisionRow


class SendFacts(Protocol):
    """What the table of transitions needs to know of a send: decisions, shopper states and open windows have it."""

    @property
    def event_id(self) -> str:
        """The decision's id."""
        ...

    @property
    def channel(self) -> str | None:
        """The channel of the send."""
        ...

    @property
    def send_at(self) -> float | None:
        """When the send leaves."""
        ...

    @property
    def window_ends_at(self) -> float | None:
        """When the attribution window ends, if the send has one."""
        ...

    @property
    def deferred(self) -> bool:
        """Whether the send waits for its activation."""
        ...

    @property
    def left_at(self) -> float | None:
        """When the gate let the send leave; None where it did not, or where a row of an earlier version says so."""
        ...

    @property
    def occurred_at(self) -> float | None:
        """When the trigger occurred that the send answers; None where no event ends the trigger."""
        ...

    @property
    def ends_on(self) -> tuple[str, ...]:
        """The types of shopper events that end this trigger."""
        ...


class DecidedSend(msgspec.Struct, frozen=True):
    """The send of a decision, as far as the table of transitions needs to know it."""

    event_id: str
    channel: str | None
    send_at: float | None
    window_ends_at: float | None
    deferred: bool
    left_at: float | None = None
    occurred_at: float | None = None
    ends_on: tuple[str, ...] = ()

    @classmethod
    def of(cls, row: DecisionRow) -> DecidedSend:
        return cls(
            event_id=row.event_id,
            channel=row.channel,
            send_at=row.send_at,
            window_ends_at=row.window_ends_at,
            deferred=row.deferred,
            occurred_at=row.occurred_at,
            ends_on=row.ends_on,
        )
