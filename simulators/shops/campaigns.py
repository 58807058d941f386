"""Campaigns: the planner's own questions about shoppers for whom nothing happened.

Where shoppers rarely come, they give few triggers, and a shop that writes to everybody by the calendar earns more than
any policy that waits. On the days of a campaign the planner looks at all shoppers: it asks about those for whom a
message is worth its price now, with a trigger that this message answers. The guardrails hold as for every request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from policies.catalogue.rulebook import Rulebook
from simulators.arrays import FloatArray, Indices
from simulators.shoppers.mental_state import ReaderState
from simulators.shoppers.presence import is_night
from simulators.shoppers.response import (
    click_probability,
    conversion_probability,
    opt_out_probability,
    return_probability,
    tired_logit,
    visit_order_probability,
)
from simulators.shoppers.sight import look_probability
from simulators.shops.later_costs import LaterCosts
from simulators.world.world import World

CAMPAIGN_HOUR = 19
"""Hour of the day: many shoppers are active, and no quiet hours of the example catalogue have begun."""

_DAY_H = 24


@dataclass(frozen=True)
class NowEffects:
    """The effects (S, n) of messages that are sent at once and seen soon: see `Effects`."""

    seen: FloatArray
    click: FloatArray
    order: FloatArray
    out: FloatArray
    load: FloatArray


class Campaigns:
    """Chooses the shoppers of a campaign, and scores the messages for them."""

    def __init__(self, world: World, rulebook: Rulebook, costs: LaterCosts) -> None:
        self._world = world
        self._costs = costs
        per_week, space = int(costs.prices.campaigns), rulebook.space
        self._days = {number * 7 // per_week for number in range(per_week)}
        known = rulebook.catalogue.triggers
        self._trigger_of = [
            next((kind for kind in message.triggers if kind in known), None)
            for message in rulebook.catalogue.messages.values()
        ]
        pairs = np.stack([space.message_of, space.channel_of], axis=1)
        first, self._pair_of = np.unique(pairs, axis=0, return_index=True, return_inverse=True)[1:]
        self._messages, self._channels = pairs[first].T
        self._pair_costs = rulebook.costs[first]
        self._waits = 1e-9 * np.asarray(space.delays_s, dtype=np.float64)[space.delay_of]
        self._effects: dict[int, FloatArray] = {}

    def address(self) -> Mapping[int, str]:
        """Return the shoppers about whom the shop asks by itself now, each with a type of trigger."""
        day, hour = divmod(self._world.hour, _DAY_H)
        if hour != CAMPAIGN_HOUR or day % 7 not in self._days:
            return {}
        shoppers = self._world.joined_shoppers()
        effects = self._expect(shoppers)
        scores = self._costs.score(shoppers, self._channels, self._pair_costs, effects)
        scores[~self._world.consent[shoppers][:, self._channels]] = -np.inf
        best = scores.argmax(axis=1)
        chosen = np.flatnonzero(scores[np.arange(len(shoppers)), best] > 0.0)
        self._effects = {int(shoppers[row]): np.stack([scores[row], effects.out[row]]) for row in chosen.tolist()}
        kinds = {int(shoppers[row]): self._trigger_of[self._messages[best[row]]] for row in chosen.tolist()}
        return {shopper: kind for shopper, kind in kinds.items() if kind is not None}

    def scores(self, shopper: int) -> FloatArray:
        """Return scores and opt-out probabilities of all joint actions, (2, n), for a shopper of this campaign."""
        scores = self._effects[shopper][:, self._pair_of]
        scores[0] -= self._waits
        return scores

    def _expect(self, shoppers: Indices) -> NowEffects:
        """Return the effects of every message on every channel on shoppers who did nothing."""
        state, parameters, hour = self._world.state, self._world.scenario.parameters, self._world.hour
        channels, mental, people = state.messages.channels, state.mental_state, state.population
        rows, chosen = shoppers[:, None], self._channels
        reader = ReaderState(
            overload=mental.overload(hour, shoppers)[:, None],
            staleness=mental.staleness(hour, rows, self._messages),
            attention=mental.attention(hour, shoppers)[:, None],
            need=mental.need(hour, shoppers)[:, None],
        )
        tired, promotion = tired_logit(reader, parameters), state.order_factor(hour)
        intent = mental.intent(hour, shoppers)[:, None]
        appeal = state.appeal_logits(hour, rows, self._messages, chosen)
        seen = self._see(shoppers)[:, chosen]
        click = seen * click_probability(appeal, np.zeros(1), tired, reader.attention)
        returns = (seen - click) * return_probability(channels.returning[chosen], tired, reader.attention)
        interest = np.maximum(intent, parameters.view_intent)
        order = click * conversion_probability(intent, reader.need, promotion, parameters)
        order = order + returns * visit_order_probability(interest, reader.need, promotion, parameters)
        base = channels.opt_out[chosen] * people.irritability[rows]
        at_night = is_night(hour - people.shift_h[shoppers])[:, None]
        out = seen * opt_out_probability(base, reader.overload, at_night, parameters)
        return NowEffects(seen, click, order, out, seen * channels.weight[chosen])

    def _see(self, shoppers: Indices) -> FloatArray:
        """Return the probabilities that shoppers ever look at a message of now, by channel, (S, C)."""
        state, hour = self._world.state, self._world.hour
        channels, lapsed = state.messages.channels, state.mental_state.lapsed[shoppers][:, None]
        presence = state.presence.presence_at(hour - state.population.shift_h[shoppers])[:, None]
        looked = look_probability(channels.looked, channels.hour_effect, presence)
        looked = looked * np.where(lapsed, state.scenario.parameters.lapsed_looks, 1.0)
        visits = np.where(lapsed, 0.0, state.population.visits_per_hour[shoppers][:, None])
        return np.where(channels.in_app, -np.expm1(-visits * channels.stays_h), looked)
