"""Ranges: how one number or one rule of a world is drawn."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Drawn = float | str | bool

_UNIT = 2.0**-53


@dataclass(frozen=True)
class Range:
    """A number between two bounds.

    Attributes
    ----------
    name
        The place of the number in a scenario, as in a scenario's document: ``parameters.margin``.
    distribution
        ``uniform``, or ``log-uniform``: the logarithm is uniform.
    source
        A publication, or ``judgement``: no usable number is published.
    """

    name: str
    low: float
    high: float
    distribution: Literal["uniform", "log-uniform"] = "uniform"
    source: str = "judgement"

    def __post_init__(self) -> None:
        least = 0.0 if self.distribution == "log-uniform" else -math.inf
        if not least < self.low < self.high < math.inf:
            raise ValueError(f"{self.name} must have bounds in order, above {least:g}, not {self.low} and {self.high}")

    def draw(self, world: int) -> float:
        """Return the number of a world, with six significant digits: so that it is the same on every machine."""
        share = uniform_of(world, self.name)
        if self.distribution == "log-uniform":
            value = self.low * math.exp(share * math.log(self.high / self.low))
        else:
            value = self.low + share * (self.high - self.low)
        return min(self.high, max(self.low, float(f"{value:.6g}")))


@dataclass(frozen=True)
class Choice:
    """One of several rules, each with the same probability."""

    name: str
    options: Sequence[str | bool]
    source: str = "judgement"

    def draw(self, world: int) -> str | bool:
        """Return the rule of a world."""
        return self.options[int(uniform_of(world, self.name) * len(self.options))]


def uniform_of(world: int, name: str) -> float:
    """Return a number in [0, 1) that depends on the world and the name alone: another row changes no other row.

    >>> uniform_of(60, "parameters.margin") == uniform_of(60, "parameters.margin")
    True
    """
    digest = hashlib.blake2b(f"family {world} {name}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "little") >> 11) * _UNIT
