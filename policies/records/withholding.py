"""What rows withhold: consent, the whole subscription, the reach of a channel, or a category.

A *path* names one thing that can be withheld, as preferences spell it: ``consent.push``, ``subscribed``,
``reachable.push``, ``muted_categories.cart``. The path ``consent`` is every channel, as an erasure withholds it.
"""

from __future__ import annotations

from policies.records.outcomes import OUTCOME_TYPES
from policies.records.rows import ErasureRow, OutcomeRow, PreferencesRow, Row

EVERY_CHANNEL = "consent"
"""The path of consent on every channel."""

SUBSCRIBED = "subscribed"
"""The path of the subscription."""


def withheld_paths(row: Row) -> list[str]:
    """Return the paths that a row withholds.

    >>> withheld_paths(PreferencesRow(at=0.0, shopper_id="s", consent={"push": False}, subscribed=False))
    ['consent.push', 'subscribed']
    """
    match row:
        case OutcomeRow():
            return _paths_of_outcome(row)
        case PreferencesRow():
            return [
                *(f"consent.{channel}" for channel, value in row.consent.items() if value is False),
                *(f"reachable.{channel}" for channel, value in row.reachable.items() if value is False),
                *(f"muted_categories.{category}" for category in row.muted_categories or ()),
                *([SUBSCRIBED] if row.subscribed is False else ()),
            ]
        case ErasureRow():
            return [EVERY_CHANNEL]
    return []


def _paths_of_outcome(row: OutcomeRow) -> list[str]:
    withdraws_consent = OUTCOME_TYPES[row.type].withdraws_consent
    if row.channel is None or not (withdraws_consent or row.permanent):
        return []
    field = "consent" if withdraws_consent else "reachable"
    return [f"{field}.{channel}" for channel in (row.channel, *row.aliases)]


def date_of_words(row: OutcomeRow | PreferencesRow | ErasureRow) -> float:
    """Return the date of a shopper's words: what the caller says, but never later than the row."""
    match row:
        case OutcomeRow():
            return min(row.occurred_at, row.at)
        case PreferencesRow(stated_at=float() as stated_at) | ErasureRow(stated_at=float() as stated_at):
            return min(stated_at, row.at)
    return row.at
