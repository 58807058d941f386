"""The repertoire: what can be sent, as the world sees it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from policies.catalogue.rulebook import Rulebook
from simulators.parameters import CATEGORY_SD, MESSAGE_SD, TASTE_DIMENSIONS, ChannelTable
from simulators.random_streams import FloatArray, Purpose, RandomStreams, normals

OFFER = "offer"


@dataclass(frozen=True)
class Messages:
    """Messages with their categories and triggers, the channels they have, and what sending them costs.

    Attributes
    ----------
    offered
        (M, C), whether a message can be sent on a channel.
    costs
        (M, C), cost of a send.

    Raises
    ------
    ValueError
        Naming a channel that this world does not know.
    """

    messages: tuple[str, ...]
    categories: tuple[str, ...]
    triggers: tuple[tuple[str, ...], ...]
    channels: ChannelTable
    offered: NDArray[np.bool_]
    costs: FloatArray

    @classmethod
    def of(cls, rulebook: Rulebook) -> Messages:
        """Take what a catalogue offers; message and channel numbers are those of its action space."""
        space, catalogue = rulebook.space, rulebook.catalogue
        offered = np.zeros((len(space.messages), len(space.channels)), dtype=np.bool_)
        costs = np.zeros(offered.shape)
        offered[space.message_of, space.channel_of] = True
        costs[space.message_of, space.channel_of] = rulebook.costs
        triggers = tuple(catalogue.messages[name].triggers for name in space.messages)
        return cls(space.messages, space.categories, triggers, ChannelTable.of(space.channels), offered, costs)

    @property
    def is_offer(self) -> NDArray[np.bool_]:
        """Tell which messages (M,) are offers."""
        return np.array([category == OFFER for category in self.categories])


def _standard() -> Messages:
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
    return Messages(
        messages=tuple(table),
        categories=tuple(category for category, _ in table.values()),
        triggers=tuple(triggers for _, triggers in table.values()),
        channels=channels,
        offered=np.ones((len(table), 5), dtype=np.bool_),
        costs=np.tile([0.0, 0.0005, 0.015, 0.0, 0.0], (len(table), 1)),  # SMS: Twilio, about $.012 to .025
    )


STANDARD = _standard()
"""Eight messages on five channels: for the environment, and wherever no catalogue is given."""


@dataclass(frozen=True)
class Appeal:
    """How messages appeal: ``direction`` (M, 4) meets a shopper's taste, ``level`` (M,) holds for everybody."""

    direction: FloatArray
    level: FloatArray

    @classmethod
    def of(cls, repertoire: Messages, streams: RandomStreams) -> Appeal:
        """Draw the appeal of messages; it belongs to their names, so that a new message changes no other."""
        directions = [_by_name(streams, f"category {name}", TASTE_DIMENSIONS) for name in repertoire.categories]
        levels = [_by_name(streams, f"message {name}", 1) for name in repertoire.messages]
        return cls(CATEGORY_SD * np.stack(directions), MESSAGE_SD * np.concatenate(levels))


def _by_name(streams: RandomStreams, name: str, count: int) -> FloatArray:
    position = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=7).digest(), "little")
    positions = position + np.arange(count, dtype=np.uint64)
    radius, angle = streams.uniforms(-1, [Purpose.template_radius, Purpose.template_angle], positions)
    return normals(radius, angle)
