"""Two logistic heads in Vowpal Wabbit: one predicts a positive outcome, the other an opt-out.

A workspace of Vowpal Wabbit is not thread safe and never releases the GIL. So the heads live in the learner alone, and
replicas score with their compiled weights (`policies.models.compiled`).

Each head is a logistic regression. It learns by FTRL-proximal from the chosen joint action alone, without importance
weights: with 60 to 250 joint actions the 1/p weights of VW's contextual-bandit reductions saturate and teach almost
nothing. The start bias enters through the label's ``initial``, so that an unlearned model sends.

Vowpal Wabbit is an extra of the distribution: it is imported when the first workspace is made.

References
----------
McMahan et al. (2013), Ad Click Prediction: a View from the Trenches (FTRL-proximal).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from policies.extras import describe_missing
from policies.models.features import FEATURES_VERSION, PAIRS, SHARED

if TYPE_CHECKING:
    from vowpal_wabbit_next import Workspace

BITS = 20
"""Width of the weight table, 2^20: the tokens of a catalogue do not collide at this width."""

POSITIVE_START, OUT_START = -3.0, -6.0
"""Start biases in logits: a positive outcome in 4.7 % of sends, an opt-out in 0.25 %."""

_COMMON = (
    *("--quiet", "--preserve_performance_counters", "--noconstant", "--loss_function", "logistic"),
    *("-b", str(BITS)),
    *(part for pair in PAIRS for part in ("-q", pair)),
    *(part for namespace in SHARED for part in ("--ignore_linear", namespace)),
)
_POSITIVE = (*_COMMON, "--ftrl", "--ftrl_alpha", "0.2", "--ftrl_beta", "2")
_OUT = (*_COMMON, "--ftrl", "--ftrl_alpha", "0.1", "--ftrl_beta", "2")

OPTIONS: dict[str, str | int | float] = {
    "features": FEATURES_VERSION,
    "bits": BITS,
    "positive": " ".join(_POSITIVE),
    "out": " ".join(_OUT),
    "positive_start": POSITIVE_START,
    "out_start": OUT_START,
}
"""Everything on which the meaning of the weights depends."""


class VwMissing(ImportError):
    """Vowpal Wabbit is not installed."""


def import_vw() -> ModuleType:
    """Return the library.

    Raises
    ------
    VwMissing
        When it is not installed; the message names the command that installs it.
    """
    try:
        import vowpal_wabbit_next
    except ImportError as error:
        raise VwMissing(describe_missing("Vowpal Wabbit", "vw")) from error
    return vowpal_wabbit_next


@dataclass(frozen=True)
class HeadWeights:
    """The weights of a head that are not zero: indices (w,) increasing, values (w,)."""

    indices: NDArray[np.uint32]
    values: NDArray[np.float32]


class TwoHeads:
    """The learning model: two workspaces that see the same examples.

    Raises
    ------
    VwMissing
        When Vowpal Wabbit is not installed.

    Examples
    --------
    >>> heads = TwoHeads()
    >>> heads.learn("|m m_hint |k k_1", positive=True, opted_out=False)
    >>> positive, out = heads.logits("|m m_hint |k k_1")
    >>> positive > POSITIVE_START and out < OUT_START
    True
    """

    def __init__(self, positive: bytes | None = None, out: bytes | None = None) -> None:
        vw = import_vw()
        self._positive: Workspace[Any] = vw.Workspace(list(_POSITIVE), model_data=positive)
        self._out: Workspace[Any] = vw.Workspace(list(_OUT), model_data=out)
        self._parser = vw.TextFormatParser(self._positive)
        self._make_label = vw.SimpleLabel

    def learn(self, text: str, *, positive: bool, opted_out: bool) -> None:
        """Take one step on a chosen joint action and its outcome."""
        for head, happened, start in (
            (self._positive, positive, POSITIVE_START),
            (self._out, opted_out, OUT_START),
        ):
            example = self._parser.parse_line(text)
            example.set_label(self._make_label(1.0 if happened else -1.0, 1.0, start))
            head.learn_one(example)

    def logits(self, text: str) -> tuple[float, float]:
        """Return both logits as Vowpal Wabbit itself predicts them, start biases included."""
        example = self._parser.parse_line(text)
        return (
            _logit(self._positive.predict_one(example)) + POSITIVE_START,
            _logit(self._out.predict_one(example)) + OUT_START,
        )

    def weights(self) -> tuple[HeadWeights, HeadWeights]:
        """Return the weights of both heads that are not zero."""
        return _weights(self._positive), _weights(self._out)

    def to_bytes(self) -> bytes:
        """Return both heads as bytes, from which learning continues exactly as from the heads themselves."""
        positive, out = self._positive.serialize(), self._out.serialize()
        return struct.pack("<Q", len(positive)) + positive + out

    @classmethod
    def from_bytes(cls, data: bytes) -> TwoHeads:
        """Return the heads that `to_bytes` saved."""
        (size,) = struct.unpack_from("<Q", data)
        return cls(data[8 : 8 + size], data[8 + size :])


def _logit(prediction: object) -> float:
    if not isinstance(prediction, float):
        raise TypeError(f"a logistic head predicts a number, not {prediction!r}")
    return prediction


def _weights(head: Workspace[Any]) -> HeadWeights:
    table = np.asarray(head.weights())[:, 0, 0]
    indices = np.flatnonzero(table != 0.0)  # three times as fast as on the table itself, which is not contiguous
    return HeadWeights(indices.astype(np.uint32), table[indices].astype(np.float32))
