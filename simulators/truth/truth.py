"""The truth: the expected effect of every joint action, from the probabilities that the world draws from.

A message is seen in some hour or never. For each hour, the functions of `simulators.shoppers.response` give the
probabilities of a click, an order and an opt-out; the truth is their mean over the hours. The truth is exact as long
as nothing else reaches the shopper before the message is seen. It does not foresee other sends on their way, later
visits and orders, or the end of the calendar.

The prospects of a list of shoppers are computed at once. Those of one shopper are the same to the byte whoever else is
in the list: every step is elementwise, or a sum over the hours of one row.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from policies.catalogue.rulebook import Rulebook
from simulators.arrays import FloatArray, Indices
from simulators.truth.prospects import COLUMNS, Prospects
from simulators.truth.reactions_ahead import ReactionsAhead
from simulators.truth.sight_ahead import SightAhead
from simulators.truth.slot_effects import ReachableSlots, SlotEffects
from simulators.world.world import World

_AT_ONCE = 32
"""How many shoppers are computed at once: more would leave the processor's cache and save nothing."""


class Truth:
    """Computes the prospects of joint actions in one world, for one catalogue.

    Parameters
    ----------
    world
        A world with the messages ``Messages.of(rulebook)``.

    Attributes
    ----------
    triggers
        How welcome triggers make messages in this world.
    """

    def __init__(self, world: World, rulebook: Rulebook) -> None:
        self._world, self._state, self._space = world, world.state, rulebook.space
        self.triggers = world.scenario.parameters.triggers
        delays_h = np.asarray(self._space.delays_s, dtype=np.float64) / 3_600.0
        stays_h = world.messages.channels.stays_h
        self._sights = [
            SightAhead(world.state, np.flatnonzero(stays_h == lifetime), delays_h) for lifetime in np.unique(stays_h)
        ]
        self._hours_ahead = max((sight.hours_ahead for sight in self._sights), key=len)
        self._effects = SlotEffects(world.state, rulebook)

    def prospects(self, shoppers: Indices, warmth: FloatArray) -> Prospects:
        """Return the prospects of all joint actions for a list of shoppers (S) now.

        Parameters
        ----------
        warmth
            How welcome the triggers of a shopper make each message, (S, messages); 0 for a broadcast, NaN for a message
            that is no candidate. The prospects of a message that is no candidate are 0.
        """
        columns = np.zeros((len(COLUMNS), len(shoppers), len(self._space)))
        for begin in range(0, len(shoppers), _AT_ONCE):
            part = slice(begin, begin + _AT_ONCE)
            self._fill(columns[:, part], shoppers[part], warmth[part])
        held, channels = self._state.consent[shoppers], self._state.messages.channels
        return Prospects(**dict(zip(COLUMNS, columns, strict=True)), space=self._space, channels=channels, consent=held)

    def _fill(self, columns: FloatArray, shoppers: Indices, warmth: FloatArray) -> None:
        """Write the columns (columns, S, n) of the joint actions that can reach their shoppers."""
        rows, messages = (~np.isnan(warmth)).nonzero()
        pairs = rows, messages, warmth[rows, messages]
        reactions = ReactionsAhead(self._state, self._world.hour, self._hours_ahead, shoppers, pairs)
        slots, effects = list[ReachableSlots](), list[FloatArray]()
        for ahead in self._sights:
            sight = ahead.look(self._world.hour, shoppers, reactions.overload)
            reached = ReachableSlots.of(sight, rows, messages, self._state.messages.offered)
            if len(reached):
                by_hour = reactions.of(reached.pairs, reached.channels, len(ahead.hours_ahead))
                slots.append(reached)
                effects.append(self._effects.sum_up(reached, shoppers, by_hour, sight))
        if slots:
            columns[:] = self._spread(slots, effects, len(shoppers))

    def _spread(self, slots: Sequence[ReachableSlots], effects: Sequence[FloatArray], shoppers: int) -> FloatArray:
        """Return the effects of slots (columns, Q, delays) by joint action, (columns, S, n); 0 for other slots."""
        space = self._space
        messages, channels, delays = space.shape
        values = np.concatenate([*effects, np.zeros((len(COLUMNS), 1, delays))], axis=1)
        number_of = np.full((shoppers, messages, channels), values.shape[1] - 1)
        first = 0
        for reached in slots:
            number_of[reached.rows, reached.messages, reached.channels] = first + np.arange(len(reached))
            first += len(reached)
        places = number_of[:, space.message_of, space.channel_of] * delays + space.delay_of
        return values.reshape(len(COLUMNS), -1).take(places, axis=1)
