"""Numbers of the names that the sends of a catalogue have."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from policies.arrays import ByteArray, IntArray
from policies.catalogue.rulebook import Rulebook
from policies.records.quiet_hours import WEEK_MINUTES
from policies.rules.batch.limit import ALL, Name

UNKNOWN = -1
"""The number of a name that no limit counts: as an index, the last number, which no name has."""

_RULEBOOKS_KEPT = 64
"""A process decides with one or two catalogue versions."""


@dataclass(frozen=True, eq=False)
class Numbering:
    """Numbers of messages, categories and channels, in this order, and of `ALL`.

    Parameters
    ----------
    messages, categories, channels
        The numbers by name; those of messages and channels are in the order of the space of joint actions.
    category_of
        The number of each message's category.
    quiet_weeks
        For each minute of the local week and each channel, 1 where it is quiet.
    """

    messages: dict[str, int]
    categories: dict[str, int]
    channels: dict[str, int]
    category_of: IntArray
    quiet_weeks: ByteArray

    @classmethod
    def of(cls, rulebook: Rulebook) -> Numbering:
        """Return the numbering of a catalogue."""
        return _numbering_of(rulebook)

    @property
    def all(self) -> int:
        """The number of `ALL`."""
        return len(self.messages) + len(self.categories) + len(self.channels)

    def __len__(self) -> int:
        """Return how many numbers there are, `UNKNOWN` included."""
        return self.all + 2

    def number(self, name: Name) -> int:
        """Return the number of a name."""
        if name == ALL:
            return self.all
        kind, text = name
        return {"message": self.messages, "category": self.categories, "channel": self.channels}[kind][text]


@lru_cache(maxsize=_RULEBOOKS_KEPT)
def _numbering_of(rulebook: Rulebook) -> Numbering:
    space = rulebook.space
    suppressed = [name for window in rulebook.catalogue.suppression for name in (window.after, window.blocks)]
    messages = _numbers(space.messages, 0)
    categories = _numbers(dict.fromkeys((*space.categories, *rulebook.category_caps, *suppressed)), len(messages))
    channels = _numbers(space.channels, len(messages) + len(categories))
    category_of = np.array([categories[name] for name in space.categories], dtype=np.int64)
    return Numbering(messages, categories, channels, category_of, _quiet_weeks(rulebook))


def _numbers(names: Iterable[str], first: int) -> dict[str, int]:
    return {name: number for number, name in enumerate(names, first)}


def _quiet_weeks(rulebook: Rulebook) -> ByteArray:
    weeks = [rulebook.quiet_weeks.get(channel, bytes(WEEK_MINUTES)) for channel in rulebook.space.channels]
    return np.stack([np.frombuffer(week, np.uint8) for week in weeks], axis=1)
