"""Retention: which of a shopper's sends the state keeps, so that it is bounded and every rule sees what it needs.

**By number.** A rule asks for sends of one message, category or channel, or for all sends: for at most 256, within 31
days of the send that is judged (the catalogue allows no more). So the state keeps the last `KEPT` sends of each
message, category and channel, and of all. Critical sends are kept separately, since no rule counts them. A send that
was dropped has `KEPT` later sends in each of its kinds. At most `MAX_AHEAD` of them lie ahead: a rule sees to that. The
others left after the dropped send, fill every cap that it could fill, and are nearer to any send that is judged now. So
no verdict changes.

**By age.** The state also drops sends that no rule looks back to: `KEPT` old sends of each kind would make the state
ten times as large, and slow to read. A row may be of a distant date, because the request clock may jump; such rows must
not push out the sends of today. So a send is dropped only when more than `STRAY` later sends are out of its reach. A
decision for its date after that does not see it.
"""

from __future__ import annotations

from collections.abc import Iterable

from policies.shopper.state import HORIZON_S, Send

MAX_AHEAD = 256
"""Most sends of a shopper that may lie ahead under any catalogue; the rule `cap_global` denies more."""

KEPT = 256 + MAX_AHEAD
"""Sends kept of each kind: the largest cap, plus the sends that may lie ahead."""

STRAY = 15
"""Sends that may be of a distant date: two weeks of sends under a usual cap (chosen by hand)."""

REACH_S = HORIZON_S + 15 * 86_400.0
"""How far before the last send but `STRAY` sends are kept: the farthest look-back, plus that send's longest delay."""


def keep_relevant(sends: tuple[Send, ...]) -> tuple[Send, ...]:
    """Return the sends that a rule may still ask for; ``sends`` is in order of time.

    >>> sends = tuple(Send(str(day), day * 86_400.0, "hint", "push", "browse") for day in (0, 40, 50, *range(500, 515)))
    >>> [send.event_id for send in keep_relevant(sends)][:3]
    ['40', '50', '500']
    """
    if len(sends) <= STRAY:
        return sends
    oldest = sends[-STRAY - 1].send_at - REACH_S
    if len(sends) <= KEPT and sends[0].send_at >= oldest:
        return sends
    recent = [send for send in sends if send.send_at >= oldest]
    kept = {*_latest(send for send in recent if send.critical), *_latest(send for send in recent if not send.critical)}
    return tuple(send for send in recent if send.event_id in kept)


def _latest(sends: Iterable[Send]) -> set[str]:
    """Return the event ids of the last sends of each message, category and channel, and of all."""
    kinds: dict[tuple[str, str], list[str]] = {}
    for send in sends:
        for kind in (("", ""), ("message", send.message), ("category", send.category), ("channel", send.channel)):
            kinds.setdefault(kind, []).append(send.event_id)
    return {event_id for event_ids in kinds.values() for event_id in event_ids[-KEPT:]}
