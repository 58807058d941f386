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
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.rows_log import LoggedMind, learner
from decision_service.catalogue_file import example
from decision_service.evaluation.log_decisions import EVALUATED, LogDecisions
from decision_service.measurement import Measured
from offline_eval import Question, Report, named
from offline_eval.decisions import Decision
from offline_eval.diagnostics.verdict import Level
from offline_eval.evaluation import Evaluation
from offline_eval.history import History
from offline_eval.reward_models import LogModel
from offline_eval.targets import Logging, OfPolicy, Target, Uniform
from offline_eval.weighing import Weighing
from policies.actions import JointAction
from policies.policy import Policy, rule
from policies.rows import DecisionRow, Row, unpack
from policies.rulebook import Rulebook
from simulators.local_shop import LocalShop, Mind
from simulators.oracle import OracleMind
from simulators.repertoire import Repertoire
from simulators.scenario import scenario
from simulators.shop import Acted, Arrival, Shop, Told, Wish
from simulators.simulation import Simulation
from simulators.truth import Truth
from simulators.world import World

Array = NDArray[np.float64]

DECISIONS = 20_000
WIDE, THIN = 0.2, 0.02
"""Floors ε of the logs."""

_ESTIMATORS = ("ipw", "snipw", "dr", "sndr")
SHOPPERS = 12_000
"""So many that 20,000 decisions have a choice within three weeks."""


class WatchedMind:
    """A mind beside the truth at each of its decisions."""

    def __init__(self, inner: Mind, oracle: OracleMind, rulebook: Rulebook) -> None:
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

    def wishes(self, wishes: Sequence[Wish], now: float) -> None:
        """Take changes of consent in."""
        self._inner.wishes(wishes, now)

    def tell(self, outcomes: Sequence[Told], now: float) -> None:
        """Take outcomes in."""
        self._inner.tell(outcomes, now)

    def saw(self, acts: Sequence[Acted], now: float) -> None:
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
class Outcome:
    """What one log gave for one target: verdict, and which estimators' intervals hold the truth.

    ``truth`` is the target's expected reward per decision, ``earned`` what the logging policy earned; ``warned``
    tells of a warning of history.
    """

    target: str
    level: Level
    decisions: int
    truth: float
    earned: float
    warned: bool
    held: dict[str, bool]


def logged(seed: int, epsilon: float, weeks: int) -> tuple[list[Decision], dict[str, Array]]:
    """Simulate a log: its decisions with a choice and their rewards, and the expected rewards at each."""
    rulebook = Rulebook.of(example(), 1)
    world = World(scenario("stationary").lasting(weeks), SHOPPERS, seed, Repertoire.of(rulebook))
    oracle = OracleMind(Truth(world, rulebook), rulebook)
    watched = WatchedMind(learner(rulebook, epsilon), oracle, rulebook)
    mind = LoggedMind(watched, rulebook)
    shop = Enough(LocalShop(mind, rulebook, f"triangle {seed}".encode()), watched)
    Simulation(shop, world, rulebook, f"t{seed}").run()
    source = LogDecisions(mind.log)  # type: ignore[arg-type]  # it only reads
    found = (entry.decision for entry in source if entry.role == EVALUATED and entry.decision is not None)
    return list(islice((each for each in found if len(each.actions) > 1), DECISIONS)), watched.expected


class Remembered:
    """A target or a reward model asked once per decision: truth and estimates both want its answer."""

    def __init__(self, answer: Callable[[Decision], Array]) -> None:
        self._answer = answer
        self._known: dict[str, Array] = {}

    def distribution(self, decision: Decision) -> Array:
        """Answer."""
        known = self._known.get(decision.event_id)
        if known is None:
            known = self._known[decision.event_id] = self._answer(decision)
        return known


def truth_of(decisions: Iterable[Decision], target: Target, expected: dict[str, Array]) -> float:
    """Give the target's expected reward per decision at the logged decisions."""
    return float(np.mean([_one(each, target, expected[each.event_id]) for each in decisions]))


def _one(decision: Decision, target: Target, expected: Array) -> float:
    if decision.recorded is None:
        raise ValueError(f"decision {decision.event_id!r} was not recorded by the service")
    return float(target.distribution(decision) @ expected[decision.recorded.numbers])


def outcomes(seed: int, epsilon: float, names: Sequence[str], weeks: int) -> list[Outcome]:
    """Judge targets on one log."""
    decisions, expected = logged(seed, epsilon, weeks)
    model = Remembered(LogModel().fit(decisions).predict)
    found = []
    for name in names:
        target = Remembered(_targets()[name].distribution)
        truth = truth_of(decisions, target, expected)
        report, history = _judged(decisions, Weighing(target, predict=model.distribution))
        warned = bool(history.findings(is_logging=name == "logging"))
        held = {each.name: each.low <= truth <= each.high for each in report.estimates}
        found.append(Outcome(name, report.verdict.level, len(decisions), truth, report.mean_reward.value, warned, held))
    return found


def _judged(decisions: Sequence[Decision], weighing: Weighing) -> tuple[Report, History]:
    evaluation, history = Evaluation(Question(named(_ESTIMATORS))), History()
    for rows in weighing.rows(history.watched(decisions)):
        evaluation.add(rows)
    return evaluation.report(served=weighing.served), history


def _targets() -> dict[str, Target]:
    plain, floored = rule(epsilon=0.0), rule(epsilon=0.2)
    return {
        "logging": Logging(),
        "uniform": Uniform(),
        "rule": OfPolicy(lambda decision: plain),
        "rule_with_floor": OfPolicy(lambda decision: floored),
    }


@dataclass(frozen=True)
class Plan:
    """The logs: how many, from which seed on, how long, and how many are made at once."""

    logs: int
    first_seed: int
    weeks: int
    workers: int


class Notebook:
    """What was found so far, a line for each log, so that a run of hours may be cut off and go on.

    Parameters
    ----------
    path
        Where it is kept; None keeps nothing.
    weeks
        Lines of shorter or longer logs are another run's.
    """

    def __init__(self, path: Path | None, weeks: int) -> None:
        self._path, self._weeks = path, weeks
        self._known: dict[tuple[int, float], list[Outcome]] = {}
        for line in path.read_text(encoding="utf-8").splitlines() if path is not None and path.exists() else ():
            told = json.loads(line)
            if told["weeks"] == weeks and told["shoppers"] == SHOPPERS:
                found = [Outcome(**(each | {"level": Level(each["level"])})) for each in told["outcomes"]]
                self._known[told["seed"], told["epsilon"]] = found

    def of(self, seed: int, epsilon: float) -> list[Outcome] | None:
        """Give what was found on a log, None where it was not made yet."""
        return self._known.get((seed, epsilon))

    def note(self, seed: int, epsilon: float, found: list[Outcome]) -> None:
        """Write down what was found on a log."""
        self._known[seed, epsilon] = found
        if self._path is not None:
            told = {"seed": seed, "epsilon": epsilon, "weeks": self._weeks, "shoppers": SHOPPERS}
            with self._path.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps(told | {"outcomes": [asdict(each) for each in found]}) + "\n")


def measure(plan: Plan, notebook: Notebook, progress: Callable[[str], None]) -> list[Measured]:
    """Measure how often intervals hold the truth where the verdict is `trust`, and what it says of a thin log."""
    seeds = range(plan.first_seed, plan.first_seed + plan.logs)
    asked = [(plan.first_seed, THIN, ("rule",)), *((seed, WIDE, tuple(_targets())) for seed in seeds)]
    # A log is a million small objects that all stay: collecting garbage among them takes a seventh of the time.
    with ProcessPoolExecutor(plan.workers, get_context("spawn"), gc.disable, max_tasks_per_child=1) as pool:
        missing = [each for each in asked if notebook.of(*each[:2]) is None]
        running = {pool.submit(outcomes, *each, plan.weeks): each[:2] for each in missing}
        for number, finished in enumerate(as_completed(running), start=1):
            notebook.note(*running[finished], finished.result())
            progress(f"{len(asked) - len(missing) + number} of {len(asked)} logs")
    wide = [each for seed in seeds for each in notebook.of(seed, WIDE) or ()]
    thin = (notebook.of(plan.first_seed, THIN) or [])[0]
    return [
        Measured("triangle.decisions", min(each.decisions for each in wide), unit="in the shortest log"),
        _truth_to_earned([each for each in wide if each.target == "logging"]),
        *(result for name in _targets() for result in _summed(name, [each for each in wide if each.target == name])),
        Measured("triangle.thin.rule.verdict", float(thin.level), unit=f"{thin.level.text}, at ε = {THIN:g}"),
    ]


def _truth_to_earned(found: list[Outcome]) -> Measured:
    """Give the ratio of the mean truth to mean earnings, with its 95 % interval over logs (delta method)."""
    truths, earned = np.array([(each.truth, each.earned) for each in found]).T
    ratio = float(truths.mean() / earned.mean())
    reach = 1.96 * float((truths - ratio * earned).std(ddof=1)) / (earned.mean() * len(found) ** 0.5)
    return Measured("triangle.logging.truth_to_earned", ratio, ratio - reach, ratio + reach, "mean of the logs")


def _summed(name: str, found: list[Outcome]) -> Iterator[Measured]:
    yield Measured(f"triangle.{name}.warned_of_history", float(sum(each.warned for each in found)), unit=_of(found))
    for level in Level:
        own = [each for each in found if each.level is level]
        verdict = level.text.replace(" ", "_")
        yield Measured(f"triangle.{name}.{verdict}", float(len(own)), unit=_of(found))
        for estimator in _ESTIMATORS if own else ():
            held, unit = sum(each.held[estimator] for each in own), f"of the {len(own)} logs"
            yield Measured(f"triangle.{name}.{verdict}.{estimator}.held", float(held), unit=unit)


def _of(found: list[Outcome]) -> str:
    return f"of {len(found)} logs"
