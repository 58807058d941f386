"""The reward of a delivered send: a bounded scalar made from its outcomes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from policies.catalogue.document import Reward
from policies.records.rows import WITHDRAWALS, OutcomeRow

REWARD_VERSION = 1
"""Counts up whenever the same outcomes would be rewarded differently."""


@dataclass(frozen=True, slots=True)
class RewardBreakdown:
    """What a send brought.

    ``reward`` is what we maximise; ``gain`` its part from clicks, opens and orders, before costs and clipped
    like the reward, since the worth of an outcome is learned from it; ``opted_out`` whether consent was lost by
    opt-out or complaint; ``complaint_loss`` what the complaint itself costs.
    """

    reward: float
    gain: float
    opted_out: bool
    complaint_loss: float

    @property
    def is_positive(self) -> bool:
        """Whether the outcome was positive: something that the catalogue's weights value."""
        return self.gain > 0


def reward_of(outcomes: Iterable[OutcomeRow], weights: Reward, cost: float) -> RewardBreakdown:
    """Compute the reward of a delivered send.

    reward = click·[clicked] + open·[opened] + margin·Σ conversion values - complaint·[complained]
    - consent_value·[opted out or complained] - cost, clipped to ±max. Conversions add up, every other
    type counts once.

    >>> from policies.catalogue.document import Reward
    >>> click = OutcomeRow(at=1.0, event_id="e", type="click", occurred_at=1.0)
    >>> round(reward_of([click, click], Reward(click=0.1), cost=0.02).reward, 9)
    0.08
    """
    outcomes = list(outcomes)
    types = {outcome.type for outcome in outcomes}
    value = sum(outcome.value for outcome in outcomes if outcome.type == "conversion")
    gain = weights.click * ("click" in types) + weights.open * ("open" in types) + weights.margin * value
    loss = weights.complaint * ("complaint" in types)
    opted_out = not WITHDRAWALS.isdisjoint(types)
    total = gain - loss - weights.consent_value * opted_out - cost
    return RewardBreakdown(max(-weights.max, min(weights.max, total)), min(weights.max, gain), opted_out, loss)
