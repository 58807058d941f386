"""Decisions: the drawn joint action of each request of a list, and everything that the draw rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from policies.arrays import FloatArray, IntArray
from policies.catalogue.action_space import JointAction
from policies.catalogue.rulebook import Rulebook
from policies.models.policy import Distributions, Policy
from policies.records.request import Request
from policies.records.rows import Scalar
from policies.rules.arbitration import Eligibility, Eligibles
from policies.rules.situation import Situation
from policies.shopper.state import Send


@dataclass(frozen=True, eq=False)
class DecisionBatch:
    """What a list of requests was decided on together; each position of each list belongs to one request.

    ``situations`` has one situation per trigger of a request. ``contexts`` are the contexts that the triggers of a
    request share. ``drawn`` are numbers of joint actions.
    """

    situations: Sequence[Sequence[Situation]]
    contexts: Sequence[dict[str, Scalar]]
    eligibles: Eligibles
    policy: Policy
    distributions: Distributions
    drawn: IntArray

    @cached_property
    def p_out(self) -> FloatArray | None:
        """The opt-out probabilities of what was drawn, (r,), or None."""
        return self.distributions.p_out_of(self.drawn)


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """The drawn joint action of one request of a batch, and everything that the draw rests on."""

    batch: DecisionBatch
    row: int

    @property
    def request(self) -> Request:
        """The request that was decided."""
        return self._situation.request

    @property
    def rulebook(self) -> Rulebook:
        """The catalogue that it was decided with."""
        return self._situation.rulebook

    @property
    def policy(self) -> Policy:
        """The policy that it was decided with."""
        return self.batch.policy

    @property
    def context(self) -> dict[str, Scalar]:
        """The context that the triggers share."""
        return self.batch.contexts[self.row]

    @property
    def locale(self) -> str:
        """The locale of the content."""
        return self._situation.locale

    @property
    def held_out(self) -> bool:
        """Whether the shopper gets no notification except critical ones."""
        return self._situation.surroundings.held_out

    @property
    def eligibility(self) -> Eligibility:
        """The eligible set, and why the other joint actions are not in it."""
        return self.batch.eligibles[self.row]

    @property
    def probabilities(self) -> FloatArray:
        """The distribution over the eligible set, (K,); without an eligible send HOLD has probability 1."""
        mask = self.batch.eligibles.mask[self.row]
        return np.asarray(self.batch.distributions.probabilities[self.row, mask])

    @property
    def drawn(self) -> int:
        """The number of the drawn joint action; HOLD has the number ``len(space)``."""
        return int(self.batch.drawn[self.row])

    @property
    def propensity(self) -> float:
        """The probability with which it was drawn."""
        return float(self.batch.distributions.probabilities[self.row, self.drawn])

    @property
    def p_out(self) -> float | None:
        """The opt-out probability of what was drawn; None where the policy assessed nothing, or knows none."""
        p_out = self.batch.p_out
        if p_out is None or not self.batch.eligibles.mask[self.row, :-1].any():
            return None
        return float(p_out[self.row])

    @property
    def is_send(self) -> bool:
        """Whether a send was drawn."""
        return self.drawn != self.rulebook.space.hold

    @property
    def action(self) -> JointAction | None:
        """The drawn send, or None."""
        return self.rulebook.space[self.drawn] if self.is_send else None

    @property
    def trigger(self) -> int | None:
        """The position of the trigger that the drawn send answers, or None."""
        if not self.is_send:
            return None
        trigger_of = self.batch.eligibles.trigger_of
        return 0 if trigger_of is None else int(trigger_of[self.row, self.drawn])

    @property
    def send(self) -> Send | None:
        """The drawn send as the shopper's state holds it, or None."""
        action, position, request = self.action, self.trigger, self.request
        if action is None or position is None:
            return None
        catalogue, send_at = self.rulebook.catalogue, request.now + action.delay_s
        trigger = request.triggers[position]
        return Send(
            event_id=request.event_id,
            send_at=send_at,
            message=action.message,
            channel=action.channel,
            category=catalogue.messages[action.message].category,
            critical=trigger.critical,
            cost=self.rulebook.cost(action),
            deferred=request.deferred,
            window_ends_at=send_at + catalogue.channels[action.channel].attribution_window_s,
            occurred_at=trigger.time(request.now) if trigger.ends_on else None,
            ends_on=trigger.ends_on,
        )

    @property
    def _situation(self) -> Situation:
        return self.batch.situations[self.row][0]
