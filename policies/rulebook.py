"""A catalogue version made ready to decide with: its joint actions and everything that never changes."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from policies.actions import ActionSpace, JointAction
from policies.catalogue import Cap, Catalogue, Message
from policies.content import Contents
from policies.rows import QuietHours

BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]

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
        """By trigger type: which messages may answer it, shape (messages, 1, 1)."""
        messages = self.catalogue.messages.values()
        return {
            trigger: np.array([trigger in message.triggers for message in messages])[:, None, None]
            for trigger in self.catalogue.triggers
        }

    @cached_property
    def costs(self) -> FloatArray:
        """Cost of sending each joint action, shape (n,): its channel's and its message's."""
        return np.asarray(self.slot_costs[self.space.message_of, self.space.channel_of], dtype=np.float64)

    @cached_property
    def slot_costs(self) -> FloatArray:
        """Cost of a send by message and channel, shape (messages, channels)."""
        channels = np.array([channel.cost for channel in self.catalogue.channels.values()])
        messages = np.array([message.cost for message in self.catalogue.messages.values()])
        return np.asarray(messages[:, None] + channels, dtype=np.float64)

    def cost(self, action: JointAction) -> float:
        """Give what a send costs: its channel's cost and its message's."""
        return self.catalogue.channels[action.channel].cost + self.catalogue.messages[action.message].cost

    def with_content(self, locale: str, attribute_names: frozenset[str]) -> BoolArray:
        """Tell which messages on which channels (messages, channels) have a template that these attributes fill."""
        key = (locale, attribute_names)
        mask = self._content_masks.get(key)
        if mask is None:
            mask = self._judge_content(locale, attribute_names)
            if len(self._content_masks) < _CACHED_MASKS:
                self._content_masks[key] = mask
        return mask

    def _judge_content(self, locale: str, attribute_names: frozenset[str]) -> BoolArray:
        available = [
            [self.contents.available(message, channel, locale, attribute_names) for channel in self.space.channels]
            for message in self.space.messages
        ]
        return np.array(available, dtype=np.bool_)

    def message(self, index: int) -> Message:
        """Give the message of a joint action."""
        return self.catalogue.messages[self.space[index].message]

    @cached_property
    def categories(self) -> tuple[str, ...]:
        """The categories of the messages, each once."""
        return tuple(dict.fromkeys(self.space.categories))

    @cached_property
    def category_of(self) -> NDArray[np.int64]:
        """The category of each message, shape (messages,), as a position in `categories`."""
        return np.array([self.categories.index(category) for category in self.space.categories])

    @cached_property
    def quiet_hours(self) -> tuple[QuietHours | None, ...]:
        """The quiet hours of each channel."""
        spans = (channel.quiet_hours for channel in self.catalogue.channels.values())
        return tuple(None if span is None else span.hours for span in spans)

    @cached_property
    def channel_caps(self) -> dict[str, tuple[Cap, ...]]:
        """The frequency caps by channel, where there are some."""
        return {name: channel.caps for name, channel in self.catalogue.channels.items() if channel.caps}

    @cached_property
    def message_caps(self) -> dict[str, tuple[Cap, ...]]:
        """The frequency caps by message, where there are some."""
        return {name: message.caps for name, message in self.catalogue.messages.items() if message.caps}

    @cached_property
    def category_caps(self) -> dict[str, tuple[Cap, ...]]:
        """The frequency caps by category, where there are some."""
        return {name: category.caps for name, category in self.catalogue.categories.items() if category.caps}

    @cached_property
    def cooldowns(self) -> dict[str, int]:
        """The cooldowns by message in seconds, where there are some."""
        return {name: each.cooldown_s for name, each in self.catalogue.messages.items() if each.cooldown_s is not None}

    @cached_property
    def budgets(self) -> dict[str, float]:
        """The daily budgets by channel, where there are some."""
        channels = self.catalogue.channels.items()
        return {name: channel.daily_budget for name, channel in channels if channel.daily_budget is not None}
