"""The features of the heads, from what a model sees of one trigger of a request."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from policies.heads.feature_reading import read_features
from policies.heads.features import Features
from policies.models.features import feature_names, shared_token
from policies.records.model_input import ModelInput
from policies.records.rows import Context, Scalar

_OF_CALLER = ("d", "x")
"""The namespaces of the device and of other values of the caller."""
_MOST_TOKENS = 20_000


def features_of(model_input: ModelInput, delays_s: Sequence[int]) -> Features:
    """Return the features; ``delays_s`` are the delays of the catalogue version that the request was decided with.

    >>> features_of(ModelInput({"trigger": "wishlist", "device": "mobile", "weather": "rain"}), (0,)).tokens["caller"]
    ('d_mobile', 'x_weather_rain')
    """
    context = model_input.context
    return read_features(context, model_input.numbers, delays_s, caller=_caller_tokens(context))


def _caller_tokens(context: Context) -> tuple[str, ...]:
    names = feature_names(tuple(context))
    tokens = [_token(name, namespace, context[name]) for name, namespace in names if namespace in _OF_CALLER]
    return tuple(dict.fromkeys(tokens))


@lru_cache(maxsize=_MOST_TOKENS, typed=True)
def _token(name: str, namespace: str, value: Scalar) -> str:
    """Return the token of a value; 1, 1.0 and True have different ones."""
    return shared_token(name, namespace, value)
