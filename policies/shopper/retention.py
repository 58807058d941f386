"""Retention: which sends of a shopper the state keeps.

The state must be bounded, and every rule must find the sends that it needs. A rule asks for the sends of one *kind*:
the sends of one message, of one category or of one channel, or all sends. A rule counts at most `LARGEST_CAP` sends. It
counts them within the *horizon* of the send that is judged: `HORIZON_S` (31 days), or longer where a rule of the
catalogue in force looks further back. The catalogue refuses larger caps, and windows over 400 days.

**Limit by number.** The state keeps the latest `KEPT` sends of each kind. A send is dropped when it is not among the
latest `KEPT` sends of any of its kinds. This changes no verdict:

1. In each of its kinds, the dropped send has at least `KEPT` later sends.
2. At most `MAX_AHEAD` of these have a send time in the future, because the rule `cap_global` denies more.
3. So at least `LARGEST_CAP` of these were sent after the dropped send, and before now.
4. They are nearer to the send that is judged than the dropped send is. Where a rule would count the dropped send, the
   rule counts them too, and they alone reach every cap.

Critical sends have limits of their own: no rule counts critical sends, so they must not push out the others.

**Limit by age.** `KEPT` old sends of each kind would make the state ten times as large, and slow to read. So the state
also drops the sends that are too old for every rule. The age is not measured from the time of the latest row, because
the request clock may jump: a row of a distant future date must not push out the sends of today. The age is measured
from the (`STRAY` + 1)th latest send. So a send is dropped only when more than `STRAY` later sends lie more than
`reach_s` after it. If a later request is dated back to the time of a dropped send, its decision no longer sees this
send.
"""

from __future__ import annotations

from collections.abc import Iterable

from policies.shopper.state import HORIZON_S, Send

LARGEST_CAP = 256
"""The most sends that a rule counts: the catalogue and the preferences of a shopper allow no larger cap."""

MAX_AHEAD = 256
"""The most sends of a shopper that may have a send time in the future: the rule `cap_global` denies more."""

KEPT = LARGEST_CAP + MAX_AHEAD
"""How many sends of each kind the state keeps: the largest cap, plus the sends with a send time in the future."""

STRAY = 15
"""How many sends of a distant future date push out no send of today.

The example catalogue allows 7 sends in a week, which is 14 in two weeks; 15 is one more (chosen by hand).
"""

LONGEST_LEAD_S = 15 * 86_400.0
"""The longest time from a decision to its send: the largest delay of a catalogue (14 days), and room for a late
activation."""


def reach_s(horizon_s: float) -> float:
    """Return how much older than the (`STRAY` + 1)th latest send a send may be without being dropped.

    That send was decided at most `LONGEST_LEAD_S` before its send time, and no rule looks further back from a decision
    than the horizon.
    """
    return horizon_s + LONGEST_LEAD_S


def keep_relevant(sends: tuple[Send, ...], horizon_s: float = HORIZON_S) -> tuple[Send, ...]:
    """Return the sends that a rule may still ask for; ``sends`` is in order of time.

    >>> sends = tuple(
    ...     Send(event_id=str(day), send_at=day * 86_400.0, message="hint", channel="push", category="browse")
    ...     for day in (0, 40, 50, *range(500, 515))
    ... )
    >>> [send.event_id for send in keep_relevant(sends)][:3]
    ['40', '50', '500']
    """
    if len(sends) <= STRAY:
        return sends
    earliest = sends[-STRAY - 1].send_at - reach_s(horizon_s)
    if len(sends) <= KEPT and sends[0].send_at >= earliest:
        return sends
    recent = [send for send in sends if send.send_at >= earliest]
    kept = {*_latest(send for send in recent if send.critical), *_latest(send for send in recent if not send.critical)}
    return tuple(send for send in recent if send.event_id in kept)


def _latest(sends: Iterable[Send]) -> set[str]:
    """Return the event ids of the latest `KEPT` sends of each kind."""
    kinds: dict[tuple[str, str], list[str]] = {}
    for send in sends:
        for kind in (("", ""), ("message", send.message), ("category", send.category), ("channel", send.channel)):
            kinds.setdefault(kind, []).append(send.event_id)
    return {event_id for event_ids in kinds.values() for event_id in event_ids[-KEPT:]}
