"""Exclusions: how many joint actions of each channel may not be sent, and why."""

from __future__ import annotations

import msgspec
import numpy as np

from policies.arrays import ByteArray
from policies.catalogue.action_space import ActionSpace
from policies.records.reasons import Reason

_NAMES = {reason.value: reason.name for reason in Reason if reason not in (Reason.eligible, Reason.not_a_candidate)}
_NUMBERS = np.array([number if number in _NAMES else 0 for number in range(256)], dtype=np.int64)
"""Verdict → the same number if such verdicts are counted, else 0."""

_WIDTH = max(_NAMES) + 1
"""The number of bins of a channel: one per number of a verdict."""


class ExclusionCount(msgspec.Struct, frozen=True):
    """How many joint actions of a channel were excluded for a reason."""

    channel: str
    reason: str
    count: int


def count_exclusions(verdicts: ByteArray, space: ActionSpace) -> list[list[ExclusionCount]]:
    """Count the excluded joint actions of each request, each once, under its first reason.

    ``verdicts`` (r, n) are the reasons of the joint actions. Joint actions that are no candidates are not counted.
    """
    cells = len(space.channels) * _WIDTH
    bins = _NUMBERS.take(verdicts) + space.channel_of * _WIDTH
    if len(bins) > 1:
        bins += np.arange(0, len(bins) * cells, cells)[:, None]
    counts = np.bincount(bins.ravel())
    places = counts.nonzero()[0]
    places = places[places % _WIDTH != 0]
    requests, channels, numbers = places // cells, places // _WIDTH % len(space.channels), places % _WIDTH
    exclusions: list[list[ExclusionCount]] = [[] for _ in verdicts]
    for request, channel, number, count in zip(
        requests.tolist(), channels.tolist(), numbers.tolist(), counts[places].tolist(), strict=True
    ):
        exclusions[request].append(ExclusionCount(space.channels[channel], _NAMES[number], count))
    return exclusions
