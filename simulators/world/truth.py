"""The truth: what every joint action would bring, from the probabilities that the world itself draws from.

A message is seen in some hour or never; in each hour the world's own functions give the chances of a click, an
order and an opt-out, and the truth is their mean over the hours. It is exact as long as nothing else reaches the
shopper before the message is seen: sends on their way, later orders and a shock of next week are not foreseen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from policies.catalogue.rulebook import Rulebook
from simulators import parameters as of
from simulators.shoppers.mental_state import MessageMood, faded_intent
from simulators.shoppers.response import click, conversion, opt_out, own_order
from simulators.world.expected_reward import ExpectedReward
from simulators.world.world import World
from simulators.world.world_state import WorldState

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Prospects:
    """What each joint action (n,) of a catalogue brings, if it is sent now.

    Attributes
    ----------
    seen, click, order, out
        Probabilities: that it is seen, clicked, followed by an order (a conversion), and answered by an
        opt-out or a complaint.
    reward
        Expected reward by the catalogue's weights, clipping included.
    load
        Expected load that it adds, in pushes sent.
    """

    seen: FloatArray
    click: FloatArray
    order: FloatArray
    out: FloatArray
    reward: FloatArray
    load: FloatArray


class Truth:
    """Answers for one world and one catalogue.

    Parameters
    ----------
    world
        Made with ``Repertoire.of(rulebook)``.
    """

    def __init__(self, world: World, rulebook: Rulebook) -> None:
        self._society: WorldState = world.society
        self._world = world
        self._rulebook = rulebook
        space = rulebook.space
        self._delays_h = np.asarray(space.delays_s, dtype=np.float64) / 3_600.0
        channels = world.repertoire.channels
        self._ticks = np.arange(math.ceil(self._delays_h.max() + channels.stays_h.max()) + 1)
        self._worth = ExpectedReward.of(rulebook)

    def prospects(self, shopper: int, warmth: Mapping[int, float]) -> Prospects:
        """Give what joint actions would bring this shopper now.

        Parameters
        ----------
        warmth
            By number, the messages that are asked about: how welcome the occasion makes each; 0 for a broadcast.
            What is said of other messages' joint actions has no meaning.
        """
        messages = np.array([*warmth], dtype=np.int64)
        place = np.zeros(self._rulebook.space.shape[0], dtype=np.int64)
        place[messages] = np.arange(len(messages))
        hours = self._world.tick + self._ticks.astype(np.float64)
        weights, hazards = self._hours(shopper)  # (C, D, T) each: seen in an hour, and then opting out
        clicks, orders, returned = self._chances(shopper, messages, np.array([*warmth.values()]), hours)  # (M, C, T)
        parts = np.stack([1.0 - clicks, (1.0 - clicks) * returned, clicks, clicks * orders], axis=1)
        both = np.concatenate([weights, hazards], axis=1)  # (C, 2 D, T)
        count, channels = len(self._delays_h), weights.shape[0]
        integrated = np.matmul(parts.transpose(2, 1, 0, 3).reshape(channels, -1, len(hours)), both.transpose(0, 2, 1))
        found = integrated.reshape(channels, 4, -1, 2, count)  # channel, part, message, all or leaving, delay
        space = self._rulebook.space
        by_slot = np.moveaxis(found, (1, 3), (3, 4))
        rows = by_slot[space.channel_of, place[space.message_of], space.delay_of]  # (n, 4, 2)
        probabilities = _cells(rows.reshape(-1, 2, 2, 2))
        seen = weights.sum(axis=2)[space.channel_of, space.delay_of]
        return Prospects(
            seen=seen,
            click=probabilities[:, 1].sum(axis=(1, 2)),
            order=probabilities[:, :, 1].sum(axis=(1, 2)),
            out=probabilities[..., 1].sum(axis=(1, 2)),
            reward=self._worth.expected(probabilities, seen),
            load=seen * self._society.repertoire.channels.weight[space.channel_of],
        )

    def _hours(self, shopper: int) -> tuple[FloatArray, FloatArray]:
        """Give the probabilities of being seen in each hour, and of being seen and answered by leaving."""
        society, channels = self._society, self._society.repertoire.channels
        shift = society.population.shift_h[shopper]
        tick = self._world.tick
        due = tick + self._delays_h  # (D,)
        edges = tick + np.arange(len(self._ticks) + 1, dtype=np.float64)  # (T + 1,)
        passed = society.presence.passed(edges - shift)
        since = np.maximum(passed - society.presence.passed(due - shift)[:, None], 0.0)  # (D, T + 1)
        until = np.minimum(
            since[None],
            (society.presence.passed(due + channels.stays_h[:, None] - shift) - society.presence.passed(due - shift))[
                :, :, None
            ],
        )  # (C, D, T + 1)
        rate = np.where(channels.in_app, society.population.visits_per_hour[shopper], channels.per_hour)
        unseen = np.exp(-rate[:, None, None] * until)
        weights = channels.looked[:, None, None] * -np.diff(unseen, axis=2)
        level = society.presence.level(due - shift)
        overload = society.moods.overload(tick + self._ticks.astype(np.float64), np.array([shopper]))
        base = channels.opt_out * society.population.irritability[shopper]
        hazard = opt_out(base[:, None, None], overload[None, None], (level < of.NIGHT_LEVEL)[None, :, None])
        return weights, weights * hazard

    def _chances(
        self, shopper: int, messages: NDArray[np.int64], warmth: FloatArray, hours: FloatArray
    ) -> tuple[FloatArray, ...]:
        society, one = self._society, np.array([shopper])
        channels = society.repertoire.channels
        numbers = np.arange(len(channels.names))
        intent = np.maximum(society.moods.intent(self._world.tick, one), warmth)[:, None]
        intent = faded_intent(intent, self._ticks)[:, None, :]  # (M, 1, T)
        stale = society.moods.staleness(hours[:, None], one, messages[None]).T[:, None, :]
        mood = MessageMood(
            intent=intent,
            overload=society.moods.overload(hours, one),
            staleness=stale,
            attention=society.moods.attention(hours, one),
            need=society.moods.need(hours, one),
        )
        appeal = society.appeals(self._world.tick, one, messages[:, None], numbers[None])[:, :, None]
        clicks = click(appeal, mood, (warmth > 0.0)[:, None, None].astype(np.float64))
        orders = conversion(intent, mood.need)
        returned = channels.returning[None, :, None] * own_order(np.maximum(intent, of.VIEW_INTENT), mood.need)
        shape = clicks.shape
        return clicks, np.broadcast_to(orders, shape), np.broadcast_to(returned, shape)


def _cells(found: FloatArray) -> FloatArray:
    """Give the joint probabilities, not clicked or clicked × without or with order × staying or leaving.

    Parameters
    ----------
    found
        (n, 2, 2, 2): not clicked or clicked × all or with order × all or leaving, as if a click kept nobody.
    """
    cells = found.copy()
    cells[:, 1, :, 1] *= of.OUT_IF_CLICKED
    cells[:, :, 0] -= cells[:, :, 1]
    cells[..., 0] -= cells[..., 1]
    return cells
