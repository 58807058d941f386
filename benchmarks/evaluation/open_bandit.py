"""The Open Bandit sample: evaluate the uniform policy on logs of a learning policy. Both policies really ran."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from decision_service.cli.measurements import Measured
from offline_eval import EvaluationReport, LoggedBatch, Question, evaluate, make_estimators

CAMPAIGNS = {"all": 80, "men": 34, "women": 46}
"""Campaign → number of items."""


def read_batch(directory: Path, campaign: str) -> LoggedBatch:
    """Read a campaign's log of Bernoulli Thompson sampling, with the uniform policy as target."""
    clicks, propensities = _columns(directory, "bts", campaign)
    target = np.full(len(clicks), 1.0 / CAMPAIGNS[campaign])
    return LoggedBatch.of(reward=clicks, propensity=propensities, target_propensity=target)


def _columns(directory: Path, policy: str, campaign: str) -> tuple[np.ndarray, np.ndarray]:
    with (directory / policy / campaign / f"{campaign}.csv").open(encoding="utf-8", newline="") as file:
        records = [(float(record["click"]), float(record["propensity_score"])) for record in csv.DictReader(file)]
    columns = np.array(records)
    return columns[:, 0], columns[:, 1]


def evaluate_uniform(directory: Path, campaign: str) -> EvaluationReport:
    """Evaluate the uniform policy on the log of the learning policy."""
    return evaluate(read_batch(directory, campaign), Question(estimators=make_estimators(["ipw", "snipw"])))


def measure(directory: Path) -> list[Measured]:
    """Measure all campaigns. The verdict is 0 for trust, 1 for caution, 2 for do not use; its unit is the text."""
    results = []
    for campaign in CAMPAIGNS:
        report = evaluate_uniform(directory, campaign)
        truth = float(_columns(directory, "random", campaign)[0].mean())
        name = f"open_bandit.{campaign}"
        size = report.diagnostics.weights.effective_sample_size
        results += [
            *(Measured(f"{name}.{one.name}", one.value, one.low, one.high, "clicks") for one in report.estimates),
            Measured(f"{name}.on_policy", truth, unit="clicks, the uniform policy's own log"),
            Measured(f"{name}.effective_sample_size", size, unit="of 10,000 rows"),
            Measured(f"{name}.verdict", float(report.verdict.level), unit=_verdict_text(report)),
        ]
    return results


def _verdict_text(report: EvaluationReport) -> str:
    return "; ".join([report.verdict.level.text, *(reason.text for reason in report.verdict.findings)])
