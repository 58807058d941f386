"""Helpers that read a report."""

from __future__ import annotations

from dataclasses import replace

from offline_eval import (
    DR,
    IPW,
    EvaluationReport,
    LoggedBatch,
    Question,
    evaluate,
)
from offline_eval.diagnostics.verdict import Level


def codes(report: EvaluationReport) -> dict[str, Level]:
    return {reason.code: reason.level for reason in report.verdict.findings}


def report_of(rows: LoggedBatch, **changes: object) -> EvaluationReport:
    return evaluate(replace(rows, **changes), Question(estimators=[IPW(), DR()]))  # type: ignore[arg-type]
