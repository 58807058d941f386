"""A catalogue version made ready to decide with: its joint actions and everything that never changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from policies.catalogue.action_space import ActionSpace, JointAction
from policies.catalogue.contents import Contents
from policies.catalogue.document import Cap, Catalogue, Message
from policies.records.rows import QuietHours

BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]

_WEEK_S = 7 * 86_400
_CALENDAR_S = 8 * 86_400
"""More than a local week lasts, whatever its clocks do."""

_CACHED_MASKS = 4_096
"""Masks by attribute names: shops send a handful of shapes, so this is a guard, not a budget."""


@dataclass(frozen=True)
class Rulebook:
    """One version of the catalogue with its joint actions numbered and its static masks at hand."""

    version: int
    catalogue: Catalogue
    space: ActionSpace
    contents: Contents
    _content_masks: dict[tuple[str, frozenset[str]], BoolArray | None] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, catalogue: Catalogue, version: int) -> Rulebook:
        """Prepare a catalogue."""
        return cls(version, catalogue, ActionSpace.of(catalogue), Contents.of(catalogue))

    @cached_property
    def not_candidates(self) -> dict[str, NDArray[np.uint8]]:
        """By trigger type: all bits set for the messages that may not answer it, shape (messages, 1, 1)."""
        messages = self.catalogue.messages.values()
        return {
            trigger: np.array([[[0 if trigger in each.triggers else 255]] for each in messages], dtype=np.uint8)
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

    def without_content(self, locale: str, attribute_names: frozenset[str]) -> BoolArray | None:
        """Tell which messages on which channels lack a template that these attributes fill; None when none does.

        Shape (messages, channels, 1).
        """
        key = (locale, attribute_names)
        if key in self._content_masks:
            return self._content_masks[key]
        mask = self._lacking_content(locale, attribute_names)
        if len(self._content_masks) < _CACHED_MASKS:
            self._content_masks[key] = mask
        return mask

    def _lacking_content(self, locale: str, attribute_names: frozenset[str]) -> BoolArray | None:
        lacking = np.zeros(self.space.shape[:2], dtype=np.bool_)
        for message, channel in self.space.pairs:
            names = self.space.messages[message], self.space.channels[channel]
            lacking[message, channel] = not self.contents.available(*names, locale, attribute_names)
        return lacking[:, :, None] if lacking.any() else None

    def message(self, index: int) -> Message:
        """Give the message of a joint action."""
        return self.catalogue.messages[self.space[index].message]

    @cached_property
    def assumed_consent(self) -> dict[str, bool]:
        """By channel, whether a shopper who has said nothing has consented."""
        return {channel: self.catalogue.consents(channel) for channel in self.space.channels}

    @cached_property
    def quiet_hours(self) -> dict[str, QuietHours]:
        """The quiet hours by channel, where there are some."""
        channels = self.catalogue.channels.items()
        return {name: channel.quiet_hours.hours for name, channel in channels if channel.quiet_hours is not None}

    @cached_property
    def channel_caps(self) -> dict[str, tuple[Cap, ...]]:
        """The frequency caps by channel, where there are some, the smallest first."""
        return _ordered({name: channel.caps for name, channel in self.catalogue.channels.items()})

    @cached_property
    def message_caps(self) -> dict[str, tuple[Cap, ...]]:
        """The frequency caps by message, where there are some, the smallest first."""
        return _ordered({name: message.caps for name, message in self.catalogue.messages.items()})

    @cached_property
    def category_caps(self) -> dict[str, tuple[Cap, ...]]:
        """The frequency caps by category, where there are some, the smallest first."""
        return _ordered({name: category.caps for name, category in self.catalogue.categories.items()})

    @cached_property
    def cooldowns(self) -> dict[str, int]:
        """The cooldowns by message in seconds, where there are some."""
        return {name: each.cooldown_s for name, each in self.catalogue.messages.items() if each.cooldown_s is not None}

    @cached_property
    def budgets(self) -> dict[str, float]:
        """The daily budgets by channel, where there are some."""
        channels = self.catalogue.channels.items()
        return {name: channel.daily_budget for name, channel in channels if channel.daily_budget is not None}

    @cached_property
    def dearest(self) -> dict[str, float]:
        """What the dearest send on each channel costs."""
        return dict(zip(self.space.channels, self.slot_costs.max(axis=0).tolist(), strict=True))

    @cached_property
    def pays_for_any(self) -> dict[str, int]:
        """How much may be spent, in millionths, on each channel with a budget before some send is not paid for."""
        return {name: millionths(most) - millionths(self.dearest[name]) for name, most in self.budgets.items()}

    @cached_property
    def reach_s(self) -> float:
        """How far apart two sends can be at most and still concern each other under a rule."""
        catalogue, caps = self.catalogue, [*self.catalogue.caps]
        for own in (self.channel_caps, self.message_caps, self.category_caps):
            caps += [cap for each in own.values() for cap in each]
        spans = [each.window_s or _CALENDAR_S for each in caps]
        windows = (rule.window_s for rule in catalogue.suppression)
        return max(_WEEK_S, catalogue.min_gap_s or 0, *spans, *windows, *self.cooldowns.values())


def _ordered(caps: Mapping[str, Sequence[Cap]]) -> dict[str, tuple[Cap, ...]]:
    return {name: tuple(sorted(own, key=lambda cap: cap.max)) for name, own in caps.items() if own}


def millionths(cost: float) -> int:
    """Write a cost in millionths.

    >>> millionths(0.015)
    15000
    """
    return round(cost * 1_000_000)
