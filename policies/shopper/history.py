"""The history of a shopper's sends at a time: computed once for a request, for its context and for its numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf

import msgspec

from policies.shopper.state import HORIZON_S, Send, ShopperState
from policies.shopper.summaries import Responses, count_responses

LOAD_HALF_LIFE_S = 84 * 3_600.0
"""Half-life of fatigue, 3.5 days (chosen by hand; the simulator's shoppers recover at this pace)."""


class SendHistory(msgspec.Struct, frozen=True, gc=False):
    """What a shopper's sends say at a time.

    Parameters
    ----------
    left
        The sends that were sent, in the order of time.
    loads
        Fatigue by channel: the sends that were sent, each fading with a half-life of `LOAD_HALF_LIFE_S`.
    ignored
        How many sends were sent since the latest click.
    by_channel, by_category
        What became of the sends that were sent, also of those that the state keeps no longer.
    """

    left: Sequence[Send]
    loads: Mapping[str, float]
    ignored: int
    by_channel: Mapping[str, Responses]
    by_category: Mapping[str, Responses]

    @classmethod
    def of(cls, state: ShopperState, now: float) -> SendHistory:
        """Return the history as of a time."""
        left = [send for send in state.sends if send.send_at <= now and not send.deferred]  # `Send.has_left`
        loads, ignored = dict[str, float](), 0
        begin, clicked_at = now - HORIZON_S, state.clicked_at or -inf
        for send in left:
            at, channel = send.send_at, send.channel
            if at >= begin:
                loads[channel] = loads.get(channel, 0.0) + 0.5 ** ((now - at) / LOAD_HALF_LIFE_S)
                ignored += at > clicked_at
        responses = [send.response(now) for send in left]
        by_channel = count_responses(state.by_channel, [send.channel for send in left], responses)
        by_category = count_responses(state.by_category, [send.category for send in left], responses)
        return cls(left, loads, ignored, by_channel, by_category)
