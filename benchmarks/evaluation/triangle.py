"""The triangle: the simulator knows the truth, the shop logs propensities, offline evaluation estimates the truth.

A shop that learns and has a floor decides for simulated shoppers. At each decision the simulator's probabilities give
the expected reward of every eligible joint action (one step). The truth of a target is the mean of these rewards under
the target's distribution, over the logged decisions. Intervals must contain the truth; where they do not, the verdict
must not be `trust`. The logging policy is a target too: comparing its truth with its realised reward checks the
simulator.

The verdict is that of `decision-service evaluate` without the warning of history. The warning is about contexts that
the target itself would cause, and single decisions have none (`benchmarks.evaluation.deployed` measures them). It is
counted separately.
"""

from __future__ import annotations

import gc
import gzip
import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from benchmarks.evaluation.simulated_log import Array, SimulatedLog, simulate
from decision_service.cli.measurements import Measured
from offline_eval import Question, make_estimators
from offline_eval.batch import LoggedBatch
from offline_eval.diagnostics.calibration import ServedFrequencies
from offline_eval.diagnostics.history import HistoryCheck
from offline_eval.diagnostics.verdict import Level
from offline_eval.evaluation import Evaluation
from offline_eval.logs.decisions import LoggedDecision
from offline_eval.reward_models import LogModel
from offline_eval.targets import LoggedPolicyTarget, PolicyTarget, Target, UniformTarget
from offline_eval.weighing import Weighing
from policies.models.rule import rule_policy

WIDE, THIN = 0.2, 0.02
"""Floors ε of the logs."""

_ESTIMATORS = ("ipw", "snipw", "dr", "sndr")
SHOPPERS = 12_000
"""Enough shoppers for 20,000 decisions with a choice within three weeks."""


@dataclass(frozen=True)
class WeighedLog:
    """One log with the importance weights of one target, and the truth of the target.

    ``truth`` is the target's expected reward per decision; ``warned`` is whether there is a warning of history.
    """

    target: str
    truth: float
    warned: bool
    rows: list[LoggedBatch]
    served: ServedFrequencies


@dataclass(frozen=True)
class Judgement:
    """The verdict for one target on one log, and whether each estimator's interval contains the truth.

    ``earned`` is the realised reward of the logging policy per decision.
    """

    target: str
    level: Level
    decisions: int
    truth: float
    earned: float
    warned: bool
    held: dict[str, bool]


class CachedAnswers:
    """Keeps the answers of a target or a reward model by decision: truth and estimates need the same answers."""

    def __init__(self, answer: Callable[[LoggedDecision], Array]) -> None:
        self._answer = answer
        self._known: dict[str, Array] = {}

    def distribution(self, decision: LoggedDecision) -> Array:
        known = self._known.get(decision.event_id)
        if known is None:
            known = self._known[decision.event_id] = self._answer(decision)
        return known


def compute_truth(decisions: Iterable[LoggedDecision], target: Target, expected: dict[str, Array]) -> float:
    """Return the target's expected reward per decision at the logged decisions."""
    return float(np.mean([_expected_reward(one, target, expected[one.event_id]) for one in decisions]))


def _expected_reward(decision: LoggedDecision, target: Target, expected: Array) -> float:
    if decision.policy_inputs is None:
        raise ValueError(f"decision {decision.event_id!r} was not recorded by the service")
    return float(target.distribution(decision) @ expected[decision.policy_inputs.numbers])


def simulate_and_weigh(log: SimulatedLog, names: Sequence[str]) -> list[WeighedLog]:
    """Simulate a log, and compute the importance weights of targets."""
    decisions, expected = simulate(log)
    model = CachedAnswers(LogModel().fit(decisions).predict)
    return [_weigh(name, decisions, expected, model) for name in names]


def _weigh(
    name: str, decisions: Sequence[LoggedDecision], expected: dict[str, Array], model: CachedAnswers
) -> WeighedLog:
    target, history = CachedAnswers(_targets()[name].distribution), HistoryCheck()
    truth = compute_truth(decisions, target, expected)
    weighing = Weighing(target, predict=model.distribution)
    rows = list(weighing.batches(history.watch(decisions)))
    return WeighedLog(name, truth, bool(history.findings(is_logging=name == "logging")), rows, weighing.served)


def judge(weighed: WeighedLog) -> Judgement:
    """Return the verdict on a log, and whether intervals contain the truth."""
    evaluation = Evaluation(Question(make_estimators(_ESTIMATORS)))
    for rows in weighed.rows:
        evaluation.add(rows)
    report = evaluation.report(served=weighed.served)
    held = {one.name: one.low <= weighed.truth <= one.high for one in report.estimates}
    earned, count = report.mean_reward.value, sum(map(len, weighed.rows))
    return Judgement(weighed.target, report.verdict.level, count, weighed.truth, earned, weighed.warned, held)


def _targets() -> dict[str, Target]:
    plain, floored = rule_policy(epsilon=0.0), rule_policy(epsilon=0.2)
    return {
        "logging": LoggedPolicyTarget(),
        "uniform": UniformTarget(),
        "rule": PolicyTarget(lambda decision: plain),
        "rule_with_floor": PolicyTarget(lambda decision: floored),
    }


@dataclass(frozen=True)
class Plan:
    """How many logs, from which seed on, their weeks and shoppers, and how many are made at once."""

    logs: int
    first_seed: int
    weeks: int
    workers: int
    shoppers: int = SHOPPERS


@dataclass(frozen=True)
class Archive:
    """Simulated logs with their weights, one file for each, so that an interrupted run can continue.

    Delete the files when policies, simulators or weighing change. Intervals and verdicts are not in the files, so a
    change of intervals or verdicts is measured on the same logs within minutes.

    Parameters
    ----------
    directory
        The directory of the files; None keeps no file.
    """

    directory: Path | None

    def read_or_simulate(self, log: SimulatedLog, names: Sequence[str]) -> list[WeighedLog]:
        """Return a log with the weights of targets; simulate the log if its file does not exist."""
        if self.directory is None:
            return simulate_and_weigh(log, names)
        path = self.directory / f"{log}.pickle.gz"
        if not path.exists():
            self._write(path, simulate_and_weigh(log, names))
        with gzip.open(path) as file:
            weighed: list[WeighedLog] = pickle.load(file)  # written below
        return weighed

    def _write(self, path: Path, weighed: list[WeighedLog]) -> None:
        """Write a file completely or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        with gzip.open(part, "wb", compresslevel=1) as file:
            pickle.dump(weighed, file)
        part.rename(path)


def judge_log(archive: Archive, log: SimulatedLog, names: Sequence[str]) -> list[Judgement]:
    """Judge all targets on one log."""
    return list(map(judge, archive.read_or_simulate(log, names)))


def measure(plan: Plan, archive: Archive, progress: Callable[[str], None]) -> list[Measured]:
    """Measure by verdict how often intervals contain the truth, and the verdict on a log with a small floor."""
    jobs = _jobs(plan)
    # A log is a million small objects that all stay: collecting garbage among them takes a seventh of the time.
    with ProcessPoolExecutor(plan.workers, get_context("spawn"), gc.disable, max_tasks_per_child=1) as pool:
        running = [pool.submit(judge_log, archive, log, names) for log, names in jobs]
        for number, _ in enumerate(as_completed(running), start=1):
            progress(f"{number} of {len(jobs)} logs")
    (thin,), *of_wide_logs = [job.result() for job in running]
    wide = [judgement for judgements in of_wide_logs for judgement in judgements]
    by_target = {name: [one for one in wide if one.target == name] for name in _targets()}
    return [
        Measured("triangle.decisions", min(one.decisions for one in wide), unit="in the shortest log"),
        _ratio_of_truth_to_earned(by_target["logging"]),
        *(result for name, judgements in by_target.items() for result in _summarise(name, judgements)),
        Measured("triangle.thin.rule.verdict", float(thin.level), unit=f"{thin.level.text}, at ε = {THIN:g}"),
    ]


def _jobs(plan: Plan) -> list[tuple[SimulatedLog, list[str]]]:
    """Return the logs with the names of their targets: the log with the small floor first."""
    seeds = range(plan.first_seed, plan.first_seed + plan.logs)
    thin = SimulatedLog(plan.first_seed, THIN, plan.weeks, plan.shoppers)
    return [
        (thin, ["rule"]),
        *((SimulatedLog(seed, WIDE, plan.weeks, plan.shoppers), [*_targets()]) for seed in seeds),
    ]


def _ratio_of_truth_to_earned(judgements: list[Judgement]) -> Measured:
    """Return the mean truth divided by the mean earned reward, with a 95 % interval over logs (delta method)."""
    truths, earned = np.array([(one.truth, one.earned) for one in judgements]).T
    ratio = float(truths.mean() / earned.mean())
    reach = 1.96 * float((truths - ratio * earned).std(ddof=1)) / (earned.mean() * len(judgements) ** 0.5)
    return Measured("triangle.logging.truth_to_earned", ratio, ratio - reach, ratio + reach, "mean of the logs")


def _summarise(name: str, judgements: list[Judgement]) -> Iterator[Measured]:
    unit = f"of {len(judgements)} logs"
    yield Measured(f"triangle.{name}.warned_of_history", float(sum(one.warned for one in judgements)), unit=unit)
    for level in Level:
        of_level = [one for one in judgements if one.level is level]
        verdict = level.text.replace(" ", "_")
        yield Measured(f"triangle.{name}.{verdict}", float(len(of_level)), unit=unit)
        for estimator in _ESTIMATORS if of_level else ():
            held = sum(one.held[estimator] for one in of_level)
            yield Measured(
                f"triangle.{name}.{verdict}.{estimator}.held", float(held), unit=f"of the {len(of_level)} logs"
            )
