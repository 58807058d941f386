"""The messages that can be sent, and how much shoppers like them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from policies.catalogue.rulebook import Rulebook
from simulators.arrays import BoolArray, FloatArray
from simulators.random_streams import Purpose, RandomStreams, to_normals
from simulators.scenarios.channels import ChannelTable
from simulators.scenarios.parameters import Parameters
from simulators.shoppers.population import TASTE_DIMENSIONS

OFFER = "offer"


@dataclass(frozen=True)
class Messages:
    """M messages with their categories and triggers, their C channels, and the costs of sends.

    Attributes
    ----------
    names, categories, triggers
        By message, (M,); ``triggers`` are the types that the message answers.
    channels
        The channels with their traits, (C,); a world replaces them by the traits of its scenario's parameters.
    offered
        Whether a message can be sent on a channel, (M, C).
    costs
        Cost of a send, (M, C).
    """

    names: tuple[str, ...]
    categories: tuple[str, ...]
    triggers: tuple[tuple[str, ...], ...]
    channels: ChannelTable
    offered: BoolArray
    costs: FloatArray

    @classmethod
    def of(cls, rulebook: Rulebook) -> Messages:
        """Return the messages of a catalogue, with the message and channel numbers of its action space.

        Raises
        ------
        ValueError
            When the world does not know a channel; the message names the channel.
        """
        space, catalogue = rulebook.space, rulebook.catalogue
        offered = np.zeros((len(space.messages), len(space.channels)), dtype=np.bool_)
        costs = np.zeros(offered.shape)
        offered[space.message_of, space.channel_of] = True
        costs[space.message_of, space.channel_of] = rulebook.costs
        triggers = tuple(catalogue.messages[name].triggers for name in space.messages)
        return cls(space.messages, space.categories, triggers, ChannelTable.of(space.channels), offered, costs)

    def with_parameters(self, parameters: Parameters) -> Messages:
        """Return the same messages on channels with other traits."""
        return replace(self, channels=parameters.channel_table(self.channels.names))

    @cached_property
    def is_offer(self) -> BoolArray:
        """Whether messages are offers, (M,)."""
        return np.array([category == OFFER for category in self.categories])


def _standard_messages() -> Messages:
    table = {
        "cart_reminder": ("cart", ("cart_abandoned",)),
        "cart_offer": ("offer", ("cart_abandoned", "seasonal")),
        "browse_hint": ("browse", ("product_viewed", "wishlist")),
        "price_alert": ("price_drop", ("price_drop", "wishlist")),
        "stock_alert": ("stock", ("back_in_stock", "low_stock")),
        "order_thanks": ("service", ("post_purchase", "review_request")),
        "welcome_hello": ("welcome", ("welcome",)),
        "we_miss_you": ("loyalty", ("win_back", "replenishment")),
    }
    channels = ChannelTable.of(("push", "email", "sms", "webpush", "inapp"))
    # SMS: Twilio, about $.012 to .025. An offer costs its discount times the share of shoppers who redeem it: .4 as in
    # the example catalogue, judgement.
    costs = np.tile([0.0, 0.0005, 0.015, 0.0, 0.0], (len(table), 1))
    costs[[category == OFFER for category, _ in table.values()]] += 0.4
    return Messages(
        names=tuple(table),
        categories=tuple(category for category, _ in table.values()),
        triggers=tuple(triggers for _, triggers in table.values()),
        channels=channels,
        offered=np.ones((len(table), 5), dtype=np.bool_),
        costs=costs,
    )


STANDARD = _standard_messages()
"""Eight messages on five channels: for the environments, and for worlds without a catalogue."""


@dataclass(frozen=True)
class Appeal:
    """How much shoppers like messages.

    Attributes
    ----------
    direction
        Which tastes a message suits, (M, 4): the product with a shopper's taste is added to the logit of a click.
    level
        Logit of a message for all shoppers, (M,).
    """

    direction: FloatArray
    level: FloatArray

    @classmethod
    def draw(cls, messages: Messages, streams: RandomStreams, parameters: Parameters) -> Appeal:
        """Draw the appeal of each message from its name, so that a new message changes no other message."""
        directions = [_draw_by_name(streams, f"category {name}", TASTE_DIMENSIONS) for name in messages.categories]
        levels = [_draw_by_name(streams, f"message {name}", 1) for name in messages.names]
        return cls(parameters.category_sd * np.stack(directions), parameters.message_sd * np.concatenate(levels))


def _draw_by_name(streams: RandomStreams, name: str, count: int) -> FloatArray:
    position = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=7).digest(), "little")
    positions = position + np.arange(count, dtype=np.uint64)
    radius, angle = streams.uniforms(-1, [Purpose.template_radius, Purpose.template_angle], positions)
    return to_normals(radius, angle)
