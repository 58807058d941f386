"""The specification of the heads: each weight apart, in plain loops.

A *weight* of a joint action is a key with its value x. Means, variances and covariances of logits follow from the keys
that joint actions share.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np

from policies.arrays import FloatArray
from policies.catalogue.action_space import ActionSpace
from policies.heads.crossings import NUMBERS, Key
from policies.heads.features import Features
from policies.heads.snapshot import HeadsSnapshot
from policies.heads.tables import HeadTable


def weights_of(table: HeadTable, features: Features, space: ActionSpace, number: int) -> dict[Key, float]:
    """Return the keys of the weights of a joint action, with the values x."""
    action = space[number]
    slots: dict[str, str | int] = {
        "message": action.message,
        "category": space.categories[space.message_of[number]],
        "channel": action.channel,
        "delay": action.delay_s,
    }
    weights = dict[Key, float]()
    for name in table.lines:
        parts = [] if name == "base" else name.split(" × ")
        value = 1.0
        for part in parts:
            if part.startswith("#"):
                axis = NUMBERS[part[1:]]
                value = features.number(part[1:], 0 if axis is None else slots[axis])
        chosen: list[Sequence[str | int]] = [[slots[slot]] for slot in slots if slot in parts]
        for moment in ("hour", "load_level"):
            if moment in parts:
                token = features.moments.get(moment, {}).get(action.delay_s)
                chosen.append([] if token is None else [token])
        for token_name in ("trigger", "segment", "product_category", "streak", "caller"):
            if token_name in parts:
                chosen.append(features.tokens.get(token_name, ()))
        weights |= {(name, *combination): value for combination in product(*chosen)}
    return weights


def beliefs_of(table: HeadTable, snapshot: HeadsSnapshot) -> Mapping[Key, tuple[float, float]]:
    """Return the means and variances of the weights that a head has learned."""
    numbers, means, information = (
        np.frombuffer(data, kind)
        for data, kind in zip(snapshot.heads[table.name], (np.uint32, np.float64, np.float64), strict=True)
    )
    keys = [snapshot.keys[number] for number in numbers.tolist()]
    learned = zip(keys, means.tolist(), information.tolist(), strict=True)
    return {key: (mean, 1 / (1 / table.lines[str(key[0])].sd ** 2 + gained)) for key, mean, gained in learned}


def moments_of(
    table: HeadTable, snapshot: HeadsSnapshot, features: Features, space: ActionSpace
) -> tuple[FloatArray, FloatArray]:
    """Return the means (n,) and the covariances (n, n) of the logits, weight by weight."""
    beliefs, count = beliefs_of(table, snapshot), len(space)
    of_action = [weights_of(table, features, space, number) for number in range(count)]

    def belief(key: Key) -> tuple[float, float]:
        prior = table.lines[str(key[0])]
        return beliefs.get(key, (prior.mean, prior.sd**2))

    means = [table.bias + math.fsum(x * belief(key)[0] for key, x in weights.items()) for weights in of_action]
    covariances = [
        [
            math.fsum(x * second[key] * belief(key)[1] for key, x in first.items() if key in second)
            for second in of_action
        ]
        for first in of_action
    ]
    return np.array(means), np.array(covariances)
