"""Extras: what a library is installed with that the core of the distribution does not bring."""

from __future__ import annotations

_DISTRIBUTION = "notification-decision-service"


def describe_missing(library: str, extra: str) -> str:
    """Return that a library is missing, with the command that installs it.

    >>> describe_missing("scikit-learn", "models")
    "scikit-learn is not installed: pip install 'notification-decision-service[models]'"
    """
    return f"{library} is not installed: pip install '{_DISTRIBUTION}[{extra}]'"
