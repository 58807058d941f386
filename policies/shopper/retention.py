"""Places: which of a shopper's sends are kept, so that the state is bounded and hides no rule.

A rule asks for sends of one message, category or channel, or for all of them: at most for 256, within 31 days of the
send that is judged (the catalogue allows no more). So the last `KEPT` of each message, of each category, of each
channel and of all are kept; critical ones apart, since they bind nobody. One that was let go has `KEPT` later ones in
each of its kinds, of which at most `MAX_AHEAD` lie ahead: the rules see to that. The others have left after it. They
fill every cap that it could fill, and are nearer to whatever is judged now: no verdict changes.

Sends go as well that no rule reaches any more: `KEPT` of each kind, however old, would make a state ten times as large
and slow to read. But rows may be of a distant date, which the request clock allows out of order, and must not take the
places of today: a send goes once more than `STRAY` others lie beyond its reach. What is decided for its date after that
does not see it.
"""

from __future__ import annotations

from collections.abc import Iterable

from policies.shopper.state import HORIZON_S, Send

MAX_AHEAD = 256
"""Places that a shopper may have ahead under whatever catalogue: a cap over all sends denies more."""

KEPT = 256 + MAX_AHEAD
"""Sends kept of each kind: the largest cap, and what may lie ahead."""

STRAY = 15
"""Sends that may be of a distant date (judgement): two weeks of them under a usual cap."""

REACH_S = HORIZON_S + 15 * 86_400.0
"""How far the sends kept go back from the last but `STRAY`: what rules reach, and the longest delay of that one."""


def keep_relevant(sends: tuple[Send, ...]) -> tuple[Send, ...]:
    """Give those of a shopper's sends, given in order of time, that may still bind a rule.

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
    """Name the last sends of each message, category and channel, and of all, in order of time."""
    kinds: dict[tuple[str, str], list[str]] = {}
    for send in sends:
        for kind in (("", ""), ("message", send.message), ("category", send.category), ("channel", send.channel)):
            kinds.setdefault(kind, []).append(send.event_id)
    return {event_id for own in kinds.values() for event_id in own[-KEPT:]}
