"""A request for a decision: parsed, with the catalogue's defaults filled in."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from policies.records.rows import Context, TriggerRecord


class Exclusion(msgspec.Struct, frozen=True):
    """A pattern over the slots: a joint action that matches every slot that is not None is not eligible."""

    message: str | None = None
    channel: str | None = None
    delay_s: int | None = None


class Request(msgspec.Struct, frozen=True):
    """A caller asks which notification to send to a shopper, or none, after something happened.

    ``triggers`` say what happened; among equally urgent triggers the first has precedence. ``now`` is the time of the
    decision in epoch seconds. A ``deferred`` send counts as sent only once it is activated. ``ignored`` says which
    parts of the call were left out, by their paths, and why.
    """

    event_id: str
    shopper_id: str
    triggers: tuple[TriggerRecord, ...]
    now: float
    context: Context = {}
    exclude: tuple[Exclusion, ...] = ()
    deferred: bool = False
    ignored: Mapping[str, str] = {}
