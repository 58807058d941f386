"""A catalogue version made ready to decide with: its joint actions and everything that never changes."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from policies.actions import ActionSpace
from policies.catalogue import Cap, Catalogue, Message
from policies.content import Contents

BoolArray = NDArray[np.bool_]

_CACHED_MASKS = 4_096
"""Masks by attribute names: shops send a handful of shapes, so this is a guard, not a budget."""


@dataclass(frozen=True)
class Rulebook:
    """One version of the catalogue with its joint actions numbered and its static masks at hand."""

    version: int
    catalogue: Catalogue
    space: ActionSpace
    contents: Contents
    _content_masks: dict[tuple[str, frozenset[str]], BoolArray] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, catalogue: Catalogue, version: int) -> Rulebook:
        """Prepare a catalogue."""
        return cls(version, catalogue, ActionSpace.of(catalogue), Contents.of(catalogue))

    @cached_property
    def candidates(self) -> dict[str, BoolArray]:
        """By trigger type: which joint actions (n,) may answer it."""
        space, messages = self.space, self.catalogue.messages
        return {
            trigger: np.array([trigger in messages[name].triggers for name in space.messages])[space.message_of]
            for trigger in self.catalogue.triggers
        }

    @cached_property
    def costs(self) -> NDArray[np.float64]:
        """Cost of sending each joint action, shape (n,): its channel's and its message's."""
        channels = np.array([channel.cost for channel in self.catalogue.channels.values()])
        messages = np.array([message.cost for message in self.catalogue.messages.values()])
        return np.asarray(channels[self.space.channel_of] + messages[self.space.message_of], dtype=np.float64)

    def with_content(self, locale: str, attribute_names: frozenset[str]) -> BoolArray:
        """Tell which joint actions (n,) have a template that these attributes can fill."""
        key = (locale, attribute_names)
        mask = self._content_masks.get(key)
        if mask is None:
            mask = self._judge_content(locale, attribute_names)
            if len(self._content_masks) < _CACHED_MASKS:
                self._content_masks[key] = mask
        return mask

    def _judge_content(self, locale: str, attribute_names: frozenset[str]) -> BoolArray:
        space = self.space
        available = np.array(
            [
                [self.contents.available(message, channel, locale, attribute_names) for channel in space.channels]
                for message in space.messages
            ]
        )
        return np.asarray(available[space.message_of, space.channel_of], dtype=np.bool_)

    def message(self, index: int) -> Message:
        """Give the message of a joint action."""
        return self.catalogue.messages[self.space[index].message]

    @cached_property
    def channel_caps(self) -> tuple[tuple[Cap, ...], ...]:
        """The frequency caps of each channel, in the order of the channel numbers."""
        return tuple(channel.caps for channel in self.catalogue.channels.values())
