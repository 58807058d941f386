"""The front door of this package: pure functions from requests to decisions.

Service, simulator and replay call `decide_many`, `decide_in_order` or `decide`, and get the same decisions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec
import numpy as np

from policies.catalogue.rulebook import Rulebook
from policies.decision import Decision, DecisionBatch
from policies.draw import SampleSeeds, draw_many, unit_number
from policies.models.policy import Policy
from policies.records.model_input import ModelInput
from policies.records.reasons import Reason
from policies.records.request import Request
from policies.records.rows import Scalar
from policies.records.shopper_numbers import ShopperNumbers
from policies.rules.arbitration import arbitrate_many, situations_of
from policies.rules.budget import NOTHING_SPENT, Budgets, Spent
from policies.rules.next_possible import next_possible_at
from policies.rules.rules import RULES
from policies.rules.situation import Situation, Surroundings
from policies.shopper.context import shared_context
from policies.shopper.history import SendHistory
from policies.shopper.model_inputs import trigger_input
from policies.shopper.numbers import shopper_numbers
from policies.shopper.renames import rename_spending, rename_state
from policies.shopper.state import NEW_SHOPPER, Send, ShopperState


class Case(msgspec.Struct, frozen=True):
    """A request, and what is known of the shopper and of the budgets when the request is decided.

    ``spent`` is the cost of today's and later sends so far, for channels with a budget.
    """

    request: Request
    state: ShopperState
    spent: Spent = {}


def decide(
    request: Request,
    state: ShopperState,
    rulebook: Rulebook,
    policy: Policy,
    seed: bytes,
    spent: Spent = NOTHING_SPENT,
) -> Decision:
    """Decide which notification to send, or none: `decide_many` of one request."""
    return decide_many([Case(request, state, spent)], rulebook, policy, seed)[0]


def decide_many(cases: Sequence[Case], rulebook: Rulebook, policy: Policy, seed: bytes) -> list[Decision]:
    """Decide which notification to send, or none, for each case by itself.

    Candidates of all triggers → guardrails → arbitration → the policy's distribution over the eligible set
    → one draw seeded by the event id. Nothing may swap the drawn action afterwards. A decision is the same to the
    byte, whatever other cases are decided with it.
    """
    if not cases:
        return []
    situations = [_situations_of(case, rulebook, seed) for case in cases]
    shared, numbers, inputs = list[dict[str, Scalar]](), list[ShopperNumbers](), list[list[ModelInput]]()
    for of_request in situations:
        request, state = of_request[0].request, of_request[0].state
        history = SendHistory.of(state, request.now)
        context = shared_context(request, state, rulebook, history)
        of_shopper = shopper_numbers(request, state, rulebook, history)
        shared.append(context)
        numbers.append(of_shopper)
        inputs.append([trigger_input(context, of_shopper, one.trigger, request.event_id) for one in of_request])
    eligibles = arbitrate_many(situations, inputs)
    seeds = SampleSeeds(seed, [case.request.event_id for case in cases])
    distributions = policy.distributions(eligibles, rulebook, seeds)
    units = np.array([unit_number(seed, case.request.event_id) for case in cases])
    drawn = draw_many(distributions.probabilities, units).tolist()
    batch = DecisionBatch(situations, shared, numbers, eligibles, policy, distributions, drawn)
    return [Decision(batch, row) for row in range(len(cases))]


def _situations_of(case: Case, rulebook: Rulebook, seed: bytes) -> list[Situation]:
    """Return what the triggers of a request are judged on, under the names of today."""
    request, names = case.request, rulebook.former_names
    held_out = is_held_out(seed, request.shopper_id, rulebook)
    surroundings = Surroundings(rename_spending(case.spent, names), held_out)
    return situations_of(request, rename_state(case.state, names), rulebook, surroundings)


def decide_in_order(
    requests: Sequence[Request],
    states: Mapping[str, ShopperState],
    spent: Spent,
    rulebook: Rulebook,
    policy: Policy,
    seed: bytes,
) -> list[Decision]:
    """Decide requests in order: each decision knows the sends of the decisions before.

    The decisions are the same as if each request were decided, and its send reserved, before the next one is decided.

    ``states`` holds the shoppers' states by shopper id; a shopper without one is new. ``spent`` is the cost so far of
    the sends of today and later, for channels with a budget.

    If a send makes a budget day tight (see `Budgets`), the result ends with this send: the caller must decide the other
    requests with what is spent by then. So the result has at least one decision, and perhaps fewer than the requests.
    """
    claims, budgets, decisions = _Claims(dict(states)), Budgets(spent, rulebook), list[Decision]()

    def decide_wave(wave: Sequence[Request]) -> list[Decision]:
        cases = [Case(request, claims.state_of(request.shopper_id), spent) for request in wave]
        decided = decide_many(cases, rulebook, policy, seed)
        claims.add(decided)
        return decided

    for part in _parts(requests, cautious=budgets.is_any_tight()):
        for decision in _decide_waves(part, decide_wave):
            decisions.append(decision)
            if decision.send is not None and budgets.pay_for(decision.send):
                return decisions  # from here on a decision depends on what is spent on this day
    return decisions


class _Claims:
    """The shoppers' states with the sends that were decided. A send is added when its shopper is asked for again."""

    def __init__(self, states: dict[str, ShopperState]) -> None:
        self._states = states
        self._sends: dict[str, Send] = {}
        """By shopper id: the last send, as long as the state is without it."""

    def state_of(self, shopper_id: str) -> ShopperState:
        state = self._states.get(shopper_id, NEW_SHOPPER)
        if (send := self._sends.pop(shopper_id, None)) is not None:
            state = self._states[shopper_id] = state.with_claim(send)
        return state

    def add(self, decisions: Iterable[Decision]) -> None:
        """Add the sends of decisions, at most one of a shopper."""
        self._sends.update({decision.request.shopper_id: send for decision in decisions if (send := decision.send)})


def _parts(requests: Sequence[Request], *, cautious: bool) -> Iterator[Sequence[Request]]:
    """Yield the requests in parts: all at once or, with ``cautious``, in parts that grow from a single request.

    Where a day is tight already, the caller may stop after any send, and drops the decisions behind it.
    """
    begin, size = 0, 1 if cautious else len(requests)
    while begin < len(requests):
        yield requests[begin : begin + size]
        begin, size = begin + size, 2 * size


def _decide_waves(
    requests: Sequence[Request], decide_wave: Callable[[Sequence[Request]], list[Decision]]
) -> list[Decision]:
    """Decide each shopper's first request, then each shopper's second request, and so on."""
    decisions: dict[int, Decision] = {}
    for wave in _waves(requests):
        for position, decision in zip(wave, decide_wave([requests[position] for position in wave]), strict=True):
            decisions[position] = decision
    return [decisions[position] for position in range(len(requests))]


def _waves(requests: Sequence[Request]) -> list[list[int]]:
    """Return the positions of each shopper's first request, then of each shopper's second request, and so on."""
    waves, seen = list[list[int]](), dict[str, int]()
    for position, request in enumerate(requests):
        number = seen.get(request.shopper_id, 0)
        seen[request.shopper_id] = number + 1
        if number == len(waves):
            waves.append([])
        waves[number].append(position)
    return waves


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
