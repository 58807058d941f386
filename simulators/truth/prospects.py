"""Prospects: what sends that are made now bring on average, and what they cost later."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from policies.catalogue.action_space import ActionSpace
from simulators.arrays import BoolArray, FloatArray
from simulators.scenarios.channels import ChannelTable

COLUMNS = ("seen", "click", "order", "kept_orders", "out", "own_lost", "uninstall", "lapse", "margin", "reward", "load")
"""The columns of `Prospects`."""


@dataclass(frozen=True)
class Prospects:
    """The expected effect of each joint action on each of S shoppers if it is sent now, as columns (S, n).

    A send that the world would not deliver has no effect: all its numbers are 0.

    Attributes
    ----------
    seen, click, order, kept_orders
        Probabilities that the message is seen, clicked, followed by an order, and by an order that is not sent back.
    out
        Probability of an opt-out from the channel of the send, or of a complaint, which ends the same consent.
    own_lost
        Probability that the consent to the channel of the send is lost: by an opt-out or by an uninstall of the app.
    uninstall
        Probability that the app is uninstalled. All consents to channels of the app are then lost.
    lapse
        Probability that the shopper lapses because of an opt-out; 0 for a shopper who has lapsed already.
    margin
        Expected margin as the world books it: that of orders that are not sent back, minus the costs of the send and
        of its offer.
    reward
        Expected reward by the weights of the catalogue, including the clipping, and without the orders that the
        shopper sends back.
    load
        Expected load that the send adds, in units of one push sent.
    space, channels, consent
        The joint actions, their channels, and the present consents of the shoppers, (S, C).
    """

    seen: FloatArray
    click: FloatArray
    order: FloatArray
    kept_orders: FloatArray
    out: FloatArray
    own_lost: FloatArray
    uninstall: FloatArray
    lapse: FloatArray
    margin: FloatArray
    reward: FloatArray
    load: FloatArray
    space: ActionSpace
    channels: ChannelTable
    consent: BoolArray

    def losses(self, worth: FloatArray) -> FloatArray:
        """Return the expected worth of the consents that a send ends, (S, n).

        Parameters
        ----------
        worth
            What a consent to each channel is worth: (C,), or (S, C) by shopper.
        """
        of_app, channel_of = self.channels.of_app, self.space.channel_of
        held = np.where(self.consent, worth, 0.0)  # (S, C)
        others = np.add.accumulate(held * of_app, axis=1)[:, -1:] - held  # the worth of the app's other channels
        return np.asarray(self.own_lost * held[:, channel_of] + self.uninstall * others[:, channel_of])
