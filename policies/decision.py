"""Decisions: the drawn joint action of each request of a list, and everything that the draw rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import msgspec
import numpy as np

from policies.arrays import ByteArray, FloatArray
from policies.catalogue.action_space import JointAction
from policies.catalogue.rulebook import PlannedSend, Rulebook
from policies.exclusions import ExclusionCount, count_exclusions
from policies.models.policy import Distributions, Policy
from policies.records.request import Request
from policies.records.rows import Scalar
from policies.records.shopper_numbers import ShopperNumbers
from policies.rules.arbitration import Eligibility, Eligibles
from policies.rules.situation import Situation
from policies.shopper.state import Send
from policies.shopper.summaries import exact_probability, short_name


@dataclass(frozen=True, eq=False)
class DecisionBatch:
    """The decisions of a list of requests as lists and arrays: position r of each one belongs to request r.

    ``situations`` has one situation per trigger of a request. ``contexts`` are the contexts that the triggers of a
    request share, ``numbers`` the numbers about its shopper. ``drawn`` are numbers of joint actions. Values that all
    decisions need are computed for all at once.
    """

    situations: Sequence[Sequence[Situation]]
    contexts: Sequence[dict[str, Scalar]]
    numbers: Sequence[ShopperNumbers]
    eligibles: Eligibles
    policy: Policy
    distributions: Distributions
    drawn: Sequence[int]

    @cached_property
    def rulebook(self) -> Rulebook:
        """The catalogue that all requests were decided with."""
        return self.situations[0][0].rulebook

    @cached_property
    def sizes(self) -> list[int]:
        """The size of each eligible set, HOLD included."""
        sizes: list[int] = self.eligibles.mask.sum(axis=1).tolist()
        return sizes

    @cached_property
    def probabilities(self) -> list[FloatArray]:
        """The distribution over each eligible set, (K,)."""
        flat = self.distributions.probabilities[self.eligibles.mask]
        return [flat[end - size : end] for end, size in zip(accumulate(self.sizes), self.sizes, strict=True)]

    @cached_property
    def propensities(self) -> list[float]:
        """The probability of each drawn joint action."""
        probabilities = self.distributions.probabilities
        return [probabilities.item(row, number) for row, number in enumerate(self.drawn)]

    @cached_property
    def p_out(self) -> list[float] | None:
        """The opt-out probability of each drawn joint action, 0 for HOLD; None where the policy knows none."""
        return self._of_drawn(self.distributions.p_out)

    @cached_property
    def p_click(self) -> list[float] | None:
        """The click probability of each drawn joint action, 0 for HOLD; None where the policy knows none."""
        return self._of_drawn(self.distributions.p_click)

    def _of_drawn(self, values: FloatArray | None) -> list[float] | None:
        if values is None:
            return None
        hold = self.rulebook.space.hold
        return [0.0 if number == hold else values.item(row, number) for row, number in enumerate(self.drawn)]

    @cached_property
    def actions(self) -> list[JointAction | None]:
        """The drawn joint actions; None for HOLD."""
        space = self.rulebook.space
        return [None if number == space.hold else space[number] for number in self.drawn]

    @cached_property
    def triggers(self) -> list[int | None]:
        """The positions of the triggers that the drawn sends answer; None for HOLD."""
        trigger_of = self.eligibles.trigger_of
        if trigger_of is None:
            return [None if action is None else 0 for action in self.actions]
        return [
            None if action is None else trigger_of.item(row, self.drawn[row]) for row, action in enumerate(self.actions)
        ]

    @cached_property
    def sends(self) -> list[Send | None]:
        """The drawn sends as the shoppers' states hold them; None for HOLD."""
        planned, hold, trigger_of = self.rulebook.planned_sends, self.rulebook.space.hold, self.eligibles.trigger_of
        p_click = self.p_click
        sends: list[Send | None] = []
        for row, number in enumerate(self.drawn):
            if number == hold:
                sends.append(None)
            else:
                trigger = 0 if trigger_of is None else trigger_of[row, number]
                expected = None if p_click is None else p_click[row]
                sends.append(_send_of(self.situations[row][trigger], planned[number], expected))
        return sends


class Decision(msgspec.Struct, frozen=True, eq=False):
    """The drawn joint action of one request of a batch, and everything that the draw rests on."""

    batch: DecisionBatch
    row: int

    @property
    def request(self) -> Request:
        """The request that was decided."""
        return self.batch.situations[self.row][0].request

    @property
    def rulebook(self) -> Rulebook:
        """The catalogue that the request was decided with."""
        return self.batch.rulebook

    @property
    def policy(self) -> Policy:
        """The policy that the request was decided with."""
        return self.batch.policy

    @property
    def context(self) -> dict[str, Scalar]:
        """The context that the triggers share."""
        return self.batch.contexts[self.row]

    @property
    def locale(self) -> str:
        """The locale of the content."""
        return self.batch.situations[self.row][0].locale

    @property
    def held_out(self) -> bool:
        """Whether the shopper gets no notification except critical ones."""
        return self.batch.situations[self.row][0].surroundings.held_out

    @property
    def eligibility(self) -> Eligibility:
        """The eligible set, and the reasons of the other joint actions."""
        return self.batch.eligibles[self.row]

    @property
    def verdicts(self) -> ByteArray:
        """The `Reason` of each joint action, (n,)."""
        return np.asarray(self.batch.eligibles.verdicts[self.row])

    @property
    def hold_eligible(self) -> bool:
        """Whether HOLD is eligible."""
        return bool(self.batch.eligibles.hold[self.row])

    @property
    def size(self) -> int:
        """The size of the eligible set, HOLD included."""
        return self.batch.sizes[self.row]

    @property
    def has_eligible_send(self) -> bool:
        """Whether at least one send is eligible."""
        return self.size > self.hold_eligible

    @property
    def exclusions(self) -> tuple[ExclusionCount, ...]:
        """How many joint actions of each channel were excluded, and why."""
        return count_exclusions(self.verdicts.tobytes(), self.rulebook)

    @property
    def probabilities(self) -> FloatArray:
        """The distribution over the eligible set, (K,); without an eligible send HOLD has probability 1."""
        return self.batch.probabilities[self.row]

    @property
    def drawn(self) -> int:
        """The number of the drawn joint action; HOLD has the number ``len(space)``."""
        return self.batch.drawn[self.row]

    @property
    def propensity(self) -> float:
        """The probability with which the joint action was drawn."""
        return self.batch.propensities[self.row]

    @property
    def p_out(self) -> float | None:
        """The opt-out probability of the drawn joint action; None if no send was eligible, or the policy knows none."""
        return self._of_drawn_action(self.batch.p_out)

    @property
    def p_click(self) -> float | None:
        """The click probability of the drawn joint action; None if no send was eligible, or the policy knows none."""
        return self._of_drawn_action(self.batch.p_click)

    def _of_drawn_action(self, values: list[float] | None) -> float | None:
        return None if values is None or not self.has_eligible_send else values[self.row]

    @property
    def numbers(self) -> ShopperNumbers | None:
        """The numbers about the shopper that the policy saw; None if no send was eligible."""
        return self.batch.numbers[self.row] if self.has_eligible_send else None

    @property
    def is_send(self) -> bool:
        """Whether a send was drawn."""
        return self.action is not None

    @property
    def action(self) -> JointAction | None:
        """The drawn send, or None."""
        return self.batch.actions[self.row]

    @property
    def trigger(self) -> int | None:
        """The position of the trigger that the drawn send answers, or None."""
        return self.batch.triggers[self.row]

    @property
    def send(self) -> Send | None:
        """The drawn send as the shopper's state holds it, or None."""
        return self.batch.sends[self.row]


def _send_of(situation: Situation, planned: PlannedSend, p_click: float | None) -> Send:
    request, trigger = situation.request, situation.trigger
    send_at = request.now + planned.delay_s
    return Send(
        event_id=request.event_id,
        send_at=send_at,
        message=planned.message,
        channel=planned.channel,
        category=planned.category,
        critical=trigger.critical,
        cost=planned.cost,
        deferred=request.deferred,
        window_ends_at=send_at + planned.attribution_window_s,
        occurred_at=trigger.time(request.now) if trigger.ends_on else None,
        ends_on=trigger.ends_on,
        p_click=exact_probability(p_click),
        product_category=short_name(trigger.product_category or ""),
    )
