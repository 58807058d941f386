"""Weighing: decisions and a target to the five numbers that estimators work on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice

import numpy as np

from offline_eval.batch import FloatArray, LoggedBatch
from offline_eval.diagnostics.calibration import ServedFrequencies
from offline_eval.errors import NotAvailable
from offline_eval.logs.decisions import LoggedDecision
from offline_eval.reports.report import DAY
from offline_eval.slots import by_slots, marginal_values, summed
from offline_eval.targets import Target, checked

Predict = Callable[[LoggedDecision], FloatArray]
"""Gives a reward model's predictions (K,) for the eligible set."""

_BATCH = 2_048


@dataclass(frozen=True)
class Weighing:
    """How decisions become rows.

    Parameters
    ----------
    target
        The policy to evaluate.
    against
        Another one, for the paired difference.
    predict
        The reward model, fitted without the shopper whose decision it predicts.
    slots
        Weigh by the marginal probability of these slots; empty: by whole joint actions. The reward model then predicts
        for slot values (see `slots`), and only a value that is never logged is without support.
    labels
        Which of the decisions' labels to keep.
    served
        Counts served frequencies along the way.
    """

    target: Target
    against: Target | None = None
    predict: Predict | None = None
    slots: Sequence[str] = ()
    labels: Sequence[str] = ()
    served: ServedFrequencies = field(default_factory=ServedFrequencies)

    def rows(self, decisions: Iterable[LoggedDecision]) -> Iterator[LoggedBatch]:
        """Weigh decisions, batch by batch, in their order.

        Raises
        ------
        BadData
            Naming row, counted from 1, and column.
        """
        source = iter(decisions)
        first = 1
        while batch := list(islice(source, _BATCH)):
            yield self._batch(batch, first)
            first += len(batch)

    def _batch(self, batch: list[LoggedDecision], first: int) -> LoggedBatch:
        for place, decision in enumerate(batch):
            decision.check(first + place)
            self.served.add(decision.actions, decision.probabilities, decision.drawn)
        own = self._weighed(batch, self.target, first)
        if self.against is None:
            return own
        other = self._weighed(batch, self.against, first)
        return replace(own, against=other)

    def _weighed(self, batch: list[LoggedDecision], target: Target, first: int) -> LoggedBatch:
        numbers = np.array([self._numbers(each, target, first + place) for place, each in enumerate(batch)])
        propensity, wanted, q_chosen, v_target, unsupported = numbers.T.copy()
        rows = LoggedBatch(
            reward=np.array([decision.reward for decision in batch]),
            propensity=propensity,
            target_propensity=wanted,
            q_chosen=q_chosen,
            v_target=v_target,
            shoppers=np.array([decision.shopper_id for decision in batch]),
            events=np.array([decision.event_id for decision in batch]),
            labels={name: np.array([_label(each, name) for each in batch]) for name in self.labels},
            unsupported=unsupported,
            first=first,
        )
        rows.check()
        return rows

    def _numbers(self, decision: LoggedDecision, target: Target, row: int) -> tuple[float, float, float, float, float]:
        wanted = checked(target, decision, row)
        logged, drawn = decision.probabilities, decision.drawn
        predicted = np.zeros(len(logged)) if self.predict is None else self.predict(decision)
        if self.slots:
            codes = by_slots(decision, self.slots)
            predicted = marginal_values(predicted, logged, wanted, codes)
            logged, wanted, drawn = summed(logged, codes), summed(wanted, codes), int(codes[drawn])
        unsupported = float(wanted[logged == 0].sum())
        # Rounding may bring a probability just above 1.
        matched = (min(1.0, float(logged[drawn])), min(1.0, float(wanted[drawn])))
        return *matched, float(predicted[drawn]), float(wanted @ predicted), unsupported


def _label(decision: LoggedDecision, name: str) -> str:
    if name == DAY:
        return datetime.fromtimestamp(decision.at, UTC).date().isoformat()
    found = decision.labels.get(name)
    if found is None:
        told = decision.context.get(name)
        if told is None and name not in decision.context:
            known = ", ".join(sorted({*decision.labels, *decision.context}))
            raise NotAvailable(f"decisions have no label {name!r}; this one has {known}")
        return str(told)
    return found
