"""Slot effects: the mean effect of a message on a channel after a delay, as sums over the hours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from policies.catalogue.rulebook import Rulebook
from simulators.arrays import BoolArray, FloatArray, Indices
from simulators.truth.prospects import COLUMNS
from simulators.truth.sight_ahead import Sight
from simulators.world.expected_reward import ExpectedReward
from simulators.world.world_state import WorldState


@dataclass(frozen=True)
class ReachableSlots:
    """The messages and channels that can reach a list of shoppers, as columns (Q,).

    Attributes
    ----------
    rows, messages, channels
        Position in the list of shoppers, and numbers of the message and the channel.
    pairs
        Position in the list of pairs of a shopper and a message.
    sights
        Row of `Sight`.
    """

    rows: Indices
    messages: Indices
    channels: Indices
    pairs: Indices
    sights: Indices

    @classmethod
    def of(cls, sight: Sight, rows: Indices, messages: Indices, offered: BoolArray) -> ReachableSlots:
        """Return the slots of pairs of a shopper and a message (P,).

        Parameters
        ----------
        offered
            Whether a message can be sent on a channel, (messages, C).
        """
        sights = sight.row_of[rows]
        pairs, channels = ((sights >= 0) & offered[messages]).nonzero()
        return cls(rows[pairs], messages[pairs], channels, pairs, sights[pairs, channels])

    def __len__(self) -> int:
        return len(self.rows)


class SlotEffects:
    """Sums up the effects of slots over the hours in one world, for one catalogue."""

    def __init__(self, state: WorldState, rulebook: Rulebook) -> None:
        self._state, self._parameters = state, state.scenario.parameters
        rewards, space = ExpectedReward.of(rulebook, self._parameters), rulebook.space
        messages, channels, _ = space.shape
        self._seen_rewards = np.zeros((messages, channels, 2, 2, 2, 1))
        self._seen_rewards[space.message_of, space.channel_of] = rewards.seen[..., None]
        self._unseen_rewards = np.zeros((messages, channels, 1))
        self._unseen_rewards[space.message_of, space.channel_of] = rewards.unseen[:, None]

    def sum_up(self, slots: ReachableSlots, shoppers: Indices, by_hour: FloatArray, sight: Sight) -> FloatArray:
        """Return the columns of `Prospects` by slot and delay, (columns, Q, delays).

        Parameters
        ----------
        by_hour
            Probabilities of reactions to messages that are seen in an hour: see `ReactionsAhead.of`.
        """
        state, parameters, channels = self._state, self._parameters, self._state.messages.channels
        shopper, weights, number = shoppers[slots.rows], sight.weights, slots.channels
        powers = _integrate(by_hour, weights, slots.sights, parameters.opt_out_factor_after_click)
        click, order = powers[:, 1, 0, 0], powers[:, 0, 1, 0] + powers[:, 1, 1, 0]
        outs = powers[:, 0, 0] + powers[:, 1, 0]  # by power
        seen, out, out_and_uninstall = outs[:, 0], outs[:, 1], outs[:, -1]
        uninstall_share = np.where(channels.of_app[number], parameters.uninstall_share, 0.0)[:, None]
        kept = (1.0 - state.population.refunds[shopper].astype(np.float64))[:, None]
        lapse = np.where(state.mental_state.lapsed[shopper], 0.0, parameters.lapse_per_opt_out)[:, None]
        delivered = sight.delivered[slots.sights]
        costs = np.where(delivered, state.messages.costs[slots.messages, number, None], 0.0)
        columns = {
            "seen": seen,
            "click": click,
            "order": order,
            "kept_orders": kept * order,
            "out": out,
            "own_lost": out + uninstall_share * (out - out_and_uninstall),  # an opt-out or, by itself, an uninstall
            "uninstall": uninstall_share * out,
            "lapse": lapse * out,
            "margin": kept * order * (parameters.margin * parameters.mean_order_value) - costs,
            "reward": np.where(delivered, self._rewards(slots, powers, kept, seen), 0.0),
            "load": seen * channels.weight[number, None],
        }
        return np.stack([columns[name] for name in COLUMNS])

    def _rewards(self, slots: ReachableSlots, powers: FloatArray, kept: FloatArray, seen: FloatArray) -> FloatArray:
        """Return the expected rewards of messages that are delivered, (Q, delays)."""
        joint = powers[:, :, :, :2].copy()  # by click, order and opt-out; 0 stands for all
        joint[:, :, 1] *= kept[:, None, None]
        joint[:, :, 0] -= joint[:, :, 1]
        joint[:, :, :, 0] -= joint[:, :, :, 1]
        joint *= self._seen_rewards[slots.messages, slots.channels]
        unseen = (1.0 - seen) * self._unseen_rewards[slots.messages, slots.channels]
        return np.asarray(np.add.reduce(joint.reshape(len(joint), 8, -1), axis=1) + unseen)


def _integrate(by_hour: FloatArray, weights: FloatArray, sights: Indices, after_click: float) -> FloatArray:
    """Return the sums over the hours, (Q, 2, 2, powers, delays): by click, by order (0 all, 1 who orders), by power.

    A sum with power k is the mean of the k-th power of the probability of an opt-out.
    """
    sums = np.einsum("qrt,qpdt->qrpd", by_hour, weights[sights])
    click, click_order, other_order = sums[:, 0], sums[:, 1], sums[:, 2]
    powers = np.empty((len(sums), 2, 2, *sums.shape[2:]))
    powers[:, 0, 0] = np.add.reduce(weights, axis=-1)[sights] - click
    powers[:, 0, 1] = other_order
    powers[:, 1, 0] = click
    powers[:, 1, 1] = click_order
    powers[:, 1] *= (after_click ** np.arange(powers.shape[3]))[:, None]
    return powers
