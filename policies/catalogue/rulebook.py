"""A catalogue version made ready to decide with: its joint actions and everything that never changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

from policies.arrays import BoolArray, FloatArray
from policies.catalogue.action_space import ActionSpace, JointAction
from policies.catalogue.document import Cap, Catalogue
from policies.catalogue.former_names import FormerNames
from policies.catalogue.quiet_hours import quiet_hours_of
from policies.catalogue.template_table import TemplateTable
from policies.catalogue.templates.template import FilledNames
from policies.records.quiet_hours import QuietHours

_CACHED_MASKS = 4_096
"""How many masks by attribute names are kept. Shops send a handful of combinations; the bound is only a guard."""


class PlannedSend(NamedTuple):
    """What the catalogue says of a joint action."""

    message: str
    channel: str
    delay_s: int
    category: str
    cost: float
    attribution_window_s: float


@dataclass(frozen=True, eq=False)
class Rulebook:
    """One version of the catalogue with its joint actions numbered and everything computed that never changes."""

    version: int
    catalogue: Catalogue
    space: ActionSpace
    templates: TemplateTable
    _content_masks: dict[tuple[str, FilledNames], BoolArray | None] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, catalogue: Catalogue, version: int) -> Rulebook:
        """Prepare a catalogue."""
        return cls(version, catalogue, ActionSpace.of(catalogue), TemplateTable.of(catalogue))

    @cached_property
    def trigger_numbers(self) -> dict[str, int]:
        """The number of each trigger type."""
        return {trigger: number for number, trigger in enumerate(self.catalogue.triggers)}

    @cached_property
    def candidates(self) -> BoolArray:
        """Whether the message of each joint action may answer each trigger type, shape (triggers, n)."""
        messages, triggers = self.catalogue.messages.values(), self.catalogue.triggers
        answers = [trigger in message.triggers for trigger in triggers for message in messages]
        return np.array(answers, dtype=np.bool_).reshape(len(triggers), -1)[:, self.space.message_of]

    @cached_property
    def costs(self) -> FloatArray:
        """Cost of sending each joint action, shape (n,): the cost of its channel plus the cost of its message."""
        return np.asarray(self.slot_costs[self.space.message_of, self.space.channel_of], dtype=np.float64)

    @cached_property
    def slot_costs(self) -> FloatArray:
        """Cost of a send by message and channel, shape (messages, channels)."""
        channels = np.array([channel.cost for channel in self.catalogue.channels.values()])
        messages = np.array([message.cost for message in self.catalogue.messages.values()])
        return np.asarray(messages[:, None] + channels, dtype=np.float64)

    def cost(self, action: JointAction) -> float:
        """Return the cost of a send: the cost of its channel plus the cost of its message."""
        return self.catalogue.channels[action.channel].cost + self.catalogue.messages[action.message].cost

    @cached_property
    def planned_sends(self) -> tuple[PlannedSend, ...]:
        """What the catalogue says of a send, by the numbers of the joint actions."""
        channels, messages = self.catalogue.channels, self.catalogue.messages
        return tuple(
            PlannedSend(
                *action,
                category=messages[action.message].category,
                cost=self.cost(action),
                attribution_window_s=channels[action.channel].attribution_window_s,
            )
            for action in map(self.space.__getitem__, range(len(self.space)))
        )

    def without_content(self, locale: str, names: FilledNames) -> BoolArray | None:
        """Return which messages lack, on which channels, a template that these attributes can fill.

        Shape (messages, channels, 1); None when nothing is lacking.
        """
        key = (locale, names)
        if key in self._content_masks:
            return self._content_masks[key]
        mask = self._lacking_content(locale, names)
        if len(self._content_masks) < _CACHED_MASKS:
            self._content_masks[key] = mask
        return mask

    def _lacking_content(self, locale: str, names: FilledNames) -> BoolArray | None:
        lacking = np.zeros(self.space.shape[:2], dtype=np.bool_)
        for message, channel in self.space.pairs:
            slots = self.space.messages[message], self.space.channels[channel]
            lacking[message, channel] = not self.templates.is_available(*slots, locale, names)
        return lacking[:, :, None] if lacking.any() else None

    @cached_property
    def assumed_consent(self) -> dict[str, bool]:
        """Whether a shopper who has said nothing has consented, by channel."""
        return {channel: self.catalogue.consents(channel) for channel in self.space.channels}

    @cached_property
    def quiet_hours(self) -> dict[str, QuietHours]:
        """The quiet hours by channel, of the channels that have some."""
        channels = self.catalogue.channels.items()
        hours = {name: quiet_hours_of(channel.quiet_hours) for name, channel in channels}
        return {name: quiet for name, quiet in hours.items() if quiet is not None}

    @cached_property
    def quiet_weeks(self) -> dict[str, bytes]:
        """For each channel that has quiet hours, a byte for each minute of the local week: 1 where it is quiet."""
        return {name: quiet.week() for name, quiet in self.quiet_hours.items()}

    @cached_property
    def former_names(self) -> FormerNames:
        """The old names of channels, categories and messages."""
        return FormerNames.of(self.catalogue)

    @cached_property
    def channel_caps(self) -> dict[str, tuple[Cap, ...]]:
        """The frequency caps by channel, the smallest first; names without caps are absent."""
        return _smallest_first({name: channel.caps for name, channel in self.catalogue.channels.items()})

    @cached_property
    def message_caps(self) -> dict[str, tuple[Cap, ...]]:
        """The frequency caps by message, the smallest first; names without caps are absent."""
        return _smallest_first({name: message.caps for name, message in self.catalogue.messages.items()})

    @cached_property
    def category_caps(self) -> dict[str, tuple[Cap, ...]]:
        """The frequency caps by category, the smallest first; names without caps are absent."""
        return _smallest_first({name: category.caps for name, category in self.catalogue.categories.items()})

    @cached_property
    def cooldowns(self) -> dict[str, int]:
        """The cooldowns by message in seconds; messages without one are absent."""
        messages = self.catalogue.messages.items()
        return {name: message.cooldown_s for name, message in messages if message.cooldown_s is not None}

    @cached_property
    def budgets(self) -> dict[str, float]:
        """The daily budgets by channel; channels without one are absent."""
        channels = self.catalogue.channels.items()
        return {name: channel.daily_budget for name, channel in channels if channel.daily_budget is not None}

    @cached_property
    def dearest(self) -> dict[str, float]:
        """The cost of the dearest send on each channel."""
        return dict(zip(self.space.channels, self.slot_costs.max(axis=0).tolist(), strict=True))

    @cached_property
    def pays_for_any(self) -> dict[str, int]:
        """How much each channel with a budget may have spent, in millionths, and still afford its dearest send."""
        return {name: millionths(budget) - millionths(self.dearest[name]) for name, budget in self.budgets.items()}

    @cached_property
    def pays_for_some(self) -> dict[str, int]:
        """How much each channel with a budget may have spent, in millionths, and still afford its cheapest send."""
        cheapest = dict(zip(self.space.channels, self.slot_costs.min(axis=0).tolist(), strict=True))
        return {name: millionths(budget) - millionths(cheapest[name]) for name, budget in self.budgets.items()}


def _smallest_first(caps: Mapping[str, Sequence[Cap]]) -> dict[str, tuple[Cap, ...]]:
    return {name: tuple(sorted(own_caps, key=lambda cap: cap.max)) for name, own_caps in caps.items() if own_caps}


def millionths(cost: float) -> int:
    """Return a cost in millionths: sums of these are exact.

    >>> millionths(0.015)
    15000
    """
    return round(cost * 1_000_000)
