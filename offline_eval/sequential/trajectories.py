"""Trajectories: each shopper's decisions in order, with a state that summarises the history."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from offline_eval.columns import TOLERANCE, FloatArray, IntArray, check_distribution
from offline_eval.diagnostics.history import FEATURE
from offline_eval.errors import BadData, NoData, NotAvailable
from offline_eval.logs.decisions import LoggedDecision
from offline_eval.targets import Target, ask_target
from policies.catalogue.action_space import JointAction

_MOST_SENDS = 4


@dataclass(frozen=True)
class Trajectories:
    """All decisions of some shoppers as columns (n,), ordered by shopper and within a shopper by time.

    Parameters
    ----------
    shopper
        Codes 0 … N-1, not decreasing.
    step
        0, 1, … within each shopper.
    state
        Codes 0 … S-1 of a summary of the past, such as the number of recent sends. State-marginal weights and fitted Q
        evaluation assume that, given the state, the rest of the past does not matter.
    action
        Codes 0 … K-1.
    reward, propensity
        As in `LoggedBatch`.
    target
        The target's distribution in each row (n, K).
    joint_weight
        The importance weight of each single decision's whole joint action (n,), where ``action`` is only a part of the
        joint action; None where it is all of it.
    """

    shopper: IntArray
    step: IntArray
    state: IntArray
    action: IntArray
    reward: FloatArray
    propensity: FloatArray
    target: FloatArray
    joint_weight: FloatArray | None = None

    def __post_init__(self) -> None:
        if not len(self.reward):
            raise NoData("there are no trajectories to evaluate")
        first = np.append(True, np.diff(self.shopper) != 0)
        follows = np.append(0, np.where(first[1:], 0, self.step[:-1] + 1))
        if (bad := np.flatnonzero(self.step != follows)).size:
            raise BadData("step", f"is {self.step[bad[0]]}, {follows[bad[0]]} would follow", int(bad[0]) + 1)
        if (bad := np.flatnonzero(~((self.propensity > 0) & (self.propensity <= 1)))).size:
            raise BadData(
                "propensity", f"is {self.propensity[bad[0]]:g}, must be above 0 and at most 1", int(bad[0]) + 1
            )
        if (bad := np.flatnonzero(~np.isfinite(self.reward))).size:
            raise BadData("reward", f"is {self.reward[bad[0]]:g}, must be a finite number", int(bad[0]) + 1)
        # A comparison with NaN is false, so NaN fails too.
        sound = (np.abs(self.target.sum(axis=1) - 1) <= TOLERANCE) & (self.target >= 0).all(axis=1)
        if (bad := np.flatnonzero(~sound)).size:
            check_distribution(self.target[bad[0]], "target", int(bad[0]) + 1)

    def __len__(self) -> int:
        return len(self.reward)

    @property
    def weight(self) -> FloatArray:
        """The importance weight of each single decision (n,)."""
        return np.asarray(self.target[np.arange(len(self)), self.action] / self.propensity)

    @property
    def steps(self) -> int:
        """The length of the longest trajectory."""
        return int(self.step.max()) + 1

    @property
    def states(self) -> int:
        """The number of states."""
        return int(self.state.max()) + 1

    @property
    def shoppers(self) -> int:
        """The number of shoppers."""
        return int(self.shopper[-1]) + 1

    @property
    def actions(self) -> int:
        """The number of actions."""
        return int(self.target.shape[1])

    def following(self) -> IntArray:
        """Return the row of each row's next decision (n,), -1 at the end of a trajectory."""
        places = np.arange(1, len(self) + 1)
        places[np.append(np.diff(self.shopper) != 0, True)] = -1
        return places

    @classmethod
    def of_decisions(cls, decisions: Iterable[LoggedDecision], target: Target) -> Trajectories:
        """Make the trajectories of a log: the state is the number of recent sends, the action the channel or HOLD.

        Weights are weights of channels (see `slots`): the value is the value of the target's channels with the logging
        policy's messages and delays. `joint_weight` holds the weights of whole joint actions. All rows are held in
        memory, about 100 bytes per decision.

        Raises
        ------
        BadData
            The error names the row, counted from 1 in the order of the log, and the column.
        NotAvailable
            When a decision does not hold the number of recent sends: all decisions would have the same state.
        """
        codes: dict[str, int] = {}
        names: dict[str, int] = {}
        rows: list[tuple[Any, ...]] = []
        targets: list[dict[int, float]] = []
        for row, decision in enumerate(decisions, start=1):
            decision.check(decision.place or row)
            labels = [_channel(action) for action in decision.actions]
            probabilities = ask_target(target, decision, row)
            targets.append(_sum_by_label(labels, probabilities, codes))
            logged = _sum_by_label(labels, decision.probabilities, codes)
            drawn = codes[labels[decision.drawn]]
            state = _state(decision, row)
            shopper = names.setdefault(decision.shopper_id, len(names))
            joint = probabilities[decision.drawn] / decision.propensity
            rows.append((shopper, state, drawn, decision.reward, min(1.0, logged[drawn]), joint))
        return cls._in_order(rows, targets, len(codes))

    @classmethod
    def _in_order(cls, rows: list[tuple[Any, ...]], targets: list[dict[int, float]], actions: int) -> Trajectories:
        if not rows:
            raise NoData("there are no trajectories to evaluate")
        columns = np.array(rows)
        order = np.argsort(columns[:, 0], kind="stable")
        target = np.zeros((len(rows), actions))
        for place, source in enumerate(order.tolist()):
            for action, probability in targets[source].items():
                target[place, action] = probability
        shopper, state, action, reward, propensity, joint = columns[order].T
        starts = np.append(0, np.flatnonzero(np.diff(shopper)) + 1)
        step = np.arange(len(rows)) - np.repeat(starts, np.diff(np.append(starts, len(rows))))
        codes = {"shopper": shopper, "step": step, "state": state, "action": action}
        whole: dict[str, Any] = {name: column.astype(np.int64) for name, column in codes.items()}
        return cls(**whole, reward=reward, propensity=propensity, target=target, joint_weight=joint)


def _state(decision: LoggedDecision, row: int) -> int:
    sends = decision.context.get(FEATURE)
    if sends is None:
        known = ", ".join(decision.context) or "nothing"
        raise NotAvailable(
            f"sequential estimators need {FEATURE} in the context, how often the shopper was sent to lately: "
            f"event {decision.event_id!r} tells {known}"
        )
    if isinstance(sends, str | bool) or not 0 <= sends < float("inf"):
        raise BadData(FEATURE, f"is {sends!r}, must be a number of sends", decision.place or row)
    return min(_MOST_SENDS, int(sends))


def _channel(action: JointAction | str) -> str:
    return action.channel if isinstance(action, JointAction) else action


def _sum_by_label(labels: list[str], probabilities: FloatArray, codes: dict[str, int]) -> dict[int, float]:
    sums: dict[int, float] = {}
    for label, probability in zip(labels, probabilities.tolist(), strict=True):
        code = codes.setdefault(label, len(codes))
        sums[code] = sums.get(code, 0.0) + probability
    return sums
