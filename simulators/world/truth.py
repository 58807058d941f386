"""The truth: the expected effect of every joint action, from the probabilities that the world draws from.

A message is seen in some hour or never. For each hour, the functions of `simulators.shoppers.response` give the
probabilities of a click, an order and an opt-out; the truth is their mean over the hours. The truth is exact as long
as nothing else reaches the shopper before the message is seen. It does not foresee other sends on their way, or
later visits and orders.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from policies.catalogue.rulebook import Rulebook
from simulators.arrays import FloatArray, Indices
from simulators.shoppers.mental_state import ReaderState, fade_intent
from simulators.shoppers.presence import is_night
from simulators.shoppers.response import (
    click_probability,
    conversion_probability,
    opt_out_probability,
    return_probability,
    tired_logit,
    visit_order_probability,
)
from simulators.shoppers.sight import look_probability, share_unseen
from simulators.world.expected_reward import ExpectedReward
from simulators.world.world import World


@dataclass(frozen=True)
class Prospects:
    """The expected effect of each joint action of a catalogue if it is sent now, as columns (n,).

    Attributes
    ----------
    seen, click, order, out
        Probabilities that the message is seen, clicked, followed by an order (a conversion), and answered with an
        opt-out or a complaint.
    reward
        Expected reward by the weights of the catalogue, including the clipping, and without the orders that the
        shopper sends back.
    load
        Expected load that the send adds, in units of one push sent.
    """

    seen: FloatArray
    click: FloatArray
    order: FloatArray
    out: FloatArray
    reward: FloatArray
    load: FloatArray


class Truth:
    """Computes the prospects of joint actions in one world, for one catalogue.

    Parameters
    ----------
    world
        A world with the messages ``Messages.of(rulebook)``.
    """

    def __init__(self, world: World, rulebook: Rulebook) -> None:
        self._world = world
        self._state = world.state
        self._space = rulebook.space
        self._delays_h = np.asarray(self._space.delays_s, dtype=np.float64) / 3_600.0
        hours_ahead = math.ceil(self._delays_h.max() + world.messages.channels.stays_h.max()) + 1
        self._hours_ahead = np.arange(hours_ahead)
        self._parameters = world.scenario.parameters
        self.traits = self._parameters.triggers
        self._expected_reward = ExpectedReward.of(rulebook, self._parameters)

    def prospects(self, shopper: int, warmth: Mapping[int, float]) -> Prospects:
        """Return the prospects of all joint actions for a shopper now.

        Parameters
        ----------
        warmth
            Message number → how welcome its trigger makes the message; 0 for a broadcast. The prospects of joint
            actions with other messages have no meaning.
        """
        space, messages = self._space, np.array([*warmth], dtype=np.int64)
        row_of_message = np.zeros(space.shape[0], dtype=np.int64)
        row_of_message[messages] = np.arange(len(messages))
        seen_in_hour, out_in_hour = self._probabilities_by_hour(shopper)
        by_slot = self._integrate(self._reactions(shopper, messages, warmth), seen_in_hour, out_in_hour)
        integrals = by_slot[space.channel_of, row_of_message[space.message_of], space.delay_of]  # (n, 4, 2)
        integrals = integrals.reshape(-1, 2, 2, 2)
        order = integrals[:, :, 1, 0].sum(axis=1)
        integrals[:, :, 1] *= 1.0 - self._state.population.refunds[shopper]
        probabilities = _joint_probabilities(integrals, self._parameters.opt_out_factor_after_click)
        seen = seen_in_hour.sum(axis=2)[space.channel_of, space.delay_of]
        return Prospects(
            seen=seen,
            click=probabilities[:, 1].sum(axis=(1, 2)),
            order=order,
            out=probabilities[..., 1].sum(axis=(1, 2)),
            reward=self._expected_reward.average(probabilities, seen),
            load=seen * self._state.messages.channels.weight[space.channel_of],
        )

    def _integrate(self, reactions: FloatArray, seen_in_hour: FloatArray, out_in_hour: FloatArray) -> FloatArray:
        """Sum the reactions (M, 4, C, T) over the hours; return them by channel, message and delay, (C, M, D, 4, 2).

        The last axis is over all shoppers, and over those who opt out.
        """
        channels, delays, hours = seen_in_hour.shape
        weights = np.concatenate([seen_in_hour, out_in_hour], axis=1)  # (C, 2 D, T)
        by_channel = reactions.transpose(2, 1, 0, 3).reshape(channels, -1, hours)
        sums = np.matmul(by_channel, weights.transpose(0, 2, 1)).reshape(channels, 4, -1, 2, delays)
        return np.moveaxis(sums, (1, 3), (3, 4))

    def _probabilities_by_hour(self, shopper: int) -> tuple[FloatArray, FloatArray]:
        """Return the probabilities that a message is seen in each hour, and seen and answered with an opt-out.

        Both by channel, delay and hour, (C, D, T); the opt-out is that of a shopper who does not click.
        """
        state, channels = self._state, self._state.messages.channels
        shift = state.population.shift_h[shopper]
        hour = self._world.hour
        due = hour + self._delays_h  # (D,)
        edges = hour + np.arange(len(self._hours_ahead) + 1, dtype=np.float64)  # (T + 1,)
        integral_at = state.presence.integral_at
        since = np.maximum(integral_at(edges - shift) - integral_at(due - shift)[:, None], 0.0)  # (D, T + 1)
        longest = integral_at(due + channels.stays_h[:, None] - shift) - integral_at(due - shift)  # (C, D)
        until = np.minimum(since[None], longest[:, :, None])  # (C, D, T + 1)
        visits = 0.0 if state.mental_state.lapsed[shopper] else state.population.visits_per_hour[shopper]
        rate = np.where(channels.in_app, visits, channels.per_hour)
        unseen = share_unseen(until, rate[:, None, None], channels.tail[:, None, None])
        presence = state.presence.presence_at(due - shift)
        looked = look_probability(channels.looked[:, None], channels.hour_effect[:, None], presence)  # (C, D)
        looked = looked * (self._parameters.lapsed_looks if state.mental_state.lapsed[shopper] else 1.0)
        seen = looked[:, :, None] * -np.diff(unseen, axis=2)
        at_night = is_night(due - shift)
        overload = state.mental_state.overload(self._hours(), np.array([shopper]))
        base = channels.opt_out * state.population.irritability[shopper]
        out = opt_out_probability(base[:, None, None], overload[None, None], at_night[None, :, None], self._parameters)
        return seen, seen * out

    def _hours(self) -> FloatArray:
        """Return the hours ahead as hours of the calendar, (T,)."""
        return self._world.hour + self._hours_ahead.astype(np.float64)

    def _reactions(self, shopper: int, messages: Indices, warmth: Mapping[int, float]) -> FloatArray:
        """Return the probabilities of reactions to messages that are seen in each hour, (M, 4, C, T).

        The four reactions: no click, no click and an order, a click, a click and an order.
        """
        state, parameters, one, hours = self._state, self._parameters, np.array([shopper]), self._hours()
        channels, mental = state.messages.channels, state.mental_state
        numbers = np.arange(len(channels.names))
        welcome = np.array([*warmth.values()])
        intent = np.maximum(mental.intent(self._world.hour, one), welcome)[:, None]
        intent = fade_intent(intent, self._hours_ahead.astype(np.float64), parameters)[:, None, :]  # (M, 1, T)
        reader = ReaderState(
            overload=mental.overload(hours, one),
            staleness=mental.staleness(hours[:, None], one, messages[None]).T[:, None, :],
            attention=mental.attention(hours, one),
            need=mental.need(hours, one),
        )
        calendar = self._world.hour + self._hours_ahead
        when = calendar if state.appeal_changes else np.array([self._world.hour])
        appeal = state.appeal_logits(when, one, messages[:, None, None], numbers[None, :, None])
        tired, promotion = tired_logit(reader, parameters), state.order_factor(calendar)
        lift = channels.per_intent[:, None] * intent * (welcome > 0.0)[:, None, None]
        clicks = click_probability(appeal, lift, tired, reader.attention)
        orders = np.broadcast_to(conversion_probability(intent, reader.need, promotion, parameters), clicks.shape)
        interest = np.maximum(intent, parameters.view_intent)
        return_order = visit_order_probability(interest, reader.need, promotion, parameters)
        returned = return_probability(channels.returning[:, None], tired, reader.attention) * return_order
        return np.stack([1.0 - clicks, (1.0 - clicks) * returned, clicks, clicks * orders], axis=1)


def _joint_probabilities(integrals: FloatArray, opt_out_after_click: float) -> FloatArray:
    """Return the joint probabilities of click, order and opt-out (0 no, 1 yes), (n, 2, 2, 2).

    Parameters
    ----------
    integrals
        By click; over all shoppers, and over those who order; over all shoppers, and over those who opt out if a
        click does not change the probability of an opt-out, (n, 2, 2, 2).
    opt_out_after_click
        The factor by which a click does change this probability.
    """
    joint = integrals.copy()
    joint[:, 1, :, 1] *= opt_out_after_click
    joint[:, :, 0] -= joint[:, :, 1]
    joint[..., 0] -= joint[..., 1]
    return joint
