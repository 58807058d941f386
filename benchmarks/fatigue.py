"""Sends that tire: sequential estimators beside a bandit one, against the truth of a small world."""

from __future__ import annotations

from math import sqrt

import numpy as np

from benchmarks.worlds import Fatigue
from decision_service.measurement import Measured
from offline_eval.sequential.evaluation import ESTIMATORS, history_finding
from offline_eval.sequential.trajectories import Trajectories

_SHOPPERS = 2_000


def measure(repetitions: int, seed: int) -> list[Measured]:
    """Measure bias relative to the truth, with its 95 % interval, and how often the bandit estimate is flagged."""
    world, random = Fatigue(), np.random.default_rng(seed)
    found: dict[str, list[float]] = {"bandit_ips": [], **{each.name: [] for each in ESTIMATORS}}
    flagged = 0
    for _ in range(repetitions):
        log = world.log(_SHOPPERS, random)
        found["bandit_ips"].append(_bandit(log))
        for estimator in ESTIMATORS:
            found[estimator.name].append(estimator.value(log, np.ones(_SHOPPERS)))
        flagged += bool(history_finding(log))
    truth = world.truth(world.wanted)
    return [
        Measured("fatigue.truth.target", truth, unit="reward per decision"),
        Measured("fatigue.truth.logging", world.truth(world.logged), unit="reward per decision"),
        *(_bias(name, np.array(values), truth) for name, values in found.items()),
        Measured("fatigue.bandit_ips.flagged", flagged / repetitions, unit=f"of {repetitions} logs"),
    ]


def _bandit(log: Trajectories) -> float:
    return float((log.weight * log.reward).mean())


def _bias(name: str, values: np.ndarray, truth: float) -> Measured:
    bias = float(values.mean()) / truth - 1
    reach = 1.96 * float(values.std(ddof=1)) / truth / sqrt(len(values))
    return Measured(f"fatigue.{name}.bias", bias, bias - reach, bias + reach, "of the truth")
