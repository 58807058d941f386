"""Budget days: the channels and UTC days whose budgets may limit a request. Their spending is read with the states."""

from __future__ import annotations

from collections.abc import Iterable

from policies.catalogue.rulebook import Rulebook
from policies.records.request import Request
from policies.rules.budget import BudgetDay, utc_day
from policies.shopper.retention import LONGEST_LEAD_S


def budget_days(rulebook: Rulebook, requests: Iterable[Request]) -> list[BudgetDay]:
    """Return the channels and days whose budgets may limit requests now, or later before their triggers expire."""
    if not rulebook.budgets:
        return []
    longest_s = rulebook.space.delays_s[-1]
    spans = {(utc_day(request.now), max(utc_day(request.now + longest_s), _last_day(request))) for request in requests}
    return _of_every_budget(rulebook, {day for first, last in spans for day in range(first, last + 1)})


def budget_days_ahead(rulebook: Rulebook, request: Request) -> list[BudgetDay]:
    """Return the channels and days whose budgets may limit a request later, before its triggers expire."""
    if not rulebook.budgets:
        return []
    return _of_every_budget(rulebook, range(utc_day(request.now), _last_day(request) + 1))


def _last_day(request: Request) -> int:
    expires_at = max(trigger.expires_at for trigger in request.triggers)
    return utc_day(min(expires_at, request.now + LONGEST_LEAD_S))


def _of_every_budget(rulebook: Rulebook, days: Iterable[int]) -> list[BudgetDay]:
    """Return days with the names, old ones too, of every channel that has a budget."""
    names, days = rulebook.former_names, sorted(days)
    return [(name, day) for channel in rulebook.budgets for name in names.names_of_channel(channel) for day in days]
