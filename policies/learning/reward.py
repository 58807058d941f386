"""The reward of a delivered send: a bounded scalar made from its outcomes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf

from policies.catalogue.document import Reward
from policies.records.outcomes import CLICKS, OUTCOME_TYPES, WITHDRAWALS
from policies.records.rows import OutcomeRow

REWARD_VERSION = 1
"""Counts up whenever the same outcomes would be rewarded differently."""


@dataclass(frozen=True, slots=True)
class RewardBreakdown:
    """The reward of a send and its parts.

    Parameters
    ----------
    reward
        What learning maximises.
    gain
        The part of the reward from clicks, opens and orders, before costs, clipped like the reward: the worth of an
        outcome is learned from it.
    opted_out
        Whether consent was lost, by an opt-out or a complaint.
    complaint_loss
        What the complaint itself costs.
    clicked
        Whether the shopper clicked.
    orders
        The value of the orders, refunds taken off, up to the value at which the margin alone reaches the most that a
        reward can be; 0 without an order.
    """

    reward: float
    gain: float
    opted_out: bool
    complaint_loss: float
    clicked: bool
    orders: float

    @property
    def is_positive(self) -> bool:
        """Whether something happened that the catalogue's weights value."""
        return self.gain > 0


def reward_of(outcomes: Iterable[OutcomeRow], weights: Reward, cost: float) -> RewardBreakdown:
    """Compute the reward of a delivered send.

    reward = click·[clicked] + open·[opened] + margin·w·max(0, Σ conversion values - Σ refunds) - complaint·[complained]
    - consent_value·[opted out or complained] - cost, clipped to ±max. Conversions and refunds add up, every other type
    counts once: see `policies.records.outcomes`. The weight w of the orders is that of `order_weight`. What a machine
    did counts for nothing, nor does a row that repeats another.

    >>> from policies.catalogue.document import Reward
    >>> click = OutcomeRow(at=1.0, event_id="e", type="click", occurred_at=1.0)
    >>> round(reward_of([click, click], Reward(click=0.1), cost=0.02).reward, 9)
    0.08
    """
    outcomes = [outcome for outcome in outcomes if _counts(outcome)]
    types = {outcome.type for outcome in outcomes}
    gain = loss = orders = 0.0
    for name, meaning in OUTCOME_TYPES.items():
        if name not in types:
            continue
        amount = order_weight(outcomes, weights) * value_of(outcomes, name) if meaning.has_value else 1.0
        if meaning.pays is not None:
            gain += _weight(weights, meaning.pays) * amount
            orders += value_of(outcomes, name) if meaning.has_value else 0.0
        if meaning.costs is not None:
            loss += _weight(weights, meaning.costs) * amount
    opted_out = not WITHDRAWALS.isdisjoint(types)
    total = gain - loss - weights.consent_value * opted_out - cost
    return RewardBreakdown(
        reward=max(-weights.max, min(weights.max, total)),
        gain=min(weights.max, gain),
        opted_out=opted_out,
        complaint_loss=loss,
        clicked=not CLICKS.isdisjoint(types),
        orders=min(orders, _most_orders(weights)),
    )


def order_weight(outcomes: Iterable[OutcomeRow], weights: Reward) -> float:
    """Return how much the orders of a send count: 1 with a click, without one the catalogue's ``view_through``.

    The order of the outcomes does not matter: a click that comes after an order makes the order count in full.

    >>> click = OutcomeRow(at=1.0, event_id="e", type="click", occurred_at=1.0)
    >>> order_weight([], Reward(view_through=0.5)), order_weight([click], Reward(view_through=0.5))
    (0.5, 1.0)
    """
    is_clicked = any(outcome.type in CLICKS and _counts(outcome) for outcome in outcomes)
    return 1.0 if is_clicked else weights.view_through


def value_of(outcomes: Iterable[OutcomeRow], name: str) -> float:
    """Return the sum of the values of a type, less what other types take off it, and not below 0."""
    value = 0.0
    for outcome in outcomes:
        if outcome.type == name:
            value += outcome.value
        elif OUTCOME_TYPES[outcome.type].takes_off == name:
            value -= outcome.value
    return max(0.0, value)


def _counts(outcome: OutcomeRow) -> bool:
    return not outcome.machine and not outcome.is_copy


def _weight(weights: Reward, name: str) -> float:
    weight: float = getattr(weights, name)
    return weight


def _most_orders(weights: Reward) -> float:
    return weights.max / weights.margin if weights.margin > 0.0 else inf
