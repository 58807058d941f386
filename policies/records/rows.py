"""The rows of the log: the facts from which shopper states, learning and reports are folded.

A row is immutable and complete: a decision row alone is enough to redraw, explain and evaluate the decision. Times are
seconds since the epoch, UTC. ``at`` is the row's own time (the server's clock, or the request's ``now``), never the
``at`` of a caller.
"""

from __future__ import annotations

import base64
import binascii
import sys
import zlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, ClassVar, Literal

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType
from numpy.typing import NDArray

from policies.records.outcomes import OutcomeType
from policies.records.quiet_hours import QuietHours
from policies.records.shopper_numbers import ShopperNumbers

Scalar = str | float | int | bool
Context = Mapping[str, Scalar]
FALLBACK = "fallback"
"""The mode of the business rule when it answers because no model can be used."""
ACTIVATION_GRACE_S = 3_600.0
"""How long after its send time a send may still be activated. A deferred send that nobody activated by then has
expired and no longer counts."""


class TriggerRecord(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What happened to the shopper, with the catalogue's defaults filled in.

    Parameters
    ----------
    category, price
        The category and the price of the product, kept for learning when the attributes were erased; empty and 0 where
        the attributes say them.
    occurred_at
        When it happened, None for the time of the decision.
    ends_on
        The types of shopper events that end the trigger.
    """

    type: str
    priority: int
    expires_at: float
    critical: bool = False
    attributes: dict[str, Scalar] = {}
    category: str = ""
    occurred_at: float | None = None
    ends_on: tuple[str, ...] = ()
    price: float = 0.0

    @property
    def product_category(self) -> str | None:
        """The category of the product that the trigger is about, None when it is not known or empty."""
        category = self.attributes.get("category")
        return (category if isinstance(category, str) else self.category) or None

    @property
    def product_price(self) -> float | None:
        """The price of the product that the trigger is about; None where no price above 0 is known."""
        price = self.attributes.get("price", self.price)
        if isinstance(price, bool | str) or not 0.0 < price <= sys.float_info.max:
            return None
        return float(price)

    def time(self, decided_at: float) -> float:
        """Return when it happened."""
        return decided_at if self.occurred_at is None else self.occurred_at


class PolicyRecord(msgspec.Struct, frozen=True, gc=False):
    """The policy that answered: its name, model version and mode."""

    name: str
    version: int
    mode: str


class DecisionRow(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, tag="decision", tag_field="row"):
    """One answered request: the whole snapshot that it was decided on.

    ``verdicts`` packs one byte per joint action of the catalogue version (see `policies.records.reasons.Reason`).
    ``probabilities`` packs the float64 distribution over the eligible set in the order of joint action numbers, HOLD
    last. ``drawn`` is the number of the drawn joint action; HOLD's is the number of sends. A drawn send that did not
    leave (lost race) keeps its propensity, and its ``send_at`` is empty. A ``deferred`` send counts as sent only once
    it was activated. ``cost`` is the cost of the send. ``rules_version`` names the rules (`RuleTable.version`; the
    first three versions were counted 1 to 3). ``p_out`` and ``p_click`` are the predicted probabilities of an opt-out
    and of a click, 0 for HOLD; None where the policy predicts none. ``numbers`` are the numbers about the shopper that
    the policy saw. All three are None where no send was eligible; rows of earlier versions have neither ``p_click`` nor
    ``numbers``.
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
    category: str | None = None
    delay_s: int | None = None
    propensity: float | None = None
    p_out: float | None = None
    p_click: float | None = None
    hold_reason: str | None = None
    send_at: float | None = None
    window_ends_at: float | None = None
    cost: float = 0.0
    deferred: bool = False
    numbers: ShopperNumbers | None = None

    kind: ClassVar[str] = "decision"

    @property
    def is_delivered(self) -> bool:
        """Whether a send left (or will, at ``send_at``)."""
        return self.send_at is not None

    @property
    def is_critical(self) -> bool:
        """Whether the drawn send answers a critical trigger."""
        return self.drawn_trigger is not None and self.triggers[self.drawn_trigger].critical

    @property
    def ends_on(self) -> tuple[str, ...]:
        """The types of shopper events that end the trigger of the drawn send."""
        return () if self.drawn_trigger is None else self.triggers[self.drawn_trigger].ends_on

    @property
    def product_category(self) -> str | None:
        """The category of the product that the drawn send is about, None when it is not known."""
        return None if self.drawn_trigger is None else self.triggers[self.drawn_trigger].product_category

    @property
    def occurred_at(self) -> float | None:
        """When the trigger of the drawn send occurred; None where nothing ends it."""
        return self.triggers[self.drawn_trigger or 0].time(self.at) if self.ends_on else None


class ActivationRow(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, tag="activation", tag_field="row"):
    """The caller was about to send and asked again: the send may leave (``deliver``), or may not for a reason.

    ``left_at`` is when the send left. Rows of earlier versions lack it: their sends leave at the send time, or at the
    row's time where the send time has passed.
    """

    at: float
    event_id: str
    shopper_id: str
    deliver: bool
    reason: str | None = None
    left_at: float | None = None

    kind: ClassVar[str] = "activation"


class CancellationRow(msgspec.Struct, frozen=True, gc=False, tag="cancellation", tag_field="row"):
    """The caller will not send: the send no longer counts."""

    at: float
    event_id: str
    shopper_id: str

    kind: ClassVar[str] = "cancellation"


class OutcomeRow(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, tag="outcome", tag_field="row"):
    """A later fact about a decision. Shopper and channel are empty while the decision is unknown.

    Parameters
    ----------
    aliases
        The other names of the channel in the catalogue, if the channel was renamed: a withdrawal of consent is about
        all of them.
    machine
        A scanner opened or clicked, and not the shopper: the outcome is reported, and counts nowhere else.
    permanent
        Of a bounce: the channel does not reach the shopper any more.
    dated
        Of a sum of money: whether the caller said when it happened; None in rows of earlier versions.
    is_copy
        The outcome was logged before its decision, and this row repeats it behind the decision: only the first row is
        counted and paid. Rows of earlier versions do not say so; none of them repeats a sum of money of a send that is
        counted.
    """

    at: float
    event_id: str
    type: OutcomeType
    occurred_at: float
    value: float = 0.0
    feedback_id: str | None = None
    shopper_id: str | None = None
    channel: str | None = None
    aliases: tuple[str, ...] = ()
    machine: bool = False
    permanent: bool = False
    dated: bool | None = None
    is_copy: bool = False

    kind: ClassVar[str] = "outcome"

    @property
    def has_date(self) -> bool:
        """Whether the caller said when it happened."""
        return self.occurred_at != self.at if self.dated is None else self.dated


class EventRow(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, tag="event", tag_field="row"):
    """Something a shopper did. ``id`` is the caller's, unique per shopper and type."""

    at: float
    shopper_id: str
    type: str
    occurred_at: float
    attributes: dict[str, Scalar] = {}
    id: str | None = None

    kind: ClassVar[str] = "event"


class PreferencesRow(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, tag="preferences", tag_field="row"):
    """A change of a shopper's preferences.

    Absent fields (`UNSET`) and channels keep their value; null goes back to the catalogue's default. A channel or
    category that was renamed stands under all its names. ``stated_at`` is the date of the shopper's words, None where
    that is ``at``.
    """

    at: float
    shopper_id: str
    consent: dict[str, bool | None] = {}
    time_zone: str | UnsetType | None = UNSET
    locale: str | UnsetType | None = UNSET
    reachable: dict[str, bool | None] = {}
    muted_categories: tuple[str, ...] | UnsetType = UNSET
    max_per_week: int | UnsetType | None = UNSET
    quiet_hours: QuietHours | UnsetType | None = UNSET
    subscribed: bool | UnsetType | None = UNSET
    stated_at: float | None = None

    kind: ClassVar[str] = "preferences"


class ErasureRow(msgspec.Struct, frozen=True, tag="erasure", tag_field="row"):
    """A shopper was erased: earlier rows carry the pseudonym ``shopper_id`` instead of the id.

    ``key`` is the salted hash of the id. It withholds consent on every channel until preferences grant that channel.
    ``open_event_ids`` are the decisions whose attribution windows had not ended: sends after ``at`` are void, the
    others are learned from under the pseudonym. ``stated_at`` is the date of the erasure where that is not ``at``.
    """

    at: float
    shopper_id: str
    key: str
    open_event_ids: tuple[str, ...] = ()
    stated_at: float | UnsetType = UNSET

    kind: ClassVar[str] = "erasure"


class CatalogueRow(msgspec.Struct, frozen=True, omit_defaults=True, tag="catalogue", tag_field="row"):
    """A catalogue that came into force. Later decisions name its version.

    ``source`` says whether the catalogue came from the file that the service was started with, or over HTTP.
    """

    at: float
    version: int
    document: dict[str, Any]
    source: Literal["file", "api"] = "file"

    kind: ClassVar[str] = "catalogue"


class ClockRow(msgspec.Struct, frozen=True, tag="clock", tag_field="row"):
    """Time has reached ``at``: windows close although nothing else arrived."""

    at: float

    kind: ClassVar[str] = "clock"


class ClockCorrectionRow(msgspec.Struct, frozen=True, tag="clock_correction", tag_field="row"):
    """The log's time was ahead of the clock: from this row on, time is counted from ``at``."""

    at: float

    kind: ClassVar[str] = "clock_correction"


class FenceRow(msgspec.Struct, frozen=True, tag="fence", tag_field="row"):
    """The state store starts a new incarnation: reservations of earlier incarnations are void."""

    at: float

    kind: ClassVar[str] = "fence"


ShopperRow = DecisionRow | ActivationRow | CancellationRow | OutcomeRow | EventRow | PreferencesRow | ErasureRow
Row = ShopperRow | CatalogueRow | ClockRow | ClockCorrectionRow | FenceRow

SHOPPER_ROWS = (DecisionRow, ActivationRow, CancellationRow, OutcomeRow, EventRow, PreferencesRow, ErasureRow)
"""The types of the rows that are about one shopper."""

_BASE64 = ":"
"""What a packed array begins with; no text in base85 has a colon."""

_WINDOW_BITS, _MEMORY_LEVEL = -12, 4
"""Of deflate: without header and checksum, and with little memory to prepare for short texts."""

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Row] = msgspec.json.Decoder(Row)


def encode(row: Row) -> bytes:
    """Return a row as JSON.

    >>> encode(ClockRow(at=12.5))
    b'{"row":"clock","at":12.5}'
    """
    return _encoder.encode(row)


def decode(body: bytes) -> Row:
    """Return the row that `encode` wrote."""
    return _decoder.decode(body)


def pack(array: NDArray[Any]) -> str:
    """Compress an array into text. Distributions repeat few values, so the text is about 20 times smaller."""
    return _pack(array.tobytes())


@lru_cache(maxsize=2_048)
def _pack(data: bytes) -> str:
    """Return a colon and the deflated bytes in base64; equal arrays are common, and packed once."""
    deflating = zlib.compressobj(1, zlib.DEFLATED, _WINDOW_BITS, _MEMORY_LEVEL)
    deflated = deflating.compress(data) + deflating.flush()
    return f"{_BASE64}{binascii.b2a_base64(deflated, newline=False).decode()}"


def unpack(text: str, dtype: type[np.generic]) -> NDArray[Any]:
    """Return the array that `pack` wrote. Rows of earlier versions have zlib's format in base85, without the colon.

    >>> unpack(pack(np.array([0.25, 0.75])), np.float64)
    array([0.25, 0.75])
    >>> unpack("cmZQz0D%kkV2a^|Jpc@L0yh", np.float64)
    array([0.25, 0.75])
    """
    if text.startswith(_BASE64):
        data = zlib.decompress(binascii.a2b_base64(text[1:], strict_mode=True), _WINDOW_BITS)
    else:
        data = zlib.decompress(base64.b85decode(text))
    return np.frombuffer(data, dtype=dtype)
