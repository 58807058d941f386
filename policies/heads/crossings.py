"""Crossings: the kinds of weights that a head may have, and the keys of the weights.

A crossing is written as a product of parts, for instance ``trigger × message`` or ``#presence × channel``:

========  =================================  ================================================================
part      names                              a weight of its own for each …
========  =================================  ================================================================
slot      `SLOTS`                            value of the joint action's slot; ``category`` is the message's
moment    `MOMENTS`                          token that the request has for the delay, for instance its hour
token     `TOKENS`, at most two              token of the request, for instance its trigger
number    ``#`` and a name in `NUMBERS`      nothing: the weight is multiplied by the number
========  =================================  ================================================================

``base`` has no part: its single weight counts for every send. The key of a weight holds the name of its crossing and
the values of the parts, as text. Keys are exact, so no two weights ever collide.
"""

from __future__ import annotations

from dataclasses import dataclass

SLOTS = ("message", "category", "channel", "delay")
MOMENTS = ("hour", "load_level")
TOKENS = ("trigger", "segment", "product_category", "streak", "caller")

NUMBERS: dict[str, str | None] = {
    "delay": "delay",
    "presence": "delay",
    "load": "delay",
    "load_squared": "delay",
    "topic_load": "delay",
    "own": None,
    "own_channel": "channel",
    "own_category": "category",
    "affinity": None,
}
"""Number → the slot by whose value the number differs; None where one number holds for all sends of a request."""

DELAY = "delay"
"""The number that the joint action itself has."""
BASE = "base"
TIMES = " × "

Key = tuple[str | int, ...]
"""The name of a crossing, the values of its slots, the token of its moment, its tokens."""


@dataclass(frozen=True)
class Crossing:
    """The parts of a product: slots and tokens in the order of `SLOTS` and `TOKENS`, and at most one moment and number.

    >>> Crossing.parse("#presence × channel")
    Crossing(name='#presence × channel', slots=('channel',), moment=None, tokens=(), number='presence')
    >>> Crossing.parse("colour × channel")
    Traceback (most recent call last):
    ValueError: 'colour × channel': 'colour' is no slot, moment, token or number
    """

    name: str
    slots: tuple[str, ...] = ()
    moment: str | None = None
    tokens: tuple[str, ...] = ()
    number: str | None = None

    @classmethod
    def parse(cls, name: str) -> Crossing:
        """Return the crossing of a name.

        Raises
        ------
        ValueError
            Naming the part that is unknown or one too many.
        """
        parts = [] if name == BASE else name.split(TIMES)
        for part in parts:
            if not (part in SLOTS or part in MOMENTS or part in TOKENS or (part[:1] == "#" and part[1:] in NUMBERS)):
                raise ValueError(f"{name!r}: {part!r} is no slot, moment, token or number")
        if len({*parts}) < len(parts):
            raise ValueError(f"{name!r} has a part twice")
        moment = _single(name, "moment", [part for part in parts if part in MOMENTS])
        tokens = tuple(token for token in TOKENS if token in parts)
        if len(tokens) > 2:
            raise ValueError(f"{name!r} has more than two tokens")
        number = _single(name, "number", [part[1:] for part in parts if part.startswith("#")])
        return cls(name, tuple(slot for slot in SLOTS if slot in parts), moment, tokens, number)

    @property
    def axis(self) -> str | None:
        """The slot by whose value the number differs."""
        return None if self.number is None else NUMBERS[self.number]

    @property
    def axes(self) -> frozenset[str]:
        """The slots of the joint action on which the contribution to a logit depends."""
        by_moment = () if self.moment is None else ("delay",)
        by_number = () if self.axis is None else (self.axis,)
        return frozenset({*self.slots, *by_moment, *by_number})


def _single(name: str, kind: str, parts: list[str]) -> str | None:
    if len(parts) > 1:
        raise ValueError(f"{name!r} has more than one {kind}")
    return parts[0] if parts else None
