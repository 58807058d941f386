"""The rows of the log: every fact the folds (shopper state, learning, reports) are made of.

A row is immutable and complete: from a decision row alone the decision can be redrawn, explained and
evaluated under another policy. Times are seconds since the epoch, UTC; ``at`` is the row's own time
(the server's clock, or the request's ``now``), never a caller's ``at``.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

Scalar = str | float | int | bool
Context = Mapping[str, Scalar]
OutcomeType = Literal["delivered", "open", "click", "conversion", "ignore", "opt_out", "complaint", "bounce"]
WITHDRAWALS: frozenset[str] = frozenset({"opt_out", "complaint"})


class TriggerRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """What happened to the shopper, with the catalogue's defaults filled in."""

    type: str
    priority: int
    expires_at: float
    critical: bool = False
    attributes: dict[str, Scalar] = {}


class PolicyRecord(msgspec.Struct, frozen=True):
    """Which policy answered: its name, model version and mode."""

    name: str
    version: int
    mode: str


class DecisionRow(msgspec.Struct, frozen=True, omit_defaults=True, tag="decision", tag_field="row"):
    """One answered request: the whole snapshot it was decided on.

    ``verdicts`` packs one byte per joint action of the catalogue version (see `guardrails.Reason`),
    ``probabilities`` the float64 distribution over the eligible set in the order of joint action
    numbers, HOLD last; ``drawn`` is the joint action number (HOLD's is the number of sends).
    A drawn send that did not leave (lost race) keeps its propensity and has ``send_at`` empty.
    """

    at: float
    event_id: str
    shopper_id: str
    fingerprint: str
    triggers: tuple[TriggerRecord, ...]
    context: dict[str, Scalar]
    catalogue_version: int
    rules_version: int
    policy: PolicyRecord
    arm: str
    answer: str
    verdicts: str = ""
    probabilities: str = ""
    hold_eligible: bool = False
    drawn: int | None = None
    drawn_trigger: int | None = None
    message: str | None = None
    channel: str | None = None
    delay_s: int | None = None
    propensity: float | None = None
    p_out: float | None = None
    hold_reason: str | None = None
    send_at: float | None = None
    window_ends_at: float | None = None

    kind: ClassVar[str] = "decision"

    @property
    def is_delivered(self) -> bool:
        """Whether a send left (or will, at ``send_at``)."""
        return self.send_at is not None


class OutcomeRow(msgspec.Struct, frozen=True, omit_defaults=True, tag="outcome", tag_field="row"):
    """A raw later fact about a decision; shopper and channel are empty while the decision is unknown."""

    at: float
    event_id: str
    type: OutcomeType
    occurred_at: float
    value: float = 0.0
    feedback_id: str | None = None
    shopper_id: str | None = None
    channel: str | None = None

    kind: ClassVar[str] = "outcome"


class EventRow(msgspec.Struct, frozen=True, omit_defaults=True, tag="event", tag_field="row"):
    """Something a shopper did."""

    at: float
    shopper_id: str
    type: str
    occurred_at: float
    attributes: dict[str, Scalar] = {}

    kind: ClassVar[str] = "event"


class PreferencesRow(msgspec.Struct, frozen=True, omit_defaults=True, tag="preferences", tag_field="row"):
    """A change of a shopper's preferences; absent fields and channels keep their value."""

    at: float
    shopper_id: str
    consent: dict[str, bool] = {}
    time_zone: str | None = None
    locale: str | None = None

    kind: ClassVar[str] = "preferences"


class CatalogueRow(msgspec.Struct, frozen=True, tag="catalogue", tag_field="row"):
    """A catalogue that came into force; later decisions name its version."""

    at: float
    version: int
    document: dict[str, Any]

    kind: ClassVar[str] = "catalogue"


class ClockRow(msgspec.Struct, frozen=True, tag="clock", tag_field="row"):
    """Time has reached ``at``: windows close although nothing else arrived."""

    at: float

    kind: ClassVar[str] = "clock"


class FenceRow(msgspec.Struct, frozen=True, tag="fence", tag_field="row"):
    """The state store starts a new incarnation: reservations made in an earlier one are void."""

    at: float

    kind: ClassVar[str] = "fence"


Row = DecisionRow | OutcomeRow | EventRow | PreferencesRow | CatalogueRow | ClockRow | FenceRow
ShopperRow = DecisionRow | OutcomeRow | EventRow | PreferencesRow

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Row] = msgspec.json.Decoder(Row)


def encode(row: Row) -> bytes:
    """Write a row as JSON.

    >>> encode(ClockRow(at=12.5))
    b'{"row":"clock","at":12.5}'
    """
    return _encoder.encode(row)


def decode(body: bytes) -> Row:
    """Read back what `encode` wrote."""
    return _decoder.decode(body)


def pack(array: NDArray[Any]) -> str:
    """Squeeze an array into text: distributions repeat few values, so this is ~20 times smaller."""
    return base64.b85encode(zlib.compress(array.tobytes(), 1)).decode()


def unpack(text: str, dtype: type[np.generic]) -> NDArray[Any]:
    """Read back what `pack` wrote.

    >>> unpack(pack(np.array([0.25, 0.75])), np.float64)
    array([0.25, 0.75])
    """
    return np.frombuffer(zlib.decompress(base64.b85decode(text)), dtype=dtype)
