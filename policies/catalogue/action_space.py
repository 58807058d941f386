"""Joint actions: one value per slot (message, channel, delay), numbered once per catalogue version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from policies.arrays import FloatArray, IntArray
from policies.catalogue.document import Catalogue


class JointAction(NamedTuple):
    """One value per slot. Joint actions are chosen, logged and learned."""

    message: str
    channel: str
    delay_s: int


@dataclass(frozen=True)
class ActionSpace:
    """All sends that a catalogue allows, numbered 0 … n-1. HOLD has the number n.

    The three index arrays have shape (n,): ``messages[message_of[j]]`` is the message of joint action j, and so are
    its channel and delay. The order is the catalogue's: messages, then the channels of their templates, then delays.
    """

    messages: tuple[str, ...]
    categories: tuple[str, ...]  # of each message
    channels: tuple[str, ...]
    delays_s: tuple[int, ...]
    message_of: IntArray
    channel_of: IntArray
    delay_of: IntArray

    @classmethod
    def of(cls, catalogue: Catalogue) -> ActionSpace:
        """Number the joint actions of a catalogue."""
        messages, channels, delays = tuple(catalogue.messages), tuple(catalogue.channels), catalogue.delays_s
        slots = [
            (m, channels.index(channel), delays.index(delay))
            for m, message in enumerate(catalogue.messages.values())
            for channel in message.templates
            for delay in (message.delays_s or delays)
        ]
        columns = np.array(slots, dtype=np.int64).reshape(-1, 3).T
        return cls(
            messages=messages,
            categories=tuple(message.category for message in catalogue.messages.values()),
            channels=channels,
            delays_s=delays,
            message_of=columns[0],
            channel_of=columns[1],
            delay_of=columns[2],
        )

    def __len__(self) -> int:
        return len(self.message_of)

    @property
    def hold(self) -> int:
        """The number of HOLD."""
        return len(self)

    def __getitem__(self, index: int) -> JointAction:
        return self._actions[index]

    @cached_property
    def _actions(self) -> tuple[JointAction, ...]:
        """All joint actions by their numbers."""
        return tuple(
            JointAction(self.messages[message], self.channels[channel], self.delays_s[delay])
            for message, channel, delay in self.slots.tolist()
        )

    @cached_property
    def delay_seconds(self) -> FloatArray:
        """Delay of every joint action, shape (n,), seconds."""
        return np.asarray(self.delays_s, dtype=np.float64)[self.delay_of]

    @cached_property
    def shape(self) -> tuple[int, int, int]:
        """The numbers of messages, channels and delays."""
        return len(self.messages), len(self.channels), len(self.delays_s)

    @cached_property
    def pairs(self) -> list[tuple[int, int]]:
        """Pairs of a message's number and the number of a channel on which the message can be sent."""
        return sorted({*zip(self.message_of.tolist(), self.channel_of.tolist(), strict=True)})

    @cached_property
    def message_numbers(self) -> dict[str, tuple[int, ...]]:
        """The number of each message, as a tuple of one, in the form of `category_numbers`."""
        return _numbers_by_name(self.messages)

    @cached_property
    def category_numbers(self) -> dict[str, tuple[int, ...]]:
        """The numbers of the messages of each category."""
        return _numbers_by_name(self.categories)

    @cached_property
    def channel_numbers(self) -> dict[str, tuple[int, ...]]:
        """The number of each channel, as a tuple of one."""
        return _numbers_by_name(self.channels)

    @cached_property
    def cells(self) -> IntArray:
        """The position of each joint action (n,) in a flattened array over (messages, channels, delays)."""
        return np.ravel_multi_index((self.message_of, self.channel_of, self.delay_of), self.shape)

    @cached_property
    def row_cells(self) -> tuple[IntArray, IntArray, IntArray]:
        """The positions of each joint action (n,) in a flattened array of rows, which have one column per delay.

        The array has one row per message, then one row per channel, then one row for all joint actions.
        """
        messages, channels, delays = self.shape
        rows = self.message_of, messages + self.channel_of, messages + channels
        by_message, by_channel, by_delay = (row * delays + self.delay_of for row in rows)
        return by_message, by_channel, by_delay

    @cached_property
    def slots(self) -> IntArray:
        """The slot values of every joint action as columns, shape (n, 3)."""
        return np.stack([self.message_of, self.channel_of, self.delay_of], axis=1)

    @cached_property
    def pair_numbers(self) -> IntArray:
        """The number of each pair of slot values of every joint action, (3, n).

        The first row numbers the pairs of message and channel, the others those with the delay. Joint actions that
        differ in one slot share one of the three numbers, and no other joint actions do so.
        """
        message, channel, delay = self.message_of, self.channel_of, self.delay_of
        messages, channels, delays = self.shape
        pairs = (message * channels + channel, message * delays + delay, channel * delays + delay)
        first = (0, messages * channels, messages * channels + messages * delays)
        return np.stack([pair + start for pair, start in zip(pairs, first, strict=True)])


def _numbers_by_name(names: Sequence[str]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(number for number, other in enumerate(names) if other == name) for name in names}
