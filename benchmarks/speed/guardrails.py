"""The CPU time of the guardrails and of the policy call for one request, measured in turns."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np

from benchmarks.speed import busy_shop
from benchmarks.speed.ranges import median_interval
from decision_service.cli.measurements import Measured
from policies.arrays import FloatArray
from policies.draw import SampleSeeds
from policies.models.learned import DEFAULT
from policies.models.registry import POLICIES
from policies.rules.arbitration import Eligibility, Eligibles, arbitrate
from policies.shopper.context import shared_context
from policies.shopper.model_inputs import trigger_input
from policies.shopper.numbers import shopper_numbers

Call = Callable[[], object]

_CALLS = 100
"""Calls per measurement, so that the cost of reading the clock is negligible."""


def measure_rules(*, rounds: int) -> list[Measured]:
    """Time all rules and the arbitration over 250 joint actions; compare with the policy call and plain Python."""
    rules, beside, plain = _times([make_rules_call(), make_policy_call(), add_thousand], rounds)
    return [
        median_interval("guardrails.250.us", rules, "us"),
        Measured(
            "guardrails.250.us_at_best", float(np.quantile(rules, 0.1)), unit="us, a tenth of the rounds is faster"
        ),
        median_interval("policy.default.240.us_per_decide", beside, "us"),
        median_interval("guardrails.250.ratio_to_policy", rules / beside, "ratio"),
        median_interval("python.1000_additions.us", plain, "us"),
        median_interval("guardrails.250.ratio_to_1000_additions", rules / plain, "ratio"),
    ]


def measure_policy(*, rounds: int) -> list[Measured]:
    """Time the distribution of each policy that learns over 240 joint actions, before anything is learned."""
    names = [name for name, factory in POLICIES.items() if factory.learns]
    times = _times([make_policy_call(name) for name in names], rounds)
    return [
        median_interval(f"policy.{name}.240.us_per_decide", of_one, "us")
        for name, of_one in zip(names, times, strict=True)
    ]


def add_thousand() -> int:
    """Add a thousand numbers in plain Python: a measure of the speed of the core at this moment."""
    total = 0
    for number in range(1_000):
        total += number
    return total


def make_rules_call() -> Call:
    """Return a call that judges and arbitrates one request: 10 messages on 5 channels with 5 delays."""
    book = busy_shop.rulebook(messages=10, channels=5)
    state, request, surroundings = busy_shop.shopper(book), busy_shop.request(), busy_shop.surroundings(book)
    return lambda: arbitrate(request, state, book, surroundings)


def make_policy_call(name: str = DEFAULT.name) -> Call:
    """Return a call of a policy for one request: 12 messages on 4 channels with 5 delays, all eligible."""
    book = busy_shop.rulebook(messages=12, channels=4)
    state, request = busy_shop.shopper(book), busy_shop.request()
    policy, seeds = POLICIES[name].make(book), SampleSeeds(b"benchmark", [request.event_id])
    shared, numbers = shared_context(request, state, book), shopper_numbers(request, state, book)
    inputs = [trigger_input(shared, numbers, trigger, request.event_id) for trigger in request.triggers]
    eligibles = Eligibles.of([Eligibility(np.zeros(len(book.space), np.uint8), hold=True)], [inputs])
    return lambda: policy.distributions(eligibles, book, seeds)


def _times(calls: Sequence[Call], rounds: int) -> FloatArray:
    """Time calls in turns, so that other load of the machine affects all of them; µs, (calls, rounds)."""
    for call in calls:
        _time(call)
    return np.array([[_time(call) for call in calls] for _ in range(rounds)]).T


def _time(call: Call) -> float:
    begin = time.thread_time()
    for _ in range(_CALLS):
        call()
    return (time.thread_time() - begin) / _CALLS * 1e6
