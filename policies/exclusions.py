"""Exclusions: how many joint actions of each channel may not be sent, and why."""

from __future__ import annotations

from functools import lru_cache

import msgspec
import numpy as np

from policies.catalogue.rulebook import Rulebook
from policies.records.reasons import Reason

_NAMES = {reason.value: reason.name for reason in Reason if reason not in (Reason.eligible, Reason.not_a_candidate)}
_NUMBERS = np.array([number if number in _NAMES else 0 for number in range(256)], dtype=np.int64)
"""Verdict → the same number if such verdicts are counted, else 0."""

_WIDTH = max(_NAMES) + 1
"""The number of bins of a channel: one per number of a verdict."""

_MOST_KEPT = 2_048
"""How many results are kept: most decisions have the verdicts of an earlier one."""


class ExclusionCount(msgspec.Struct, frozen=True):
    """How many joint actions of a channel were excluded for a reason."""

    channel: str
    reason: str
    count: int


@lru_cache(maxsize=_MOST_KEPT)
def count_exclusions(verdicts: bytes, rulebook: Rulebook) -> tuple[ExclusionCount, ...]:
    """Count the excluded joint actions of a request, each once, under its first reason.

    ``verdicts`` are the reasons of the joint actions. Joint actions that are no candidates are not counted.
    """
    space = rulebook.space
    counts = np.bincount(_NUMBERS.take(np.frombuffer(verdicts, np.uint8)) + space.channel_of * _WIDTH)
    places = [place for place in counts.nonzero()[0].tolist() if place % _WIDTH]
    return tuple(
        ExclusionCount(space.channels[place // _WIDTH], _NAMES[place % _WIDTH], int(counts[place])) for place in places
    )
