"""What has become of a send: the statuses, and what each one means for caps, learning and reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal[
    "held", "waiting", "scheduled", "sent", "expired", "refused", "cancelled", "bounced", "voided", "superseded"
]


@dataclass(frozen=True)
class SendStatus:
    """What has become of a decision, and what this means everywhere.

    Parameters
    ----------
    name
        What inspector, timeline and report show.
    holds_place
        The send counts under caps, gaps and budgets.
    counts_as_sent
        The report counts the send as delivered, and the inspector shows its reward.
    is_learned
        The send is learned from when its attribution window closes.
    """

    name: Status
    holds_place: bool = False
    counts_as_sent: bool = False
    is_learned: bool = False


HELD = SendStatus("held")
"""Nothing was sent; the reason is the decision's ``hold_reason``."""

WAITING = SendStatus("waiting", holds_place=True)
"""The send is deferred, and nobody has activated it yet."""

SCHEDULED = SendStatus("scheduled", holds_place=True, counts_as_sent=True, is_learned=True)
"""The send leaves by itself at its send time, which lies ahead."""

SENT = SendStatus("sent", holds_place=True, counts_as_sent=True, is_learned=True)
"""The send has left."""

EXPIRED = SendStatus("expired")
"""Nobody activated the send within the grace after its send time, or the caller asked the gate after the grace."""

REFUSED = SendStatus("refused")
"""The activation gate said no; the reason is the code of the rule."""

CANCELLED = SendStatus("cancelled")
"""The caller said that the send will not leave."""

BOUNCED = SendStatus("bounced")
"""An outcome said in time that the send reached nobody."""

WITHDRAWN = SendStatus("voided")
"""The shopper withdrew consent before the send time.

The reason is the type of the outcome (about another send) or ``preferences``.
"""

ERASED = SendStatus("voided")
"""The shopper was erased before the send time; the reason is ``erasure``."""

SUPERSEDED = SendStatus("superseded")
"""What the send was to answer ended before the send time; the reason is the type of the event, such as ``purchase``."""


@dataclass(frozen=True)
class StatusChange:
    """A status, since when, why, and which row of the log says so."""

    status: SendStatus
    at: float
    reason: str | None = None
    position: int | None = None
