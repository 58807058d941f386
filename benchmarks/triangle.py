"""The triangle: the simulator knows the truth, the shop logs propensities, offline evaluation estimates the truth.

A learning shop with a floor decides among simulated shoppers. At each decision the simulator's own probabilities say
what every eligible joint action would earn now (one step): the truth of a target is their mean under its
distribution, over the very decisions that were logged. Intervals must hold it, and where they do not, the verdict
must not say `trust`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

import numpy as np

from decision_service.catalogue_file import example
from decision_service.evaluation.log_decisions import EVALUATED, LogDecisions
from decision_service.log.base import LogRow
from decision_service.measurement import Measured
from decision_service.versions import learned_policy
from offline_eval import Question, Report, evaluate, named
from offline_eval.decisions import Decision
from offline_eval.diagnostics.verdict import Level
from offline_eval.reward_models import LogModel
from offline_eval.targets import OfPolicy, Target, Uniform
from offline_eval.weighing import Weighing
from policies.catalogue import Catalogue
from policies.policy import Policy, rule
from policies.rows import CatalogueRow, ClockRow, DecisionRow, Row, encode
from policies.rulebook import Rulebook
from simulators.learning_mind import LearningMind
from simulators.local_shop import LocalShop
from simulators.oracle import OracleMind
from simulators.repertoire import Repertoire
from simulators.scenario import scenario
from simulators.shop import Arrival
from simulators.simulation import Simulation
from simulators.truth import Truth
from simulators.world import World

DECISIONS = 20_000
_ESTIMATORS = ("ipw", "snipw", "dr", "sndr")
_SHOPPERS = 36_000
"""So many that 20,000 of them are decided for with a choice."""


class WatchedMind:
    """A learning mind with a floor, whose rows are kept as a log, beside the truth at each decision."""

    def __init__(self, inner: LearningMind, oracle: OracleMind, rulebook: Rulebook, epsilon: float) -> None:
        self._inner, self._oracle, self._rulebook, self._epsilon = inner, oracle, rulebook, epsilon
        self.log = RowsLog()
        self.log.add(CatalogueRow(0.0, rulebook.version, rulebook.catalogue.to_document()))
        self._sent: set[str] = set()
        self.expected: dict[str, np.ndarray] = {}
        """Event id → expected reward of every joint action (n,), HOLD's 0 last."""

    def policy(self, arrival: Arrival) -> Policy:
        """Give the learned policy, and write down what everything would earn."""
        # Whoever had the one send has no choice left, and the truth of nothing is not worth asking for.
        model = None if arrival.shopper_id in self._sent else self._oracle.policy(arrival).model
        if model is not None:
            self.expected[arrival.event_id] = np.append(model.assess({}, self._rulebook).scores, 0.0)
        return replace(self._inner.policy(arrival), epsilon=self._epsilon)

    def take(self, row: Row) -> None:
        """Keep the row, and learn."""
        self.log.add(row)
        if isinstance(row, DecisionRow) and row.is_delivered:
            self._sent.add(row.shopper_id)
        self._inner.take(row)

    def reach(self, now: float) -> None:
        """Let time pass, in the log too."""
        self.log.add(ClockRow(now))
        self._inner.reach(now)


@dataclass
class RowsLog:
    """Rows in memory, read as the service's log is."""

    rows: list[LogRow] = field(default_factory=list)
    _by_event: dict[str, list[LogRow]] = field(default_factory=dict)
    _watermark: float = float("-inf")

    def add(self, row: Row) -> None:
        """Append a row."""
        self._watermark = max(self._watermark, row.at)
        event_id, shopper_id = getattr(row, "event_id", None), getattr(row, "shopper_id", None)
        position = len(self.rows) + 1
        stored = LogRow(position, row.kind, row.at, self._watermark, 0, event_id, shopper_id, encode(row))
        self.rows.append(stored)
        if event_id is not None:
            self._by_event.setdefault(event_id, []).append(stored)

    def read(self, after: int, limit: int, kinds: Collection[str] | None = None) -> list[LogRow]:
        """Give rows in order."""
        return [row for row in self.rows[after : after + limit] if kinds is None or row.kind in kinds]

    def of_events(self, event_ids: Sequence[str]) -> list[LogRow]:
        """Give the rows of events."""
        return [row for event_id in event_ids for row in self._by_event.get(event_id, ())]


@dataclass(frozen=True)
class Outcome:
    """What one log gave for one target: verdict, and which estimators' intervals hold the truth."""

    target: str
    level: Level
    truth: float
    held: dict[str, bool]


def one_send_each() -> Catalogue:
    """Give the example catalogue with one send per shopper and month.

    What a send earns depends on the sends that follow it before it is seen, which a one-step truth does not know:
    in the plain example it lies a third above what is earned. With one send each, one step is all there is.
    """
    return Catalogue.from_document(example().to_document() | {"caps": [{"max": 1, "window_s": 28 * 86_400}]})


def logged(seed: int, epsilon: float, weeks: int) -> tuple[list[Decision], dict[str, np.ndarray]]:
    """Simulate a log: its decisions with their rewards, and the expected rewards at each."""
    rulebook = Rulebook.of(one_send_each(), 1)
    world = World(replace(scenario("stationary"), weeks=weeks), _SHOPPERS, seed, Repertoire.of(rulebook))
    oracle = OracleMind(Truth(world, rulebook), rulebook)
    mind = WatchedMind(LearningMind(rulebook, learned_policy), oracle, rulebook, epsilon)
    shop = LocalShop(mind, rulebook, f"triangle {seed}".encode())
    Simulation(shop, world, rulebook, f"t{seed}").run()
    source = LogDecisions(mind.log)  # type: ignore[arg-type]  # it only reads
    chosen = (
        entry.decision
        for entry in source
        if entry.role == EVALUATED
        and entry.decision is not None
        and len(entry.decision.actions) > 1
        # A withdrawn send gives its place back; such a shopper's second send is left out, whatever was drawn.
        and entry.row.event_id in mind.expected
    )
    return list(islice(chosen, DECISIONS)), mind.expected


def truth_of(decisions: Iterable[Decision], target: Target, expected: dict[str, np.ndarray]) -> float:
    """Give the target's expected reward per decision at the logged decisions."""
    return float(np.mean([_one(each, target, expected[each.event_id]) for each in decisions]))


def _one(decision: Decision, target: Target, expected: np.ndarray) -> float:
    if decision.recorded is None:
        raise ValueError(f"decision {decision.event_id!r} was not recorded by the service")
    return float(target.distribution(decision) @ expected[decision.recorded.numbers])


def judged(decisions: list[Decision], target: Target, model: LogModel) -> Report:
    """Evaluate a target."""
    weighing = Weighing(target, predict=model.predict)
    return evaluate(weighing.rows(decisions), Question(named(_ESTIMATORS)))


def outcomes(seed: int, epsilon: float, targets: dict[str, Target], weeks: int) -> Iterator[Outcome]:
    """Judge targets on one log."""
    decisions, expected = logged(seed, epsilon, weeks)
    model = LogModel().fit(decisions)
    for name, target in targets.items():
        truth, report = truth_of(decisions, target, expected), judged(decisions, target, model)
        held = {each.name: each.low <= truth <= each.high for each in report.estimates}
        yield Outcome(name, report.verdict.level, truth, held)


def _targets() -> dict[str, Target]:
    plain, floored = rule(epsilon=0.0), rule(epsilon=0.2)
    return {
        "uniform": Uniform(),
        "rule": OfPolicy(lambda decision: plain),
        "rule_with_floor": OfPolicy(lambda decision: floored),
    }


def measure(logs: int, first_seed: int, weeks: int) -> list[Measured]:
    """Measure how often intervals hold the truth where the verdict is `trust`, and what it says of a thin log."""
    wide = [each for seed in range(first_seed, first_seed + logs) for each in outcomes(seed, 0.2, _targets(), weeks)]
    thin_targets = {"rule": _targets()["rule"]}
    thin = list(outcomes(first_seed, 0.02, thin_targets, weeks))
    return [
        *(result for name in _targets() for result in _summed(name, [each for each in wide if each.target == name])),
        Measured("triangle.thin.rule.verdict", float(thin[0].level), unit=f"{thin[0].level.text}, at ε = .02"),
    ]


def _summed(name: str, found: list[Outcome]) -> Iterator[Measured]:
    trusted = [each for each in found if each.level is Level.trust]
    yield Measured(f"triangle.{name}.trusted", float(len(trusted)), unit=f"of {len(found)} logs")
    for estimator in _ESTIMATORS:
        held = sum(each.held[estimator] for each in trusted)
        yield Measured(f"triangle.{name}.{estimator}.held", float(held), unit=f"of {len(trusted)} trusted logs")
