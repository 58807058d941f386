"""The sends of many shoppers as arrays, grouped by what limits count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from operator import attrgetter

import numpy as np

from policies.arrays import BoolArray, FloatArray, IntArray
from policies.rules.batch.numbering import UNKNOWN, Numbering
from policies.shopper.state import Send

_FACTS = attrgetter("send_at", "message", "category", "channel")


@dataclass(frozen=True, eq=False)
class SendGroups:
    """Sends (s) grouped by situation and name, and in order of time within a group.

    A send is in several groups: those of its message, its category and its channel, and that of all sends of the
    situation.

    Parameters
    ----------
    send
        Which send it is, in the lists of sends one after the other.
    at
        When the send leaves.
    situation, name, group
        The numbers of the group's situation, of its name, and of the group itself.
    """

    send: IntArray
    at: FloatArray
    situation: IntArray
    name: IntArray
    group: IntArray

    @classmethod
    def of(cls, sends: Sequence[Sequence[Send]], numbering: Numbering, counted: BoolArray) -> SendGroups:
        """Group the sends of situations, which are in order of time, by the names that are counted."""
        facts = map(_FACTS, chain.from_iterable(sends))
        times, messages, categories, channels = [*zip(*facts, strict=True)] or [()] * 4
        names = np.array(
            [
                [*map(numbering.messages.get, messages, repeat(UNKNOWN))],
                [*map(numbering.categories.get, categories, repeat(UNKNOWN))],
                [*map(numbering.channels.get, channels, repeat(UNKNOWN))],
                [numbering.all] * len(times),
            ],
            dtype=np.int64,
        )
        situations = np.arange(len(sends)).repeat([*map(len, sends)])
        groups = (situations * len(numbering) + names).ravel()
        places = counted.take(names).ravel().nonzero()[0]
        places = places[groups[places].argsort(kind="stable")]
        send = places % max(len(times), 1)
        at = np.array(times, dtype=np.float64)
        return cls(send, at[send], situations[send], names.ravel()[places], groups[places])
