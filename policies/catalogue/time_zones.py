"""Time zones in which a shopper can live: those of the IANA database.

A machine may know further names (``localtime``, ``posixrules``, ``right/…``). They mean something else on another
machine, or count leap seconds, so they are refused; and so is ``Factory``, which stands for a zone that nobody has set.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_NO_PLACE = frozenset({"Factory"})


@cache
def time_zones() -> frozenset[str]:
    """Return the names of all time zones that the IANA database lists."""
    names = (files("tzdata") / "zones").read_text(encoding="utf-8").split()
    return frozenset(names) - _NO_PLACE


def is_time_zone(name: str) -> bool:
    """Return whether a time zone can be a shopper's.

    >>> is_time_zone("Europe/Madrid"), is_time_zone("localtime"), is_time_zone("right/Europe/Madrid")
    (True, False, False)
    """
    return name in time_zones()


@cache
def load_zone(name: str) -> ZoneInfo:
    """Return the time zone of a name, UTC where this machine has no such zone.

    Earlier versions stored zones that only their machine knew. Such a shopper must not fail on another machine.

    >>> load_zone("Europe/Madrid").key, load_zone("Mars/Base").key
    ('Europe/Madrid', 'UTC')
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")
