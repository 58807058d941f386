"""What the heads have learned, as it is saved and published."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from policies.heads.tables import TABLES_VERSION, HeadTable


class HeadsMismatch(ValueError):
    """The heads were learned with other tables than those of this code; the message names the difference."""


class HeadsSnapshot(msgspec.Struct, frozen=True):
    """The posterior of all weights.

    Parameters
    ----------
    tables_version, priors
        What the heads looked at: the version, and for each head its bias and the prior of each line.
    tokens
        The tokens that were admitted, by name in `crossings.TOKENS`, in the order of their admission.
    keys
        The keys of the weights, in the order in which the weights were first needed.
    heads
        For each head the numbers of its learned weights (uint32), their means and their information (float64), as
        bytes.
    day
        The day, counted from the epoch, up to which the heads have forgotten; None before the first.
    """

    tables_version: int
    priors: dict[str, tuple[float, dict[str, tuple[float, float]]]]
    tokens: dict[str, list[str]]
    keys: list[tuple[str | int, ...]]
    heads: dict[str, tuple[bytes, bytes, bytes]]
    day: int | None = None

    def to_bytes(self) -> bytes:
        """Return the snapshot as MessagePack; equal snapshots have equal bytes."""
        return msgspec.msgpack.encode(self)

    @classmethod
    def from_bytes(cls, data: bytes) -> HeadsSnapshot:
        """Return the snapshot that `to_bytes` wrote.

        Raises
        ------
        HeadsMismatch
            When the bytes hold no snapshot.
        """
        try:
            return msgspec.msgpack.decode(data, type=cls)
        except msgspec.DecodeError as error:
            raise HeadsMismatch(f"these bytes are no heads: {error}") from None

    def check(self, tables: Sequence[HeadTable]) -> None:
        """Refuse tables that differ from those that the heads were learned with.

        Raises
        ------
        HeadsMismatch
            Naming the version, the head or the line that differs.
        """
        if self.tables_version != TABLES_VERSION:
            raise HeadsMismatch(f"the heads have tables of version {self.tables_version}, here it is {TABLES_VERSION}")
        theirs, ours = self.priors, priors_of(tables)
        for head in sorted({*theirs, *ours}):
            if head not in theirs or head not in ours:
                raise HeadsMismatch(f"the head {head!r} is only {'here' if head in ours else 'in what was learned'}")
            (their_bias, their_lines), (our_bias, our_lines) = theirs[head], ours[head]
            if their_bias != our_bias:
                raise HeadsMismatch(f"the head {head!r} was learned with bias {their_bias}, here it is {our_bias}")
            for line in sorted({*their_lines, *our_lines}):
                if their_lines.get(line) != our_lines.get(line):
                    raise HeadsMismatch(
                        f"the line {line!r} of the head {head!r} was learned with {their_lines.get(line)}, "
                        f"here it is {our_lines.get(line)}"
                    )


def priors_of(tables: Sequence[HeadTable]) -> dict[str, tuple[float, dict[str, tuple[float, float]]]]:
    """Return the bias and the priors of each head, as a snapshot holds them."""
    return {table.name: (table.bias, {line: (*prior,) for line, prior in table.lines.items()}) for table in tables}
