"""The document of an error (RFC 9457)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from decision_service.errors import FieldError


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """A problem document (RFC 9457)."""

    type: str = "about:blank"
    title: Annotated[str, Meta(description="The name of the status.")]
    status: int
    detail: Annotated[str, Meta(description="One sentence for the developer who reads it.")]
    errors: Annotated[Sequence[FieldError], Meta(description="The fields that are wrong, by their path.")]
    applied: Annotated[
        Sequence[str] | UnsetType,
        Meta(description="Of refused preferences: the paths that are withheld all the same."),
    ] = UNSET
