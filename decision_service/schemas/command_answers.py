"""Answers to commands and to probes; the answer to a decision has a module of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from decision_service.errors import FieldError
from decision_service.schemas.decision_answer import Instant

ItemStatus = Literal["accepted", "duplicate", "late", "unknown", "invalid"]


class ItemAnswer(msgspec.Struct, frozen=True):
    """What became of one item of a list."""

    status: Annotated[
        ItemStatus,
        Meta(
            description="`late`: the outcome missed the attribution window; `unknown`: there is no such decision yet, "
            "the outcome is kept for it; `invalid`: the item was not stored."
        ),
    ]
    field: Annotated[str | UnsetType, Meta(description="The wrong field of an `invalid` item.")] = UNSET
    message: Annotated[str | UnsetType, Meta(description="What is wrong with the field.")] = UNSET

    @classmethod
    def invalid(cls, error: FieldError) -> ItemAnswer:
        """Refuse an item because of one field."""
        return cls("invalid", error.field, error.message)


class ItemsAnswer(msgspec.Struct, frozen=True):
    """What became of the items of a list, in their order."""

    accepted: Annotated[int, Meta(description="How many items were stored: all but the `invalid` ones.")]
    results: Sequence[ItemAnswer]


class PermissionAnswer(msgspec.Struct, frozen=True):
    """Whether a send may leave now."""

    deliver: bool
    reason: Annotated[
        str | UnsetType,
        Meta(
            description="Why it may not: the code of a rule, or `cancelled`, `superseded`, `erased`, `bounced`, "
            "`too_early`, `expired`."
        ),
    ] = UNSET
    send_at: Annotated[
        Instant | UnsetType, Meta(description="Of `too_early`: the send time. Ask again then; the place stays.")
    ] = UNSET


class CancellationAnswer(msgspec.Struct, frozen=True):
    """The send was taken back."""

    event_id: str
    cancelled: bool = True


class CatalogueWarning(msgspec.Struct, frozen=True):
    """A name that the catalogue dropped although it is in use."""

    path: Annotated[str, Meta(examples=["channels.email"])]
    message: str
    shoppers: Annotated[int, Meta(description="The shoppers whose preferences name it.")]
    sends: Annotated[int, Meta(description="The sends whose attribution windows are open today or later.")]


class CatalogueVersionAnswer(msgspec.Struct, frozen=True):
    """The version of the catalogue that is now in force on every replica."""

    version: int
    warnings: Annotated[
        Sequence[CatalogueWarning] | UnsetType, Meta(description="Dropped names that are in use, if there are any.")
    ] = UNSET


class ClockAnswer(msgspec.Struct, frozen=True):
    """The time that was reached, and the model version that every replica serves."""

    now: Instant
    version: int


class AliveAnswer(msgspec.Struct, frozen=True):
    """The process answers."""

    status: Literal["alive"] = "alive"


class ReadyAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Every part that a decision needs is at hand."""

    status: Literal["ready"] = "ready"
    state: bool
    log: bool
    model: bool
    clock: Literal["wall", "request"]
    fresh: Annotated[bool, Meta(description="The log holds no more than what a start writes.")]
