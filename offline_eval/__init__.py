"""Offline evaluation: what another policy would have earned, estimated from a log.

The way of a log through this package, with the module of each step::

    a row of the service's log   a line of dsjson   a row of an exported log     logs/
                         │               │               │
                         └───────────────┼───────────────┘
                                         ▼
    LoggedDecision   context, eligible set, distribution, draw, reward           logs/decisions.py
                                         │
              Target: its distribution over the same eligible set                targets.py
              reward model: its predictions                                      reward_models.py
                                         ▼
    Weighing         decisions → batches                                         weighing.py
                                         ▼            ◄── a plain table          logs/tables/plain.py
    LoggedBatch      five columns, one row per decision                          batch.py
                                         ▼
    Totals           sums of the estimators' terms; of each shopper too          totals.py, units.py
                                         │
              Estimator: the means of the terms → the value                      estimators/
              Interval: the totals → two bounds                                  intervals/
              diagnostics: whether to trust them → the verdict                   diagnostics/
                                         ▼
    Evaluation       one pass over all batches, by the Question                  evaluation.py, question.py
                                         ▼
    EvaluationReport estimates, diagnostics, verdict, groups; JSON and HTML      reports/

Sequential estimators take another way: LoggedDecision → Trajectories → estimates (``sequential/``).
"""

from __future__ import annotations

from offline_eval import estimators
from offline_eval.batch import LoggedBatch, cut_blocks
from offline_eval.dense import dense_blocks
from offline_eval.errors import BadData, EvaluationError, NoData, NotAvailable, Unreadable
from offline_eval.estimators import *  # noqa: F403 - the registry says what it exports
from offline_eval.estimators.base import Estimator, Limits
from offline_eval.estimators.difference import Difference
from offline_eval.evaluation import Evaluation, evaluate
from offline_eval.question import Question
from offline_eval.reports.report import EvaluationReport, ValueEstimate
from offline_eval.totals import Sample, Totals, estimate_values

__all__ = [
    "BadData",
    "Difference",
    "Estimator",
    "Evaluation",
    "EvaluationError",
    "EvaluationReport",
    "Limits",
    "LoggedBatch",
    "NoData",
    "NotAvailable",
    "Question",
    "Sample",
    "Totals",
    "Unreadable",
    "ValueEstimate",
    "cut_blocks",
    "dense_blocks",
    "estimate_values",
    "evaluate",
]
__all__ += estimators.__all__
