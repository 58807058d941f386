"""The full simulator: what offline evaluation says a policy would earn, what it earns there, and what the verdict says.

The triangle asks what a target would earn at the decisions that were logged, one step. Here it makes its own
decisions, and what one earns depends on those before and after it: the truth of a target is what it earns per
decision when it decides in the same world itself, by the true probabilities of its sends.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np

from benchmarks.rows_log import LoggedMind, learner
from decision_service.catalogues.file import example
from decision_service.cli.measurements import Measured
from decision_service.evaluation.log_decisions import EVALUATED, LogDecisions
from offline_eval import make_estimators
from offline_eval.diagnostics.history import HistoryCheck
from offline_eval.diagnostics.verdict import Level
from offline_eval.evaluation import Evaluation
from offline_eval.logs.decisions import LoggedDecision
from offline_eval.question import Question
from offline_eval.reports.report import ValueEstimate
from offline_eval.reward_models import LogModel
from offline_eval.sequential.evaluation import evaluate_sequential
from offline_eval.sequential.trajectories import Trajectories
from offline_eval.targets import PolicyTarget, Target, UniformTarget
from offline_eval.weighing import Weighing
from policies.catalogue.rulebook import Rulebook
from policies.models.policy import Policy
from policies.models.rule import rule_policy
from policies.models.uniform import uniform_policy
from simulators.experiments.simulation import Simulation
from simulators.scenario import scenario
from simulators.shops.local import FixedPolicy, LocalShop, PolicySource
from simulators.world.messages import Messages
from simulators.world.world import World

EPSILON = 0.2
SCENARIOS = ("stationary", "fatigue")
_ESTIMATORS = ("snipw", "sndr")


@dataclass(frozen=True)
class Plan:
    """The worlds: how many, how large, and how long."""

    logs: int
    first_seed: int
    shoppers: int
    weeks: int


@dataclass(frozen=True)
class Judged:
    """What was said of one target on one log, and what it earned."""

    case: str
    truth: float
    estimates: tuple[ValueEstimate, ...]
    level: Level
    codes: frozenset[str]

    def held(self, estimator: str) -> bool:
        """Tell whether an estimator's interval holds what was earned."""
        return any(each.low <= self.truth <= each.high for each in self.estimates if each.name == estimator)

    def off(self, estimator: str) -> float:
        """Give an estimate's error relative to the truth."""
        return next(each.value for each in self.estimates if each.name == estimator) / self.truth - 1


def deployed(mind: PolicySource, world: World, seed: int) -> tuple[list[LoggedDecision], float]:
    """Let a mind decide in a world: the decisions that are evaluated, and their mean expected reward."""
    rulebook = Rulebook.of(example(), 1)
    logged = LoggedMind(mind, rulebook)
    records = Simulation(LocalShop(logged, rulebook, f"deployed {seed}".encode()), world, rulebook, f"d{seed}").run()
    source = LogDecisions(logged.log)  # type: ignore[arg-type]  # it only reads
    decisions = [each.decision for each in source if each.role == EVALUATED and each.decision is not None]
    expected = {record.event_id: record.expected for record in records}
    return decisions, float(np.mean([expected[decision.event_id] for decision in decisions]))


def judged(name: str, seed: int, plan: Plan) -> list[Judged]:
    """Judge the targets on one log of a scenario, and deploy them in its world."""

    def world() -> World:
        return World(scenario(name).lasting(plan.weeks), plan.shoppers, seed, Messages.of(rulebook))

    rulebook = Rulebook.of(example(), 1)
    decisions, _ = deployed(learner(rulebook, EPSILON), world(), seed)
    model, floored = LogModel().fit(decisions), rule_policy(EPSILON)
    asked: dict[str, tuple[Target, Policy]] = {
        "uniform": (UniformTarget(), uniform_policy()),
        "rule_with_floor": (PolicyTarget(lambda decision: floored), floored),
    }
    found = []
    for kind, (target, policy) in asked.items():
        _, truth = deployed(FixedPolicy(policy), world(), seed)
        found.append(_judged(f"{name}.{kind}", truth, decisions, target, model))
    return found


def _judged(case: str, truth: float, decisions: Sequence[LoggedDecision], target: Target, model: LogModel) -> Judged:
    """Evaluate as ``decision-service evaluate --sequential`` does."""
    evaluation, history = Evaluation(Question(make_estimators(_ESTIMATORS))), HistoryCheck()
    weighing = Weighing(target, predict=model.predict)
    for rows in weighing.batches(history.watch(decisions)):
        evaluation.add(rows)
    sequel = evaluate_sequential(Trajectories.of_decisions(decisions, target))
    findings = [*history.findings(is_logging=False), *sequel.findings]
    report = evaluation.report(findings, weighing.served)
    codes = frozenset(finding.code for finding in report.verdict.findings)
    return Judged(case, truth, (*report.estimates, *sequel.estimates), report.verdict.level, codes)


def measure(plan: Plan, workers: int, progress: Callable[[str], None]) -> list[Measured]:
    """Measure how often intervals hold what a target earns once deployed, by verdict."""
    found: dict[str, list[Judged]] = {}
    seeds = range(plan.first_seed, plan.first_seed + plan.logs)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        running = [pool.submit(judged, name, seed, plan) for name in SCENARIOS for seed in seeds]
        for number, finished in enumerate(as_completed(running), start=1):
            for each in finished.result():
                found.setdefault(each.case, []).append(each)
            progress(f"{number} of {len(running)} logs")
    return [result for case in sorted(found) for result in _summed(case, found[case])]


def _summed(case: str, found: Sequence[Judged]) -> Iterator[Measured]:
    of = f"of {len(found)} logs"
    yield Measured(f"deployed.{case}.truth", float(np.mean([each.truth for each in found])), unit="reward per decision")
    for level in Level:
        verdict, count = level.text.replace(" ", "_"), sum(each.level is level for each in found)
        yield Measured(f"deployed.{case}.verdict.{verdict}", float(count), unit=of)
    for code, count in sorted(Counter(code for each in found for code in each.codes).items()):
        yield Measured(f"deployed.{case}.reason.{code}", float(count), unit=of)
    for name in [each.name for each in found[0].estimates]:
        yield Measured(f"deployed.{case}.{name}.held", float(sum(each.held(name) for each in found)), unit=of)
        yield _off(f"deployed.{case}.{name}.off", np.array([each.off(name) for each in found]))


def _off(name: str, errors: np.ndarray) -> Measured:
    middle = float(errors.mean())
    reach = 1.96 * float(errors.std(ddof=1)) / len(errors) ** 0.5 if len(errors) > 1 else float("nan")
    return Measured(name, middle, middle - reach, middle + reach, "of the truth, mean over the logs")
