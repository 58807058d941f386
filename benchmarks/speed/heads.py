"""The CPU time of the Bayesian heads: learning a send, and the posterior and its draws over 240 joint actions."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from benchmarks.speed import busy_shop
from benchmarks.speed.ranges import median_interval
from decision_service.cli.measurements import Measured
from policies.arrays import FloatArray
from policies.catalogue.action_space import ActionSpace
from policies.heads.features import Features, SlotValue
from policies.heads.learner import HeadsLearner, Observation
from policies.heads.posterior import CompiledHeads, PlaceValues, draw_normals

GROUPS = (1, 16, 64)
DRAWS = (4, 8, 16, 32, 64)
_DRAWS_BY_DEFAULT = 16
_LEARNED = 3_000
_INTERACTIONS = 500
"""Interactions per measurement of learning."""


def measure(*, rounds: int, seed: int) -> list[Measured]:
    """Time learning and serving in turns: µs per request in groups of 1, 16 and 64, and by the number of draws."""
    space, rng = busy_shop.rulebook(messages=16, channels=3).space, random.Random(seed)
    requests = [make_features(rng, space) for _ in range(max(GROUPS))]
    learner = HeadsLearner()
    _learn(learner, space, requests, _LEARNED, seed)
    compiled = CompiledHeads(learner.snapshot(), space)
    calls = _calls(compiled, requests)
    for call, _ in calls.values():
        call()
    times = dict[str, list[float]]()
    for _ in range(rounds):
        for name, (call, size) in calls.items():
            times.setdefault(name, []).append(_time(call) / size * 1e6)
        seconds = _time(lambda: _learn(learner, space, requests, _INTERACTIONS, seed))
        times.setdefault("heads.learn.us", []).append(seconds / _INTERACTIONS * 1e6)
    return [median_interval(name, values, "us of CPU") for name, values in times.items()]


def make_features(rng: random.Random, space: ActionSpace) -> Features:
    """Return features of every kind, with three values of the caller."""

    def numbers(values: Sequence[SlotValue]) -> dict[SlotValue, float]:
        return {value: rng.gauss(0.0, 1.0) for value in values}

    return Features(
        tokens={
            "trigger": (f"trigger_{rng.randrange(10)}",),
            "segment": (f"segment_{rng.randrange(5)}",),
            "product_category": (f"products_{rng.randrange(8)}",),
            "streak": (str(rng.randrange(5)),),
            "caller": ("device_mobile", f"cart_{rng.randrange(12)}", f"weather_{rng.randrange(4)}"),
        },
        moments={
            "hour": {delay: f"{rng.randrange(8)}_{rng.randrange(2)}" for delay in space.delays_s},
            "load_level": {delay: str(rng.randrange(4)) for delay in space.delays_s},
        },
        numbers={"own": rng.gauss(0, 1), "affinity": rng.random()},
        slot_numbers={
            **{name: numbers(space.delays_s) for name in ("presence", "load", "load_squared", "topic_load")},
            "own_channel": numbers(space.channels),
            "own_category": numbers(space.categories),
        },
    )


def _calls(compiled: CompiledHeads, requests: Sequence[Features]) -> dict[str, tuple[Callable[[], object], int]]:
    """Return what is timed by the name of its figure, and the number of requests in a call."""

    def mean(size: int) -> Callable[[], object]:
        return lambda: _spread(compiled.posterior(requests[:size]).probabilities())

    def draw(size: int, draws: int) -> Callable[[], object]:
        def call() -> object:
            streams = [np.random.Generator(np.random.PCG64(number)) for number in range(size)]
            posterior = compiled.posterior(requests[:size])
            return _spread(posterior.draw_probabilities(draw_normals(streams, draws, compiled.cells)))

        return call

    calls = {f"heads.mean.240.{size}.us": (mean(size), size) for size in GROUPS}
    calls |= {f"heads.draw_{_DRAWS_BY_DEFAULT}.240.{size}.us": (draw(size, _DRAWS_BY_DEFAULT), size) for size in GROUPS}
    return calls | {f"heads.draw_{draws}.240.64.us": (draw(64, draws), 64) for draws in DRAWS}


def _spread(heads: Mapping[str, PlaceValues]) -> list[FloatArray]:
    return [values.spread() for values in heads.values()]


def _learn(learner: HeadsLearner, space: ActionSpace, requests: Sequence[Features], count: int, seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(count):
        number, clicked = rng.randrange(len(space)), rng.random() < 0.05
        send = learner.find_weights(rng.choice(requests), space[number], space.categories[space.message_of[number]])
        order_head = "order_after_click" if clicked else "order_without_click"
        learner.learn(
            send, {"click": Observation(float(clicked)), "out": Observation(0.0), order_head: Observation(0.0)}
        )


def _time(call: Callable[[], object]) -> float:
    begin = time.process_time()
    call()
    return time.process_time() - begin
