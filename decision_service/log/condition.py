"""Conditions on an append, in the vocabulary of the standard dcb.events.

An append fails if rows of the log match a query after a position. Whoever decides on what they have read names the
position up to which they have read; if somebody else wrote a row that matters meanwhile, the append fails and the
decision is made again.
"""

from __future__ import annotations

from math import inf

import msgspec

from policies.records.rows import ActivationRow, ErasureRow, EventRow, OutcomeRow, PreferencesRow

CONSENT_KINDS = (OutcomeRow.kind, PreferencesRow.kind, ErasureRow.kind)
"""Kinds of rows that may withdraw consent: opt-outs and complaints, preferences, erasures."""

STATE_CHANGING_KINDS = (*CONSENT_KINDS, ActivationRow.kind)
"""Kinds of rows that may change what is allowed for a shopper without a reservation: an activation may move a send."""

ENDING_KINDS = (OutcomeRow.kind, EventRow.kind)
"""Kinds of rows that may end a trigger: shopper events, and the outcomes that count as such an event."""


def kinds_that_change(*, ends: bool) -> tuple[str, ...]:
    """Return the kinds of rows that may change what is allowed for a shopper; ``ends``: an event may end a trigger.

    >>> set(kinds_that_change(ends=True)) - set(kinds_that_change(ends=False))
    {'event'}
    """
    return (*STATE_CHANGING_KINDS, EventRow.kind) if ends else STATE_CHANGING_KINDS


class Query(msgspec.Struct, frozen=True):
    """Matches rows of some kinds, about some shoppers or about an event, after a position.

    Parameters
    ----------
    kinds
        A row matches if its kind is one of these,
    shoppers, event_id
        and its shopper is one of these, or its event is this one,
    after
        and its position is greater than this one.
    """

    kinds: tuple[str, ...]
    shoppers: tuple[str, ...] = ()
    event_id: str | None = None
    after: int = 0


class AppendCondition(msgspec.Struct, frozen=True):
    """What must be true of the log at the moment of writing; otherwise nothing is written.

    Parameters
    ----------
    fail_if
        No row of the log may match one of these queries.
    event_owner
        The rows of the new row's event must be about this shopper, or about none. An erasure puts them under a
        pseudonym.
    watermark_below
        The log's watermark, with the new row's time counted, must be lower than this.
    watermark_from
        The log's watermark, without the new row's time, must be this or later. A row that is dated by the watermark is
        not written once a clock correction has put the watermark back.
    deadline
        The log's clock must not be later than this. A reservation in the state store may be gone after it.
    incarnation
        The log must be in this incarnation: the state store that the new row rests on began in it.
    """

    fail_if: tuple[Query, ...] = ()
    event_owner: str | None = None
    watermark_below: float = inf
    watermark_from: float = -inf
    deadline: float = inf
    incarnation: int | None = None


UNCONDITIONAL = AppendCondition()
