"""Offline estimates and verdicts against the reward that a policy earns when it is deployed in the full simulator.

The triangle benchmark asks about single decisions: the reward of a target at the logged decisions. Here the target
makes all decisions itself, and the reward of one decision depends on the decisions before and after. The truth of a
target is its mean reward per decision when it decides in the same world, by the true probabilities of its sends.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np

from benchmarks.evaluation.log_in_memory import LoggedPolicySource, make_learner
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
from simulators.scenarios.scenario import find_scenario
from simulators.shops.local import FixedPolicy, LocalShop, PolicySource
from simulators.world.messages import Messages
from simulators.world.world import World

EPSILON = 0.2
SCENARIOS = ("stationary", "fatigue")
_ESTIMATORS = ("snipw", "sndr")


@dataclass(frozen=True)
class Plan:
    """How many worlds, how many shoppers in each, and how many weeks."""

    logs: int
    first_seed: int
    shoppers: int
    weeks: int


@dataclass(frozen=True)
class Judgement:
    """The estimates and the verdict for one target on one log, and the true reward of the target."""

    case: str
    truth: float
    estimates: tuple[ValueEstimate, ...]
    level: Level
    codes: frozenset[str]

    def contains_truth(self, estimator: str) -> bool:
        """Return whether an estimator's interval contains the truth."""
        return any(one.low <= self.truth <= one.high for one in self.estimates if one.name == estimator)

    def error(self, estimator: str) -> float:
        """Return an estimate's error relative to the truth."""
        return next(one.value for one in self.estimates if one.name == estimator) / self.truth - 1


def deploy(policy_source: PolicySource, world: World, seed: int) -> tuple[list[LoggedDecision], float]:
    """Let a policy source decide in a world; return the evaluated decisions, and their mean expected reward."""
    rulebook = Rulebook.of(example(), 1)
    logged = LoggedPolicySource(policy_source, rulebook)
    records = Simulation(LocalShop(logged, rulebook, f"deployed {seed}".encode()), world, rulebook, f"d{seed}").run()
    source = LogDecisions(logged.log)  # type: ignore[arg-type]  # it only reads
    decisions = [entry.decision for entry in source if entry.role == EVALUATED and entry.decision is not None]
    expected = {record.event_id: record.expected for record in records}
    return decisions, float(np.mean([expected[decision.event_id] for decision in decisions]))


def judge(name: str, seed: int, plan: Plan) -> list[Judgement]:
    """Judge the targets on one log of a scenario, and deploy them in its world."""

    def world() -> World:
        return World(find_scenario(name).with_weeks(plan.weeks), plan.shoppers, seed, Messages.of(rulebook))

    rulebook = Rulebook.of(example(), 1)
    decisions, _ = deploy(make_learner(rulebook, EPSILON), world(), seed)
    model, floored = LogModel().fit(decisions), rule_policy(EPSILON)
    targets: dict[str, tuple[Target, Policy]] = {
        "uniform": (UniformTarget(), uniform_policy()),
        "rule_with_floor": (PolicyTarget(lambda decision: floored), floored),
    }
    judgements = []
    for kind, (target, policy) in targets.items():
        _, truth = deploy(FixedPolicy(policy), world(), seed)
        judgements.append(_judge_target(f"{name}.{kind}", truth, decisions, target, model))
    return judgements


def _judge_target(
    case: str, truth: float, decisions: Sequence[LoggedDecision], target: Target, model: LogModel
) -> Judgement:
    """Evaluate as ``decision-service evaluate --sequential`` does."""
    evaluation, history = Evaluation(Question(make_estimators(_ESTIMATORS))), HistoryCheck()
    weighing = Weighing(target, predict=model.predict)
    for rows in weighing.batches(history.watch(decisions)):
        evaluation.add(rows)
    sequel = evaluate_sequential(Trajectories.of_decisions(decisions, target))
    findings = [*history.findings(is_logging=False), *sequel.findings]
    report = evaluation.report(findings, weighing.served)
    reasons = frozenset(reason.code for reason in report.verdict.findings)
    return Judgement(case, truth, (*report.estimates, *sequel.estimates), report.verdict.level, reasons)


def measure(plan: Plan, workers: int, progress: Callable[[str], None]) -> list[Measured]:
    """Measure by verdict how often intervals contain the reward of the deployed target."""
    judgements: dict[str, list[Judgement]] = {}
    seeds = range(plan.first_seed, plan.first_seed + plan.logs)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        running = [pool.submit(judge, name, seed, plan) for name in SCENARIOS for seed in seeds]
        for number, finished in enumerate(as_completed(running), start=1):
            for judgement in finished.result():
                judgements.setdefault(judgement.case, []).append(judgement)
            progress(f"{number} of {len(running)} logs")
    return [result for case in sorted(judgements) for result in _summarise(case, judgements[case])]


def _summarise(case: str, judgements: Sequence[Judgement]) -> Iterator[Measured]:
    of = f"of {len(judgements)} logs"
    yield Measured(
        f"deployed.{case}.truth", float(np.mean([one.truth for one in judgements])), unit="reward per decision"
    )
    for level in Level:
        verdict, count = level.text.replace(" ", "_"), sum(one.level is level for one in judgements)
        yield Measured(f"deployed.{case}.verdict.{verdict}", float(count), unit=of)
    for code, count in sorted(Counter(code for one in judgements for code in one.codes).items()):
        yield Measured(f"deployed.{case}.reason.{code}", float(count), unit=of)
    for name in [estimate.name for estimate in judgements[0].estimates]:
        yield Measured(
            f"deployed.{case}.{name}.held", float(sum(one.contains_truth(name) for one in judgements)), unit=of
        )
        yield _mean_error(f"deployed.{case}.{name}.off", np.array([one.error(name) for one in judgements]))


def _mean_error(name: str, errors: np.ndarray) -> Measured:
    middle = float(errors.mean())
    reach = 1.96 * float(errors.std(ddof=1)) / len(errors) ** 0.5 if len(errors) > 1 else float("nan")
    return Measured(name, middle, middle - reach, middle + reach, "of the truth, mean over the logs")
