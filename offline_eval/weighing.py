"""Weighing: from decisions and a target to batches of the five numbers that estimators work on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice

import numpy as np

from offline_eval.batch import MODEL, LoggedBatch
from offline_eval.columns import FloatArray
from offline_eval.diagnostics.calibration import ServedFrequencies
from offline_eval.errors import BadData, NotAvailable
from offline_eval.logs.decisions import LoggedDecision
from offline_eval.reports.report import DAY
from offline_eval.slots import average_by_slot, find_slot_codes, sum_by_code
from offline_eval.targets import Target, ask_target

Predict = Callable[[LoggedDecision], FloatArray]
"""Returns a reward model's predictions (K,) for the eligible set."""

_BATCH = 2_048


@dataclass(frozen=True)
class Weighing:
    """How decisions become batches.

    Parameters
    ----------
    target
        The policy to evaluate.
    against
        Another policy, for the paired difference.
    predict
        The reward model, fitted without the shopper of the decision for which it predicts.
    slots
        Weigh by the marginal probability of these slots; empty: by whole joint actions. The reward model then predicts
        for slot values (see `slots`), and only slot values that are never logged are without support.
    labels
        The labels of the decisions to keep.
    served
        Counts served frequencies while decisions are read.
    """

    target: Target
    against: Target | None = None
    predict: Predict | None = None
    slots: Sequence[str] = ()
    labels: Sequence[str] = ()
    served: ServedFrequencies = field(default_factory=ServedFrequencies)

    def batches(self, decisions: Iterable[LoggedDecision]) -> Iterator[LoggedBatch]:
        """Weigh decisions in their order, batch by batch.

        Raises
        ------
        BadData
            Naming row, counted from 1, and column.
        """
        source = iter(decisions)
        first = 1
        while part := list(islice(source, _BATCH)):
            yield self._batch(part, first)
            first += len(part)

    def _batch(self, decisions: list[LoggedDecision], first: int) -> LoggedBatch:
        for row, decision in enumerate(decisions, start=first):
            decision.check(decision.place or row)
            self.served.add(decision.actions, decision.probabilities, decision.drawn)
        batch = self._weigh(decisions, self.target, first)
        if self.against is None:
            return batch
        return replace(batch, against=self._weigh(decisions, self.against, first))

    def _weigh(self, decisions: list[LoggedDecision], target: Target, first: int) -> LoggedBatch:
        rows = range(first, first + len(decisions))
        numbers = np.array([self._numbers(*pair, target) for pair in zip(decisions, rows, strict=True)])
        propensity, target_propensity, q_chosen, v_target, unsupported = numbers.T.copy()
        batch = LoggedBatch(
            reward=np.array([decision.reward for decision in decisions]),
            propensity=propensity,
            target_propensity=target_propensity,
            q_chosen=q_chosen,
            v_target=v_target,
            shoppers=np.array([decision.shopper_id for decision in decisions]),
            events=np.array([decision.event_id for decision in decisions]),
            labels={name: np.array([_label(decision, name) for decision in decisions]) for name in self.labels},
            unsupported=unsupported,
            absent=() if self.predict is not None else MODEL,
            first=first,
        )
        try:
            batch.check()
        except BadData as error:
            place = decisions[error.row - first].place if isinstance(error.row, int) else ""
            raise BadData(error.column, error.reason, place or error.row) from None
        return batch

    def _numbers(self, decision: LoggedDecision, row: int, target: Target) -> tuple[float, float, float, float, float]:
        """Return propensity, target propensity, q_chosen, v_target and the mass without support."""
        wanted = ask_target(target, decision, row)
        logged, drawn = decision.probabilities, decision.drawn
        predicted = np.zeros(len(logged)) if self.predict is None else self.predict(decision)
        if self.slots:
            codes = find_slot_codes(decision, self.slots)
            predicted = average_by_slot(predicted, logged, wanted, codes)
            logged, wanted, drawn = sum_by_code(logged, codes), sum_by_code(wanted, codes), int(codes[drawn])
        unsupported = float(wanted[logged == 0].sum())
        # Rounding may bring a probability just above 1.
        probabilities = (min(1.0, float(logged[drawn])), min(1.0, float(wanted[drawn])))
        return *probabilities, float(predicted[drawn]), float(wanted @ predicted), unsupported


def _label(decision: LoggedDecision, name: str) -> str:
    if name == DAY:
        return datetime.fromtimestamp(decision.at, UTC).date().isoformat()
    label = decision.labels.get(name)
    if label is not None:
        return label
    if name not in decision.context:
        known = ", ".join(sorted({*decision.labels, *decision.context}))
        raise NotAvailable(f"decisions have no label {name!r}; this one has {known}")
    return str(decision.context[name])
