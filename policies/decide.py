"""The front door of this package: one pure function from requests to decisions.

Service, simulator and replay call `decide_many`, `decide_in_order` or `decide`, and get the same decisions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf

import numpy as np

from policies.arrays import FloatArray
from policies.catalogue.action_space import JointAction
from policies.catalogue.rulebook import Rulebook, millionths
from policies.draw import draw_many, unit_number
from policies.models.policy import Policy
from policies.records.reasons import Reason
from policies.records.request import Request
from policies.records.rows import Scalar
from policies.rules.arbitration import Eligibility, Eligibles, arbitrate
from policies.rules.budget import NOTHING_SPENT, BudgetDay, Spent, utc_day
from policies.rules.next_possible import next_possible_at
from policies.rules.rules import RULES
from policies.rules.situation import Surroundings
from policies.shopper.context import find_locale, shared_context, trigger_context
from policies.shopper.renames import rename_spending, rename_state
from policies.shopper.state import NEW_SHOPPER, Send, ShopperState


@dataclass(frozen=True)
class Question:
    """A request, and what is known of the shopper and of the budgets when the request is decided.

    ``spent`` is the cost of today's and later sends so far, for channels with a budget.
    """

    request: Request
    state: ShopperState
    spent: Spent = field(default_factory=dict)


@dataclass(frozen=True)
class Decision:
    """The drawn joint action, and everything that the draw rests on.

    ``locale`` is the locale of the content.
    ``drawn`` is the number of a joint action; HOLD has the number ``len(space)``. ``probabilities`` (K,) is the
    distribution over the eligible set. Without an eligible send HOLD is drawn with probability 1.
    """

    request: Request
    rulebook: Rulebook
    policy: Policy
    context: dict[str, Scalar]
    locale: str
    eligibility: Eligibility
    probabilities: FloatArray
    drawn: int
    propensity: float
    held_out: bool = False
    p_out: float | None = None

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
        return int(self.eligibility.trigger_of[self.drawn]) if self.is_send else None

    @property
    def send(self) -> Send | None:
        """The drawn send as the shopper's state holds it, or None."""
        if self.action is None or self.trigger is None:
            return None
        catalogue, send_at = self.rulebook.catalogue, self.request.now + self.action.delay_s
        trigger = self.request.triggers[self.trigger]
        return Send(
            event_id=self.request.event_id,
            send_at=send_at,
            message=self.action.message,
            channel=self.action.channel,
            category=catalogue.messages[self.action.message].category,
            critical=trigger.critical,
            cost=self.rulebook.cost(self.action),
            deferred=self.request.deferred,
            window_ends_at=send_at + catalogue.channels[self.action.channel].attribution_window_s,
            occurred_at=trigger.time(self.request.now) if trigger.ends_on else None,
            ends_on=trigger.ends_on,
        )


def decide(
    request: Request,
    state: ShopperState,
    rulebook: Rulebook,
    policy: Policy,
    seed: bytes,
    spent: Spent = NOTHING_SPENT,
) -> Decision:
    """Decide which notification to send, or none: `decide_many` of one request."""
    return decide_many([Question(request, state, spent)], rulebook, policy, seed)[0]


def decide_many(questions: Sequence[Question], rulebook: Rulebook, policy: Policy, seed: bytes) -> list[Decision]:
    """Decide which notification to send, or none, for each question by itself.

    Candidates of all triggers → guardrails → arbitration → the policy's distribution over the eligible set
    → one draw seeded by the event id. Nothing may swap the drawn action afterwards. A decision is the same to the
    byte, whatever other questions are decided with it.
    """
    if not questions:
        return []
    cases = [_Case.of(question, rulebook, seed) for question in questions]
    eligibles = Eligibles.of(
        [arbitrate(case.request, case.state, rulebook, case.surroundings) for case in cases],
        [[trigger_context(case.context, trigger) for trigger in case.request.triggers] for case in cases],
    )
    distributions = policy.distributions(eligibles, rulebook)
    units = np.array([unit_number(seed, case.request.event_id) for case in cases])
    drawn = draw_many(distributions.probabilities, units)
    p_out = distributions.p_out_of(drawn)
    return [
        Decision(
            request=case.request,
            rulebook=rulebook,
            policy=policy,
            context=case.context,
            locale=find_locale(case.request.context, case.state, rulebook.catalogue),
            eligibility=eligibles[row],
            probabilities=distributions.probabilities[row][eligibles.mask[row]],
            drawn=number,
            propensity=float(distributions.probabilities[row, number]),
            held_out=case.surroundings.held_out,
            p_out=None if p_out is None or not eligibles.mask[row, :-1].any() else float(p_out[row]),
        )
        for row, (case, number) in enumerate(zip(cases, drawn.tolist(), strict=True))
    ]


@dataclass(frozen=True)
class _Case:
    """What a question is decided on."""

    request: Request
    state: ShopperState
    surroundings: Surroundings
    context: dict[str, Scalar]

    @classmethod
    def of(cls, question: Question, rulebook: Rulebook, seed: bytes) -> _Case:
        request, names = question.request, rulebook.former_names
        state = rename_state(question.state, names)
        held_out = is_held_out(seed, request.shopper_id, rulebook)
        surroundings = Surroundings(rename_spending(question.spent, names), held_out)
        return cls(request, state, surroundings, shared_context(request, state, rulebook))


def decide_in_order(
    requests: Sequence[Request],
    states: Mapping[str, ShopperState],
    spent: Spent,
    rulebook: Rulebook,
    policy: Policy,
    seed: bytes,
) -> list[Decision]:
    """Decide requests as if one came after the other, and each took its place before the next was decided.

    ``states`` holds the shoppers' states by shopper id; a shopper without one is new. ``spent`` is the cost so far of
    the sends of today and later, for channels with a budget.

    The result has a decision for the first requests only, at least for one, where the sends of these use up so much of
    a day's budget that the rest must be decided with what is spent by then.
    """
    known, decisions = dict(states), list[Decision]()
    total: Counter[BudgetDay] = Counter(rename_spending(spent, rulebook.former_names))
    for request in requests:
        state = known.get(request.shopper_id, NEW_SHOPPER)
        decision = decide(request, state, rulebook, policy, seed, spent)
        decisions.append(decision)
        if (send := decision.send) is not None:
            known[request.shopper_id] = state.with_claim(send)
            day = send.channel, utc_day(send.send_at)
            total[day] += millionths(send.cost)
            if total[day] > rulebook.pays_for_any.get(send.channel, inf):
                break  # from here on the rules look at what is spent on this day
    return decisions


def is_held_out(seed: bytes, shopper_id: str, rulebook: Rulebook) -> bool:
    """Return whether a shopper belongs to the holdout: always the same shoppers while the share stays the same."""
    share = rulebook.catalogue.arms.holdout
    return share > 0 and unit_number(seed, shopper_id, "holdout") < share


def still_allowed(decision: Decision, state: ShopperState) -> bool:
    """Return whether the drawn send passes every rule in a newer state of the shopper.

    The reservation asks this when the state has changed between reading and reserving. The budget is not asked
    here: the reservation compares it itself, at the moment of reserving.
    """
    if decision.trigger is None:
        return False
    trigger = decision.request.triggers[decision.trigger]
    surroundings = Surroundings(NOTHING_SPENT, decision.held_out)
    state = rename_state(state, decision.rulebook.former_names)
    situation = RULES.situation_of(decision.request, trigger, state, decision.rulebook, surroundings)
    verdicts = RULES.judge(situation)
    return bool(verdicts[decision.drawn] == Reason.eligible)


def next_possible_send(decision: Decision, state: ShopperState, spent: Spent) -> float | None:
    """Return the earliest time at which the request of a decision would have an eligible send, None without one.

    ``state`` and ``spent`` are what is known now; nothing else happens until then.
    """
    names = decision.rulebook.former_names
    surroundings = Surroundings(rename_spending(spent, names), decision.held_out)
    return next_possible_at(decision.request, rename_state(state, names), decision.rulebook, surroundings)
