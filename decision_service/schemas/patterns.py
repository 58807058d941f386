"""Patterns of texts, and what a caller is told of a text that does not match: nobody reads a regular expression."""

from __future__ import annotations

PRINTABLE = r"^[^\x00-\x1f\x7f]+$"
TIME_OF_DAY = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"
LOCALE = r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$"
CURRENCY = r"^[A-Z]{3}$"

MESSAGES = {
    PRINTABLE: "must not be empty, and must have no control characters",
    TIME_OF_DAY: "must be a time of the day with two digits each, such as 07:30",
    LOCALE: "must be a locale, such as es or pt-BR",
    CURRENCY: "must be a currency code of three capital letters (ISO 4217), such as EUR",
}


def describe_mismatch(pattern: str) -> str:
    """Return what is wrong with a text that does not match a pattern.

    >>> describe_mismatch(CURRENCY)
    'must be a currency code of three capital letters (ISO 4217), such as EUR'
    """
    return MESSAGES.get(pattern, "has a form that is not possible here")
