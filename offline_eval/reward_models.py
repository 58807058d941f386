"""Reward models, fitted without the shoppers they predict for. The only module that imports scikit-learn.

A doubly robust estimate is unbiased only if the model that predicts for a row was not fitted on this row, nor on other
rows of its shopper. So each shopper belongs to one of a few folds, and a model of the other folds predicts for it.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack

from offline_eval.columns import FloatArray, Labels, to_names
from offline_eval.errors import NotAvailable
from offline_eval.logs.decisions import HOLD, LoggedDecision
from offline_eval.logs.features import action_tokens, context_tokens
from policies.extras import describe_missing

_BITS = 18
_PRIME = 16_777_619
_MOST_FITTED = 200_000
"""The most decisions that a model of a log is fitted on; of a longer log every second, fourth, … is taken."""


_Linear = tuple[FloatArray, float, bool]
"""Weights, intercept, and whether their sum is a logit."""


class RewardModel(Protocol):
    """A model that learns a reward from features, with the methods of scikit-learn.

    A model that also has ``predict_proba`` is taken as a classifier of rewards of 0 and 1.
    """

    def fit(self, features: Any, reward: FloatArray) -> Any:
        """Learn from features (n, d) and rewards (n,)."""
        ...

    def predict(self, features: Any) -> FloatArray:
        """Return predicted rewards (n,)."""
        ...


def default_model(reward: FloatArray) -> RewardModel:
    """Return logistic regression for rewards of 0 and 1, ridge regression for other rewards.

    Raises
    ------
    NotAvailable
        When scikit-learn is not installed.
    """
    try:
        from sklearn.linear_model import LogisticRegression, Ridge
    except ImportError as error:
        raise NotAvailable(describe_missing("scikit-learn", "models")) from error
    binary = bool(np.isin(reward, (0.0, 1.0)).all())
    model: RewardModel = LogisticRegression(C=1.0, max_iter=500) if binary else Ridge(alpha=1.0)
    return model


def fold_of(shopper: Any, folds: int) -> int:
    """Return a shopper's fold, which is always the same."""
    return zlib.crc32(str(shopper).encode()) % folds


def cross_fit(
    context: FloatArray,
    action: NDArray[np.int64],
    reward: FloatArray,
    actions: int,
    *,
    shoppers: Labels | None = None,
    folds: int = 3,
    model: Callable[[], RewardModel] | None = None,
) -> FloatArray:
    """Return predicted rewards of every joint action in every context, cross-fitted by shopper: (n, K).

    Parameters
    ----------
    context, action, reward
        (n, d), (n,) counted from 0, (n,).
    actions
        K.
    shoppers
        (n,); None: all rows are independent.
    model
        Makes a new model; default: `default_model`. Its features are the joint action's indicator and the products of
        the indicator with the context (a coefficient per feature and joint action).
    """
    names = np.arange(len(reward)) if shoppers is None else to_names(shoppers, "shoppers")
    fold = np.array([fold_of(name, folds) for name in names.tolist()])
    predicted = np.empty((len(reward), actions))
    for number in range(folds):
        inside, outside = fold == number, fold != number
        fitted = _Fitted.of(model, cross_features(context[outside], action[outside], actions), reward[outside])
        for column in range(actions):
            same_action = np.full(int(inside.sum()), column)
            predicted[inside, column] = fitted.predict(cross_features(context[inside], same_action, actions))
    return predicted


def cross_features(context: FloatArray, action: NDArray[np.int64], actions: int) -> csr_matrix:
    """Return the features of joint actions in contexts, sparse: indicators, and their products with the contexts."""
    count, width = context.shape
    indicator = csr_matrix((np.ones(count), (np.arange(count), action)), shape=(count, actions))
    columns = action[:, None] * width + np.arange(width)
    places = np.repeat(np.arange(count), width)
    products = csr_matrix((context.ravel(), (places, columns.ravel())), shape=(count, actions * width))
    return hstack([indicator, products], format="csr")


@dataclass(frozen=True)
class _Fitted:
    """A fitted model, or the mean reward where all rewards were equal."""

    model: Any
    mean: float

    @classmethod
    def of(cls, make: Callable[[], RewardModel] | None, features: Any, reward: FloatArray) -> _Fitted:
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
    """The default reward model of a log: tokens of the context, crossed with tokens of the joint action, hashed.

    HOLD has the reward 0 by definition in the service's log, so it is not fitted there.

    Parameters
    ----------
    folds
        A model of the other folds predicts for each shopper.
    """

    def __init__(self, folds: int = 3) -> None:
        self._folds = folds
        self._linear: list[_Linear] = []

    def fit(self, decisions: Iterable[LoggedDecision]) -> LogModel:
        """Fit on decisions, which are read once."""
        codes: list[NDArray[np.int64]] = []
        rewards: list[float] = []
        folds: list[int] = []
        every = 1
        for number, decision in enumerate(decisions):
            if number % every or (decision.action == HOLD and decision.of_service):
                continue
            codes.append(_codes(context_tokens(decision), action_tokens(decision, [decision.drawn]))[0])
            rewards.append(decision.reward)
            folds.append(fold_of(decision.shopper_id, self._folds))
            if len(codes) > _MOST_FITTED:
                every, codes, rewards, folds = every * 2, codes[::2], rewards[::2], folds[::2]
        fold, reward = np.array(folds), np.array(rewards)
        self._linear = [self._fit(codes, reward, np.flatnonzero(fold != number)) for number in range(self._folds)]
        return self

    @staticmethod
    def _fit(codes: list[NDArray[np.int64]], reward: FloatArray, rows: NDArray[np.intp]) -> _Linear:
        used, features = _sparse([codes[row] for row in rows.tolist()])
        fitted = _Fitted.of(None, features, reward[rows])
        weights = np.zeros(1 << _BITS)
        if fitted.model is None:
            return weights, fitted.mean, False
        weights[used] = np.ravel(fitted.model.coef_)
        return weights, float(np.ravel(fitted.model.intercept_)[0]), hasattr(fitted.model, "predict_proba")

    def predict(self, decision: LoggedDecision) -> FloatArray:
        """Return predictions for the eligible set (K,)."""
        weights, start, logistic = self._linear[fold_of(decision.shopper_id, self._folds)]
        predicted, of_context = np.zeros(len(decision.actions)), context_tokens(decision)
        for places, tokens in _group_alike(decision):
            sums = weights[_codes(of_context, tokens)].sum(axis=1) + start
            predicted[places] = 1 / (1 + np.exp(-sums)) if logistic else sums
        return predicted


def _group_alike(decision: LoggedDecision) -> Iterator[tuple[list[int], list[tuple[str, ...]]]]:
    """Yield the eligible actions with equally many tokens: their places, and the tokens of each.

    Where the service logged HOLD, its reward is 0 by definition, and nothing is predicted for it.
    """
    actions = decision.actions
    places = [place for place, action in enumerate(actions) if not (decision.of_service and action == HOLD)]
    tokens = action_tokens(decision, places)
    counts = sorted(set(map(len, tokens)))
    if len(counts) == 1:
        yield places, tokens
        return
    for count in counts:
        alike = [number for number, names in enumerate(tokens) if len(names) == count]
        yield [places[number] for number in alike], [tokens[number] for number in alike]


def _codes(of_context: Sequence[str], of_actions: Sequence[tuple[str, ...]]) -> NDArray[np.int64]:
    """Return the hashed features of actions in a context (K, features).

    The features are the tokens of the action, the tokens of the context, and each pair of the two. All actions must
    have the same number of tokens.
    """
    context, actions = _hash(tuple(of_context)), np.stack([_hash(tokens) for tokens in of_actions])
    pairs = ((actions[:, :, None] * _PRIME) ^ context).reshape(len(actions), -1)
    repeated = np.broadcast_to(context, (len(actions), len(context)))
    return np.asarray(np.concatenate([actions, repeated, pairs], axis=1) & ((1 << _BITS) - 1))


@lru_cache(maxsize=100_000)
def _hash(tokens: tuple[str, ...]) -> NDArray[np.int64]:
    return np.array([_code(token) for token in tokens], dtype=np.int64)


@lru_cache(maxsize=100_000)
def _code(token: str) -> int:
    return zlib.crc32(token.encode())


def _sparse(codes: list[NDArray[np.int64]]) -> tuple[NDArray[np.int64], csr_matrix]:
    """Return the codes in use (d,) and the features over them (n, d): the time of a solver grows with the width."""
    ends = np.cumsum([0, *(len(row) for row in codes)])
    used, indices = np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *codes]), return_inverse=True)
    # Codes that collide within a row add up, as they do in the sum of weights of `LogModel.predict`.
    return used, csr_matrix((np.ones(len(indices)), indices, ends), shape=(len(codes), len(used)))
