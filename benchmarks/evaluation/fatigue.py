"""Sends that tire: the bias of sequential estimators and of a bandit estimator, by the exact truth."""

from __future__ import annotations

from math import sqrt

import numpy as np

from decision_service.cli.measurements import Measured
from offline_eval.sequential.evaluation import SEQUENTIAL_ESTIMATORS, check_history
from offline_eval.sequential.trajectories import Trajectories
from simulators.envs.fatigue_small import FatigueSmall


def measure(repetitions: int, seed: int) -> list[Measured]:
    """Measure bias relative to the truth, with its 95 % interval, and how often the bandit estimate is flagged."""
    world = FatigueSmall()
    values: dict[str, list[float]] = {"bandit_ips": [], **{estimator.name: [] for estimator in SEQUENTIAL_ESTIMATORS}}
    flagged = 0
    for number in range(repetitions):
        log = draw_log(world, seed * 1_000_000 + number)
        values["bandit_ips"].append(_bandit_ips(log))
        for estimator in SEQUENTIAL_ESTIMATORS:
            values[estimator.name].append(estimator.value(log, np.ones(log.shoppers)))
        flagged += bool(check_history(log))
    truth = world.value(world.target())
    return [
        Measured("fatigue.truth.target", truth, unit="reward per decision"),
        Measured("fatigue.truth.logging", world.value(world.logging()), unit="reward per decision"),
        *(_bias(name, np.array(of_logs), truth) for name, of_logs in values.items()),
        Measured("fatigue.bandit_ips.flagged", flagged / repetitions, unit=f"of {repetitions} logs"),
    ]


def draw_log(world: FatigueSmall, seed: int) -> Trajectories:
    """Draw a log under the world's logging policy, with its target policy as target."""
    log = world.sample(world.logging(), seed)
    users, slots = log.states.shape
    states = log.states.ravel()
    return Trajectories(
        shopper=np.repeat(np.arange(users), slots),
        step=np.tile(np.arange(slots), users),
        state=states,
        action=log.actions.ravel(),
        reward=log.rewards.ravel(),
        propensity=log.propensities.ravel(),
        target=world.target()[states],
    )


def _bandit_ips(log: Trajectories) -> float:
    return float((log.weight * log.reward).mean())


def _bias(name: str, values: np.ndarray, truth: float) -> Measured:
    bias = float(values.mean()) / truth - 1
    reach = 1.96 * float(values.std(ddof=1)) / truth / sqrt(len(values))
    return Measured(f"fatigue.{name}.bias", bias, bias - reach, bias + reach, "of the truth")
