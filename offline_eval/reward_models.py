"""Reward models, fitted without the shoppers they predict for; the only door to scikit-learn.

A doubly robust estimate is unbiased only if the prediction for a row does not know that row, nor its shopper:
so each shopper belongs to one of a few folds, and is predicted by a model of the other folds.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack

from offline_eval.batch import FloatArray, Labels
from offline_eval.errors import NotAvailable
from offline_eval.logs.decisions import HOLD, LoggedDecision, context_of
from policies.catalogue.action_space import JointAction
from policies.models.features import hour_bucket, shared_tokens
from policies.records.rows import Context

_BITS = 18
_PRIME = 16_777_619
_MOST_FITTED = 200_000
"""Decisions that a model of a log is fitted on; of more, every second, fourth, … is taken."""


_Linear = tuple[FloatArray, float, bool]
"""Weights, intercept, and whether the sum is a logit."""


class Model(Protocol):
    """What learns a reward from features: anything in the manner of scikit-learn.

    One that also has ``predict_proba`` is taken as a classifier of rewards of 0 and 1.
    """

    def fit(self, features: Any, reward: FloatArray) -> Any:
        """Learn from features (n, d) and rewards (n,)."""
        ...

    def predict(self, features: Any) -> FloatArray:
        """Predict rewards (n,)."""
        ...


def default_model(reward: FloatArray) -> Model:
    """Give logistic regression for rewards of 0 and 1, ridge regression for others.

    Raises
    ------
    NotAvailable
        When scikit-learn is not installed.
    """
    try:
        from sklearn.linear_model import LogisticRegression, Ridge
    except ImportError as error:
        raise NotAvailable("reward models need scikit-learn: install the extra 'models'") from error
    binary = bool(np.isin(reward, (0.0, 1.0)).all())
    model: Model = LogisticRegression(C=1.0, max_iter=500) if binary else Ridge(alpha=1.0)
    return model


def fold_of(shopper: Any, folds: int) -> int:
    """Give a shopper's fold, always the same."""
    return zlib.crc32(str(shopper).encode()) % folds


def cross_fitted(
    context: FloatArray,
    action: NDArray[np.int64],
    reward: FloatArray,
    actions: int,
    *,
    shoppers: Labels | None = None,
    folds: int = 3,
    model: Callable[[], Model] | None = None,
) -> FloatArray:
    """Predict the reward of every joint action in every context, cross-fitted by shopper: (n, K).

    Parameters
    ----------
    context, action, reward
        (n, d), (n,) counted from 0, (n,).
    actions
        K.
    shoppers
        (n,); None: every row stands for itself.
    model
        Makes a fresh model; default: `default_model`. It sees the joint action's indicator and its products with the
        context (a coefficient per feature and joint action).
    """
    names = np.arange(len(reward)) if shoppers is None else shoppers
    fold = np.array([fold_of(name, folds) for name in names.tolist()])
    predicted = np.empty((len(reward), actions))
    for number in range(folds):
        own, others = fold == number, fold != number
        fitted = _Fitted.of(model, crossed(context[others], action[others], actions), reward[others])
        for each in range(actions):
            every = np.full(int(own.sum()), each)
            predicted[own, each] = fitted.predict(crossed(context[own], every, actions))
    return predicted


def crossed(context: FloatArray, action: NDArray[np.int64], actions: int) -> csr_matrix:
    """Give the features of a joint action in a context: its indicator, and its products with the context, sparse."""
    count, width = context.shape
    indicator = csr_matrix((np.ones(count), (np.arange(count), action)), shape=(count, actions))
    columns = action[:, None] * width + np.arange(width)
    places = np.repeat(np.arange(count), width)
    products = csr_matrix((context.ravel(), (places, columns.ravel())), shape=(count, actions * width))
    return hstack([indicator, products], format="csr")


@dataclass(frozen=True)
class _Fitted:
    """A fitted model, or the mean reward where there was nothing to tell apart."""

    model: Any
    mean: float

    @classmethod
    def of(cls, make: Callable[[], Model] | None, features: Any, reward: FloatArray) -> _Fitted:
        if len(reward) == 0 or reward.min() == reward.max():
            return cls(None, float(reward[0]) if len(reward) else 0.0)
        model = make() if make is not None else default_model(reward)
        model.fit(features, reward)
        return cls(model, float(reward.mean()))

    def predict(self, features: Any) -> FloatArray:
        if self.model is None:
            return np.full(features.shape[0], self.mean)
        if hasattr(self.model, "predict_proba"):
            return np.asarray(self.model.predict_proba(features)[:, 1])
        return np.asarray(self.model.predict(features))


class LogModel:
    """The default reward model of a log: tokens of the context, crossed with those of the joint action, hashed.

    HOLD is 0 by definition in the service's own log, and not fitted there.

    Parameters
    ----------
    folds
        Each shopper is predicted by a model of the other folds.
    """

    def __init__(self, folds: int = 3) -> None:
        self._folds = folds
        self._linear: list[_Linear] = []

    def fit(self, decisions: Iterable[LoggedDecision]) -> LogModel:
        """Fit on decisions, read once."""
        codes: list[NDArray[np.int64]] = []
        rewards: list[float] = []
        folds: list[int] = []
        every = 1
        for number, decision in enumerate(decisions):
            if number % every or (decision.action == HOLD and decision.of_service):
                continue
            codes.append(_codes(decision, [decision.action])[0])
            rewards.append(decision.reward)
            folds.append(fold_of(decision.shopper_id, self._folds))
            if len(codes) > _MOST_FITTED:
                every, codes, rewards, folds = every * 2, codes[::2], rewards[::2], folds[::2]
        fold, reward = np.array(folds), np.array(rewards)
        self._linear = [self._fit(codes, reward, np.flatnonzero(fold != number)) for number in range(self._folds)]
        return self

    @staticmethod
    def _fit(codes: list[NDArray[np.int64]], reward: FloatArray, own: NDArray[np.intp]) -> _Linear:
        used, features = _sparse([codes[place] for place in own.tolist()])
        fitted = _Fitted.of(None, features, reward[own])
        weights = np.zeros(1 << _BITS)
        if fitted.model is None:
            return weights, fitted.mean, False
        weights[used] = np.ravel(fitted.model.coef_)
        return weights, float(np.ravel(fitted.model.intercept_)[0]), hasattr(fitted.model, "predict_proba")

    def predict(self, decision: LoggedDecision) -> FloatArray:
        """Predict for the eligible set (K,)."""
        weights, start, logistic = self._linear[fold_of(decision.shopper_id, self._folds)]
        found = np.zeros(len(decision.actions))
        # HOLD alone has other tokens than the sends, and where the service logged it, it is 0 by definition.
        alike = [place for place, action in enumerate(decision.actions) if action != HOLD]
        others = [] if decision.of_service else [p for p in range(len(found)) if p not in set(alike)]
        for places in (alike, others):
            if places:
                own = weights[_codes(decision, [decision.actions[place] for place in places])].sum(axis=1) + start
                found[places] = 1 / (1 + np.exp(-own)) if logistic else own
        return found


def _codes(decision: LoggedDecision, actions: Sequence[JointAction | str]) -> NDArray[np.int64]:
    """Hash the features of joint actions in the decision's context: each token, and each pair across the two sides.

    Shape (K, features); the joint actions must have equally many tokens.
    """
    context = context_of(decision)
    tokens = [token for own in shared_tokens(context).values() for token in own]
    shared = np.array([_code(token) for token in tokens], dtype=np.int64)
    own = np.stack([_action_codes(action, _hour(context, action)) for action in actions])
    pairs = ((own[:, :, None] * _PRIME) ^ shared).reshape(len(actions), -1)
    every = np.broadcast_to(shared, (len(actions), len(shared)))
    return np.asarray(np.concatenate([own, every, pairs], axis=1) & ((1 << _BITS) - 1))


def _hour(context: Context, action: JointAction | str) -> int | None:
    return hour_bucket(context, action.delay_s) if isinstance(action, JointAction) else None


@lru_cache(maxsize=100_000)
def _action_codes(action: JointAction | str, hour: int | None) -> NDArray[np.int64]:
    if not isinstance(action, JointAction):
        return np.array([_code(f"action {action}")], dtype=np.int64)
    tokens = [f"message {action.message}", f"channel {action.channel}", f"delay {action.delay_s}"]
    tokens.append(f"message {action.message} channel {action.channel}")
    if hour is not None:
        tokens += [f"hour {hour}", f"channel {action.channel} hour {hour}"]
    return np.array([_code(token) for token in tokens], dtype=np.int64)


@lru_cache(maxsize=100_000)
def _code(token: str) -> int:
    return zlib.crc32(token.encode())


def _sparse(codes: list[NDArray[np.int64]]) -> tuple[NDArray[np.int64], csr_matrix]:
    """Give the codes in use (d,) and the features over them (n, d): a solver's time goes with the width."""
    ends = np.cumsum([0, *(len(own) for own in codes)])
    used, indices = np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *codes]), return_inverse=True)
    # Codes that collide within a row add up, as in the sum of weights that predicts.
    return used, csr_matrix((np.ones(len(indices)), indices, ends), shape=(len(codes), len(used)))
