"""The business rule, as the observations of the environment allow it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulators.arrays import BoolArray, FloatArray
from simulators.envs.actions import CHANNELS, DELAYS_H, HOLD, choose_surely
from simulators.envs.observations import OBSERVATIONS, TRIGGERS
from simulators.world.messages import STANDARD

CHANNEL_CAPS = {"push": 4, "email": 4, "sms": 2, "webpush": 3, "inapp": 5}
CAP = 7
"""Sends in a week that the example catalogue allows, on each channel and on all."""

_ANSWERS = np.array([[trigger in answered for trigger in TRIGGERS] for answered in STANDARD.triggers])


def _columns(first: str, count: int) -> slice:
    place = OBSERVATIONS.index(first)
    return slice(place, place + count)


_CONSENTS = _columns(f"consent_{CHANNELS[0]}", len(CHANNELS))
_WEEKLY_SENDS = _columns(f"sends_{CHANNELS[0]}", len(CHANNELS))
_RECENT_TRIGGERS = _columns(f"trigger_{TRIGGERS[0]}", len(TRIGGERS))


class RuleAgent:
    """The business rule: the first message that answers a trigger of the last day, at once, on the first channel.

    The channels are those with consent, within the weekly caps of the example catalogue.
    """

    def probabilities(self, observations: NDArray[np.float32], mask: NDArray[np.int8]) -> FloatArray:
        recent = observations[:, _RECENT_TRIGGERS] > 0.0
        answers: BoolArray = (recent[:, None] & _ANSWERS).any(axis=2)  # (N, messages)
        sends = np.rint(observations[:, _WEEKLY_SENDS] * 7.0)
        free = (observations[:, _CONSENTS] > 0.0) & (sends < [CHANNEL_CAPS[channel] for channel in CHANNELS])
        free &= sends.sum(axis=1, keepdims=True) < CAP
        at_once = (answers.argmax(axis=1) * len(CHANNELS) + free.argmax(axis=1)) * len(DELAYS_H)
        return choose_surely(np.where(answers.any(axis=1) & free.any(axis=1), at_once, HOLD), mask)
