"""Offline evaluation: what another policy would have earned, from a log of what was done."""

from __future__ import annotations

from offline_eval.batch import LoggedBatch, blocks, dense_blocks
from offline_eval.errors import BadData, EvaluationError, NoData, NotAvailable
from offline_eval.estimators import NAMES, named
from offline_eval.estimators.base import Estimator, Limits
from offline_eval.estimators.difference import Difference
from offline_eval.estimators.dm import DM
from offline_eval.estimators.dr import DR
from offline_eval.estimators.dr_os import DROS
from offline_eval.estimators.ipw import IPW
from offline_eval.estimators.sndr import SNDR
from offline_eval.estimators.snipw import SNIPW
from offline_eval.estimators.switch_dr import SwitchDR
from offline_eval.evaluation import Evaluation, evaluate
from offline_eval.question import Question
from offline_eval.reports.report import Estimate, Report
from offline_eval.totals import Sample, Totals, values

__all__ = [
    "DM",
    "DR",
    "DROS",
    "IPW",
    "NAMES",
    "SNDR",
    "SNIPW",
    "BadData",
    "Difference",
    "Estimate",
    "Estimator",
    "Evaluation",
    "EvaluationError",
    "Limits",
    "LoggedBatch",
    "NoData",
    "NotAvailable",
    "Question",
    "Report",
    "Sample",
    "SwitchDR",
    "Totals",
    "blocks",
    "dense_blocks",
    "evaluate",
    "named",
    "values",
]
