"""Trajectories: each shopper's decisions in order, with the state that carries the history."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from offline_eval.batch import TOLERANCE, FloatArray, IntArray, check_distribution
from offline_eval.diagnostics.history import FEATURE
from offline_eval.errors import BadData, NoData, NotAvailable
from offline_eval.logs.decisions import LoggedDecision
from offline_eval.targets import Target, checked
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
        Codes 0 … S-1 of what the past has left behind, such as the number of recent sends. Given it, the rest of
        the past must not matter: that is the assumption of state-marginal weights and of fitted Q evaluation.
    action
        Codes 0 … K-1.
    reward, propensity
        As in `Rows`.
    target
        The target's distribution in each row (n, K).
    joint_weight
        The importance weight of each single decision's whole joint action (n,), where actions are but a part of it;
        None: they are all of it.
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
        # What is not a number is near nothing, and fails too.
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
        """The longest trajectory's length."""
        return int(self.step.max()) + 1

    @property
    def states(self) -> int:
        """How many states there are."""
        return int(self.state.max()) + 1

    @property
    def shoppers(self) -> int:
        """How many shoppers there are."""
        return int(self.shopper[-1]) + 1

    @property
    def actions(self) -> int:
        """How many actions there are."""
        return int(self.target.shape[1])

    def following(self) -> IntArray:
        """Give the place of each row's next decision, -1 at the end of a trajectory."""
        places = np.arange(1, len(self) + 1)
        places[np.append(np.diff(self.shopper) != 0, True)] = -1
        return places

    @classmethod
    def of_decisions(cls, decisions: Iterable[LoggedDecision], target: Target) -> Trajectories:
        """Make trajectories of a log: the state is the number of recent sends, the action the channel or HOLD.

        Weights are those of channels (see `slots`): the value is that of the target's channels with the logging
        policy's messages and delays. What that leaves out, `joint_weight` tells. All is held in memory, some 100 bytes
        a decision.

        Raises
        ------
        BadData
            Naming row, counted from 1 in the order of the log, and column.
        NotAvailable
            When a decision does not say how many sends came before it: that would make one state of all.
        """
        codes: dict[str, int] = {}
        names: dict[str, int] = {}
        found: list[tuple[Any, ...]] = []
        wanted: list[dict[int, float]] = []
        for row, decision in enumerate(decisions, start=1):
            decision.check(row)
            labels = [_channel(action) for action in decision.actions]
            asked = checked(target, decision, row)
            own = _by_label(labels, asked, codes)
            logged = _by_label(labels, decision.probabilities, codes)
            drawn = codes[labels[decision.drawn]]
            state = _state(decision, row)
            shopper = names.setdefault(decision.shopper_id, len(names))
            joint = asked[decision.drawn] / decision.propensity
            found.append((shopper, state, drawn, decision.reward, min(1.0, logged[drawn]), joint))
            wanted.append(own)
        return cls._ordered(found, wanted, len(codes))

    @classmethod
    def _ordered(cls, found: list[tuple[Any, ...]], wanted: list[dict[int, float]], actions: int) -> Trajectories:
        if not found:
            raise NoData("there are no trajectories to evaluate")
        columns = np.array(found)
        order = np.argsort(columns[:, 0], kind="stable")
        target = np.zeros((len(found), actions))
        for place, source in enumerate(order.tolist()):
            for action, probability in wanted[source].items():
                target[place, action] = probability
        shopper, state, action, reward, propensity, joint = columns[order].T
        starts = np.append(0, np.flatnonzero(np.diff(shopper)) + 1)
        step = np.arange(len(found)) - np.repeat(starts, np.diff(np.append(starts, len(found))))
        codes = {"shopper": shopper, "step": step, "state": state, "action": action}
        whole: dict[str, Any] = {name: each.astype(np.int64) for name, each in codes.items()}
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
        raise BadData(FEATURE, f"is {sends!r}, must be a number of sends", row)
    return min(_MOST_SENDS, int(sends))


def _channel(action: JointAction | str) -> str:
    return action.channel if isinstance(action, JointAction) else action


def _by_label(labels: list[str], probabilities: FloatArray, codes: dict[str, int]) -> dict[int, float]:
    found: dict[int, float] = {}
    for label, probability in zip(labels, probabilities.tolist(), strict=True):
        code = codes.setdefault(label, len(codes))
        found[code] = found.get(code, 0.0) + probability
    return found
