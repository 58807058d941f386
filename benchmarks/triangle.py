"""The triangle: the simulator knows the truth, the shop logs propensities, offline evaluation estimates the truth.

A learning shop with a floor decides among simulated shoppers. At each decision the simulator's own probabilities say
what every eligible joint action would earn now (one step): the truth of a target is their mean under its
distribution, over the very decisions that were logged. Intervals must hold it, and where they do not, the verdict
must not say `trust`. The logging policy is a target too: its truth beside what it earned checks the simulator.

The verdict is the one that the command gives, but for its warning of history: that is about what a target would earn in
the contexts that it brings about itself, which one step does not ask (`benchmarks.deployed` does). It is counted apart.
"""

from __future__ import annotations

import gc
import gzip
import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.rows_log import LoggedMind, learner
from decision_service.catalogues.file import example
from decision_service.cli.measurements import Measured
from decision_service.evaluation.log_decisions import EVALUATED, LogDecisions
from offline_eval import Question, make_estimators
from offline_eval.batch import LoggedBatch
from offline_eval.diagnostics.calibration import ServedFrequencies
from offline_eval.diagnostics.history import HistoryCheck
from offline_eval.diagnostics.verdict import Level
from offline_eval.evaluation import Evaluation
from offline_eval.logs.decisions import LoggedDecision
from offline_eval.reward_models import LogModel
from offline_eval.targets import LoggingTarget, PolicyTarget, Target, UniformTarget
from offline_eval.weighing import Weighing
from policies.catalogue.action_space import JointAction
from policies.catalogue.rulebook import Rulebook
from policies.models.policy import Policy
from policies.models.rule import rule_policy
from policies.records.rows import DecisionRow, Row, unpack
from simulators.experiments.simulation import Simulation
from simulators.scenario import scenario
from simulators.shops.base import Arrival, ConsentChange, Outcome, Shop, ShopperEvent
from simulators.shops.local import LocalShop, PolicySource
from simulators.shops.oracle import OraclePolicy
from simulators.world.messages import Messages
from simulators.world.truth import Truth
from simulators.world.world import World

Array = NDArray[np.float64]

DECISIONS = 20_000
WIDE, THIN = 0.2, 0.02
"""Floors ε of the logs."""

_ESTIMATORS = ("ipw", "snipw", "dr", "sndr")
SHOPPERS = 12_000
"""So many that 20,000 decisions have a choice within three weeks."""


class WatchedMind:
    """A mind beside the truth at each of its decisions."""

    def __init__(self, inner: PolicySource, oracle: OraclePolicy, rulebook: Rulebook) -> None:
        self._inner, self._oracle, self._rulebook = inner, oracle, rulebook
        self.expected: dict[str, Array] = {}
        """Event id → expected reward of every joint action (n,), HOLD's 0 last."""
        self.choices = 0
        """Decisions that had more than one joint action to choose from."""

    def policy(self, arrival: Arrival) -> Policy:
        """Give the inner mind's policy, and write down what everything would earn."""
        model = self._oracle.policy(arrival).model
        if model is not None:
            self.expected[arrival.event_id] = np.append(model.assess({}, self._rulebook).scores, 0.0)
        return self._inner.policy(arrival)

    def take(self, row: Row) -> None:
        """Learn."""
        self.choices += isinstance(row, DecisionRow) and len(unpack(row.probabilities, np.float64)) > 1
        self._inner.take(row)

    def reach(self, now: float) -> None:
        """Let time pass."""
        self._inner.reach(now)


class Enough:
    """A shop that decides until `DECISIONS` had a choice, and then only listens.

    Orders come up to a week after a click: a log that ended with its last decision would know too few of them.
    """

    def __init__(self, inner: Shop, mind: WatchedMind) -> None:
        self._inner, self._mind = inner, mind

    @property
    def _done(self) -> bool:
        return self._mind.choices >= DECISIONS

    def wishes(self, wishes: Sequence[ConsentChange], now: float) -> None:
        """Take changes of consent in."""
        self._inner.wishes(wishes, now)

    def tell(self, outcomes: Sequence[Outcome], now: float) -> None:
        """Take outcomes in."""
        self._inner.tell(outcomes, now)

    def saw(self, acts: Sequence[ShopperEvent], now: float) -> None:
        """Take in what shoppers did, as long as a decision may need it."""
        if not self._done:
            self._inner.saw(acts, now)

    def decide(self, arrivals: Sequence[Arrival]) -> list[JointAction | None]:
        """Decide for each arrival; in the end hold, without a row."""
        return [None] * len(arrivals) if self._done else self._inner.decide(arrivals)

    def reach(self, now: float) -> None:
        """Let time pass."""
        self._inner.reach(now)


@dataclass(frozen=True)
class Weighed:
    """One log as one target weighs it: all that a verdict is given on, beside the truth.

    ``truth`` is the target's expected reward per decision; ``warned`` tells of a warning of history.
    """

    target: str
    truth: float
    warned: bool
    rows: list[LoggedBatch]
    served: ServedFrequencies


@dataclass(frozen=True)
class LogOutcome:
    """What one log gave for one target: verdict, and which estimators' intervals hold the truth.

    ``earned`` is what the logging policy earned per decision.
    """

    target: str
    level: Level
    decisions: int
    truth: float
    earned: float
    warned: bool
    held: dict[str, bool]


@dataclass(frozen=True)
class Log:
    """Which log: its seed and floor, and how long it is listened to how many shoppers."""

    seed: int
    epsilon: float
    weeks: int
    shoppers: int

    def __str__(self) -> str:
        return f"seed-{self.seed}-floor-{self.epsilon:g}-weeks-{self.weeks}-shoppers-{self.shoppers}"


def logged(log: Log) -> tuple[list[LoggedDecision], dict[str, Array]]:
    """Simulate a log: its decisions with a choice and their rewards, and the expected rewards at each."""
    rulebook = Rulebook.of(example(), 1)
    world = World(scenario("stationary").lasting(log.weeks), log.shoppers, log.seed, Messages.of(rulebook))
    oracle = OraclePolicy(Truth(world, rulebook), rulebook)
    watched = WatchedMind(learner(rulebook, log.epsilon), oracle, rulebook)
    mind = LoggedMind(watched, rulebook)
    shop = Enough(LocalShop(mind, rulebook, f"triangle {log.seed}".encode()), watched)
    Simulation(shop, world, rulebook, f"t{log.seed}").run()
    source = LogDecisions(mind.log)  # type: ignore[arg-type]  # it only reads
    found = (entry.decision for entry in source if entry.role == EVALUATED and entry.decision is not None)
    return list(islice((each for each in found if len(each.actions) > 1), DECISIONS)), watched.expected


class Remembered:
    """A target or a reward model asked once per decision: truth and estimates both want its answer."""

    def __init__(self, answer: Callable[[LoggedDecision], Array]) -> None:
        self._answer = answer
        self._known: dict[str, Array] = {}

    def distribution(self, decision: LoggedDecision) -> Array:
        """Answer."""
        known = self._known.get(decision.event_id)
        if known is None:
            known = self._known[decision.event_id] = self._answer(decision)
        return known


def truth_of(decisions: Iterable[LoggedDecision], target: Target, expected: dict[str, Array]) -> float:
    """Give the target's expected reward per decision at the logged decisions."""
    return float(np.mean([_one(each, target, expected[each.event_id]) for each in decisions]))


def _one(decision: LoggedDecision, target: Target, expected: Array) -> float:
    if decision.policy_inputs is None:
        raise ValueError(f"decision {decision.event_id!r} was not recorded by the service")
    return float(target.distribution(decision) @ expected[decision.policy_inputs.numbers])


def weighed(log: Log, names: Sequence[str]) -> list[Weighed]:
    """Simulate a log, and weigh it for targets."""
    decisions, expected = logged(log)
    model = Remembered(LogModel().fit(decisions).predict)
    return [_weighed(name, decisions, expected, model) for name in names]


def _weighed(name: str, decisions: Sequence[LoggedDecision], expected: dict[str, Array], model: Remembered) -> Weighed:
    target, history = Remembered(_targets()[name].distribution), HistoryCheck()
    truth = truth_of(decisions, target, expected)
    weighing = Weighing(target, predict=model.distribution)
    rows = list(weighing.batches(history.watch(decisions)))
    return Weighed(name, truth, bool(history.findings(is_logging=name == "logging")), rows, weighing.served)


def judged(weighed: Weighed) -> LogOutcome:
    """Give verdict and intervals on a log."""
    evaluation = Evaluation(Question(make_estimators(_ESTIMATORS)))
    for rows in weighed.rows:
        evaluation.add(rows)
    report = evaluation.report(served=weighed.served)
    held = {each.name: each.low <= weighed.truth <= each.high for each in report.estimates}
    earned, count = report.mean_reward.value, sum(map(len, weighed.rows))
    return LogOutcome(weighed.target, report.verdict.level, count, weighed.truth, earned, weighed.warned, held)


def _targets() -> dict[str, Target]:
    plain, floored = rule_policy(epsilon=0.0), rule_policy(epsilon=0.2)
    return {
        "logging": LoggingTarget(),
        "uniform": UniformTarget(),
        "rule": PolicyTarget(lambda decision: plain),
        "rule_with_floor": PolicyTarget(lambda decision: floored),
    }


@dataclass(frozen=True)
class Plan:
    """The logs: how many, from which seed on, how long, and how many are made at once."""

    logs: int
    first_seed: int
    weeks: int
    workers: int


@dataclass(frozen=True)
class Archive:
    """Logs that were simulated and weighed already, a file each: a run of an hour may be cut off and go on.

    They are to be thrown away when policies, simulators or weighing change. Intervals and verdicts are no part of them:
    what has changed there is measured on the same logs within minutes.

    Parameters
    ----------
    directory
        Where they are kept; None keeps nothing.
    """

    directory: Path | None

    def weighed(self, log: Log, names: Sequence[str]) -> list[Weighed]:
        """Give a log as targets weigh it, simulated where it is not known."""
        if self.directory is None:
            return weighed(log, names)
        path = self.directory / f"{log}.pickle.gz"
        if not path.exists():
            self._keep(path, weighed(log, names))
        with gzip.open(path) as known:
            found: list[Weighed] = pickle.load(known)  # written below
        return found

    def _keep(self, path: Path, found: list[Weighed]) -> None:
        """Write a file that is there as a whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        with gzip.open(part, "wb", compresslevel=1) as kept:
            pickle.dump(found, kept)
        part.rename(path)


def outcomes(archive: Archive, log: Log, names: Sequence[str]) -> list[LogOutcome]:
    """Judge targets on one log."""
    return list(map(judged, archive.weighed(log, names)))


def measure(plan: Plan, archive: Archive, progress: Callable[[str], None]) -> list[Measured]:
    """Measure how often intervals hold the truth where the verdict is `trust`, and what it says of a thin log."""
    seeds = range(plan.first_seed, plan.first_seed + plan.logs)
    wide_logs = [Log(seed, WIDE, plan.weeks, SHOPPERS) for seed in seeds]
    asked = [(Log(plan.first_seed, THIN, plan.weeks, SHOPPERS), ["rule"]), *((log, [*_targets()]) for log in wide_logs)]
    # A log is a million small objects that all stay: collecting garbage among them takes a seventh of the time.
    with ProcessPoolExecutor(plan.workers, get_context("spawn"), gc.disable, max_tasks_per_child=1) as pool:
        running = [pool.submit(outcomes, archive, *each) for each in asked]
        for number, _ in enumerate(as_completed(running), start=1):
            progress(f"{number} of {len(asked)} logs")
    (thin,), *found = [each.result() for each in running]
    wide = [outcome for of_log in found for outcome in of_log]
    return [
        Measured("triangle.decisions", min(each.decisions for each in wide), unit="in the shortest log"),
        _truth_to_earned([each for each in wide if each.target == "logging"]),
        *(result for name in _targets() for result in _summed(name, [each for each in wide if each.target == name])),
        Measured("triangle.thin.rule.verdict", float(thin.level), unit=f"{thin.level.text}, at ε = {THIN:g}"),
    ]


def _truth_to_earned(found: list[LogOutcome]) -> Measured:
    """Give the ratio of the mean truth to mean earnings, with its 95 % interval over logs (delta method)."""
    truths, earned = np.array([(each.truth, each.earned) for each in found]).T
    ratio = float(truths.mean() / earned.mean())
    reach = 1.96 * float((truths - ratio * earned).std(ddof=1)) / (earned.mean() * len(found) ** 0.5)
    return Measured("triangle.logging.truth_to_earned", ratio, ratio - reach, ratio + reach, "mean of the logs")


def _summed(name: str, found: list[LogOutcome]) -> Iterator[Measured]:
    yield Measured(f"triangle.{name}.warned_of_history", float(sum(each.warned for each in found)), unit=_of(found))
    for level in Level:
        own = [each for each in found if each.level is level]
        verdict = level.text.replace(" ", "_")
        yield Measured(f"triangle.{name}.{verdict}", float(len(own)), unit=_of(found))
        for estimator in _ESTIMATORS if own else ():
            held, unit = sum(each.held[estimator] for each in own), f"of the {len(own)} logs"
            yield Measured(f"triangle.{name}.{verdict}.{estimator}.held", float(held), unit=unit)


def _of(found: list[LogOutcome]) -> str:
    return f"of {len(found)} logs"
