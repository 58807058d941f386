"""What the stages of a decision cost: the guardrails beside the policy call, interleaved, in time of the core."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from math import sqrt

import numpy as np

from benchmarks import busy
from decision_service.cli.measurements import Measured
from policies.arrays import FloatArray
from policies.catalogue.rulebook import Rulebook
from policies.models.learned import empty_snapshot, learned_policy
from policies.rules.arbitration import Eligibility, arbitrate
from policies.shopper.context import shared_context, trigger_context

Call = Callable[[], object]

_CALLS = 100
"""Calls timed together: a clock's own cost is then nothing beside them."""


def guardrails(*, rounds: int) -> list[Measured]:
    """Time all rules and the arbitration over 250 joint actions; compare with the policy call, and plain Python."""
    rules, beside, plain = _times([rules_call(), policy_call(), additions], rounds)
    return [
        _median("guardrails.250.us", rules, "us"),
        Measured(
            "guardrails.250.us_at_best", float(np.quantile(rules, 0.1)), unit="us, a tenth of the rounds is faster"
        ),
        _median("policy.default.240.us_per_decide", beside, "us"),
        _median("guardrails.250.ratio_to_policy", rules / beside, "ratio"),
        _median("python.1000_additions.us", plain, "us"),
        _median("guardrails.250.ratio_to_1000_additions", rules / plain, "ratio"),
    ]


def policy(*, rounds: int) -> list[Measured]:
    """Time the default policy's distribution over 240 joint actions."""
    (times,) = _times([policy_call()], rounds)
    return [_median("policy.default.240.us_per_decide", times, "us")]


def additions() -> int:
    """Add a thousand numbers in plain Python: what the core is worth at this moment."""
    total = 0
    for number in range(1_000):
        total += number
    return total


def rules_call() -> Call:
    """Judge and arbitrate one request: 10 messages on 5 channels with 5 delays."""
    book = busy.rulebook(messages=10, channels=5)
    state, request, surroundings = busy.shopper(book), busy.request(), busy.surroundings(book)
    return lambda: arbitrate(request, state, book, surroundings)


def policy_call() -> Call:
    """Ask the default policy of one request: 12 messages on 4 channels with 5 delays, all eligible."""
    book = busy.rulebook(messages=12, channels=4)
    state, request = busy.shopper(book), busy.request()
    default = learned_policy(empty_snapshot(book.catalogue.reward), book, 1)
    contexts = [trigger_context(shared_context(request, state, book), each) for each in request.triggers]
    eligibility = _everything(book)
    return lambda: default.distribution(contexts, eligibility, book)


def _everything(book: Rulebook) -> Eligibility:
    sends = np.arange(len(book.space))
    return Eligibility(np.zeros(len(sends), np.uint8), np.zeros(len(sends), np.int64), sends, True, "en")


def _times(calls: Sequence[Call], rounds: int) -> FloatArray:
    """Time calls in turns, so that what the machine does meanwhile meets all of them: (calls, rounds) in µs."""
    for call in calls:
        _time(call)
    return np.array([[_time(call) for call in calls] for _ in range(rounds)]).T


def _time(call: Call) -> float:
    begin = time.thread_time()
    for _ in range(_CALLS):
        call()
    return (time.thread_time() - begin) / _CALLS * 1e6


def _median(name: str, values: FloatArray, unit: str) -> Measured:
    """Give the median over rounds with the interval that order statistics give it (95 %)."""
    ordered, middle, reach = np.sort(values), len(values) / 2, 0.98 * sqrt(len(values))
    low, high = max(0, int(middle - reach)), min(len(values) - 1, int(middle + reach))
    return Measured(name, float(np.median(values)), float(ordered[low]), float(ordered[high]), unit)
