"""What the heads see of one request: tokens and numbers; some differ by the send's time, channel or category."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from policies.heads.crossings import DELAY, NUMBERS

SlotValue = str | int
"""The value of a slot: the name of a message, category or channel, or a delay in seconds."""

_HALF_DAY_S = 43_200.0
_MOST_HALF_DAYS = 4.0
_NOTHING: Mapping[SlotValue, float] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Features:
    """The features of a request, or of one trigger of a request.

    Parameters
    ----------
    tokens
        Name in `crossings.TOKENS` → the tokens, each once, in a fixed order. A name without tokens counts for nothing.
    moments
        Name in `crossings.MOMENTS` → delay in seconds → the token at the time of the send.
    numbers
        Name in `crossings.NUMBERS` → the number that holds for every send. A number that is missing is 0.
    slot_numbers
        The same for numbers that differ by a slot → value of the slot → the number.

    Examples
    --------
    >>> features = Features(numbers={"own": 0.4}, slot_numbers={"load": {0: 1.5, 3600: 1.4}})
    >>> features.number("own", 3600), features.number("load", 3600), features.number("delay", 21_600)
    (0.4, 1.4, 0.5)
    """

    tokens: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    moments: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    numbers: Mapping[str, float] = field(default_factory=dict)
    slot_numbers: Mapping[str, Mapping[SlotValue, float]] = field(default_factory=dict)

    def number(self, name: str, value: SlotValue) -> float:
        """Return a number for a value of the slot by which it differs. ``delay`` is in half days, at most 4."""
        return self.numbers_of(name, (value,))[0]

    def numbers_of(self, name: str, values: Sequence[SlotValue]) -> list[float]:
        """Return a number for each value of the slot by which it differs."""
        if name == DELAY:
            return [min(float(value) / _HALF_DAY_S, _MOST_HALF_DAYS) for value in values]
        if NUMBERS[name] is None:
            return [self.numbers.get(name, 0.0)] * len(values)
        by_value = self.slot_numbers.get(name, _NOTHING)
        return [by_value.get(value, 0.0) for value in values]
