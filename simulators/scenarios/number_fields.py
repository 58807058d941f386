"""Fields that hold a number of the world: each has a meaning and a source, and the range of possible values."""

from __future__ import annotations

import math
from dataclasses import field, fields
from typing import Any

JUDGEMENT = "judgement"


def number(
    default: float,
    meaning: str,
    source: str = JUDGEMENT,
    *,
    least: float = 0.0,
    most: float = math.inf,
    above_zero: bool = False,
) -> Any:
    """Return a field of a dataclass for a number between ``least`` and ``most``; ``above_zero`` excludes 0."""
    metadata = {"meaning": meaning, "source": source, "least": least, "most": most, "above_zero": above_zero}
    return field(default=default, metadata=metadata)


def probability(default: float, meaning: str, source: str = JUDGEMENT) -> Any:
    """Return a field of a dataclass for a number between 0 and 1."""
    return number(default, meaning, source, most=1.0)


def number_names(part: Any) -> tuple[str, ...]:
    """Return the names of the numbers of a dataclass or of its instance."""
    return tuple(one.name for one in fields(part) if "meaning" in one.metadata)


def check_numbers(part: Any) -> None:
    """Refuse an instance with an impossible number.

    Raises
    ------
    ValueError
        When a number is not finite or outside its range; the message names the number.
    """
    for one in fields(part):
        if "meaning" not in one.metadata:
            continue
        value, least, most = getattr(part, one.name), one.metadata["least"], one.metadata["most"]
        if not least <= value <= most:
            raise ValueError(f"{one.name} must lie between {least:g} and {most:g}, not {value}")
        if not math.isfinite(value):
            raise ValueError(f"{one.name} must be a finite number, not {value}")
        if one.metadata["above_zero"] and value == 0.0:
            raise ValueError(f"{one.name} must be above 0")
