"""The speed of the simulated world: shopper-hours per second on one core, and memory per shopper.

Every mechanism is on, and a sender sends three random messages per week to every shopper. The time is CPU time, so
that other work on the machine has little effect. Each size runs several rounds, and the result is their median. The
memory is measured in a separate process.
"""

from __future__ import annotations

import cProfile
import pstats
import resource
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from benchmarks.speed.turns import simulator_timer
from benchmarks.speed.turns.other_checkout import OtherCheckout
from benchmarks.speed.turns.simulator_timer import SimulatorTimer
from decision_service.cli.measurements import Measured
from simulators.scenarios.scenario import find_scenario
from simulators.senders.random_sender import RandomSender
from simulators.senders.sender import run_sender
from simulators.world.world import World

SIZES = (1_000, 10_000, 100_000)
WITH_DECIDE_SIZES = (1_000, 10_000)
LARGEST = 1_000_000
_MEMORY_TICKS = 168
RECOGYM_STEPS_PER_S = 1_830.0
"""RecoGym 0.1.3.0, steps per second of one user, measured on a 2-core machine (research note, section 2)."""


def measure(*, rounds: int, seed: int, against: Path | None) -> list[Measured]:
    """Measure the world alone, the world with `decide` in the loop, and memory.

    With ``against``, an older checkout runs the world with `decide` in turns with this one.
    """
    return [
        *(_speed(size, rounds, seed) for size in SIZES),
        *(
            measured
            for shoppers in WITH_DECIDE_SIZES
            for policy in ("rule", "default")
            for measured in _with_decide(policy, shoppers, rounds, seed, against)
        ),
        Measured("simulator.recogym.steps_per_s", RECOGYM_STEPS_PER_S, unit="steps/s, measured elsewhere"),
        *_memory(seed),
        *_profile(seed),
    ]


def _speed(shoppers: int, rounds: int, seed: int) -> Measured:
    ticks = 2_016 if shoppers <= 10_000 else 336
    rates = [_rate(shoppers, ticks, seed + number) for number in range(rounds)]
    name = "simulator.shopper_hours_per_s"
    name += "" if shoppers == 10_000 else f".{shoppers}"
    return _median(name, rates, f"shopper-hours/s on one core, {shoppers:,} shoppers")


def _rate(shoppers: int, ticks: int, seed: int) -> float:
    world, sender = World(find_scenario("stationary"), shoppers, seed), RandomSender(3.0)
    began = time.process_time()
    run_sender(world, sender, ticks)
    return shoppers * ticks / (time.process_time() - began)


def _with_decide(policy: str, shoppers: int, rounds: int, seed: int, against: Path | None) -> list[Measured]:
    name = f"simulator.with_decide.{policy}" + ("" if shoppers == WITH_DECIDE_SIZES[0] else f".{shoppers}")
    unit = f"shopper-hours/s on one core, {shoppers:,} shoppers"
    timer = SimulatorTimer(policy, shoppers, seed)
    if against is None:
        return [_median(f"{name}.shopper_hours_per_s", [timer.measure() for _ in range(rounds)], unit)]
    with OtherCheckout(against, simulator_timer.__file__, policy, str(shoppers), str(seed)) as other:
        pairs = [(timer.measure(), other.measure()) for _ in range(rounds)]
    return [
        _median(f"{name}.shopper_hours_per_s", [new for new, _ in pairs], unit),
        _median(f"{name}.ratio_to_old", [new / old for new, old in pairs], "speed of this version ÷ of the older one"),
    ]


def _median(name: str, rates: Sequence[float], unit: str) -> Measured:
    return Measured(name, statistics.median(rates), min(rates), max(rates), f"{unit}; interval: all rounds")


_PARTS = {
    "sender": ("senders/random_sender.py", "choose"),
    "mail": ("world/deliveries.py", "advance"),
    "reading": ("world/reactions.py", "advance"),
    "visits": ("world/visits.py", "advance"),
    "occasions": ("world/triggers.py", "advance"),
    "random numbers": ("random_streams.py", "uniforms"),
}
"""Name in the results → module and function of a mechanism."""


def _profile(seed: int) -> list[Measured]:
    """Measure the share of each mechanism in the time of a run; that of random numbers is part of the others."""
    world, profile = World(find_scenario("stationary"), 10_000, seed), cProfile.Profile()
    profile.runcall(run_sender, world, RandomSender(3.0), 1_008)
    total = pstats.Stats(profile).get_stats_profile().total_tt
    seconds: dict[str, float] = defaultdict(float)
    for (file, _, function), row in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        for part, (module, name) in _PARTS.items():
            if file.endswith(f"simulators/{module}") and function == name:
                seconds[part] += row[3]
    shares = {part: spent / total for part, spent in seconds.items()}
    return [
        Measured(f"simulator.share.{part.replace(' ', '_')}", share, unit="of the time at 10,000 shoppers, profiled")
        for part, share in shares.items()
    ]


def _memory(seed: int) -> list[Measured]:
    """Measure the peak of processes that hold a small and a large world for a week."""
    small, large = (_peak(shoppers, seed) for shoppers in (LARGEST // 10, LARGEST))
    per_shopper = (large - small) / (LARGEST - LARGEST // 10)
    return [
        Measured("simulator.memory.1m_shoppers", large / 2**30, unit="GiB, peak of the process"),
        Measured("simulator.memory.per_shopper", per_shopper, unit="bytes"),
    ]


def _peak(shoppers: int, seed: int) -> float:
    command = [sys.executable, "-m", "benchmarks.speed.simulator", str(shoppers), str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout) * 1_024.0


def _hold(shoppers: int, seed: int) -> int:
    """Run a world for a week, and return the peak memory of this process in KiB."""
    run_sender(World(find_scenario("stationary"), shoppers, seed), RandomSender(3.0), _MEMORY_TICKS)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    sys.stdout.write(f"{_hold(int(sys.argv[1]), int(sys.argv[2]))}\n")
