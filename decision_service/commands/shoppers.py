"""Shopper events and preferences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from decision_service.commands.feedback import ACCEPTED, AHEAD_S, DUPLICATE, Feedback, Status, invalid
from decision_service.errors import Invalid, Unavailable
from decision_service.log.base import DuplicateKey, NewRow
from decision_service.log.keys import event_key
from decision_service.projection.writer import LogWriter
from decision_service.schemas.preferences import PreferencesAnswer, preferences_of
from decision_service.schemas.requests import PreferencesBody, ShopperEventBody
from decision_service.state.base import StateStore, StateUnavailable, Withdrawal
from decision_service.state.shopper_keys import ShopperKeys
from policies.catalogue.document import Catalogue
from policies.catalogue.quiet_hours import minute_of_day
from policies.records.quiet_hours import QuietHours
from policies.records.rows import EventRow, PreferencesRow


class Shoppers:
    """Records shopper events and preferences.

    Parameters
    ----------
    store, log_writer
        The shoppers' states and the log.
    feedback
        Logs rows that withdraw consent.
    shopper_keys
        The keys that states are kept under.
    checks_future
        Whether an event dated well ahead of the clock is refused (wall clock only).
    """

    def __init__(
        self,
        store: StateStore,
        log_writer: LogWriter,
        feedback: Feedback,
        shopper_keys: ShopperKeys,
        *,
        checks_future: bool,
    ) -> None:
        self._store = store
        self._log_writer = log_writer
        self._shopper_keys = shopper_keys
        self._feedback = feedback
        self._checks_future = checks_future

    async def record_events(self, bodies: Sequence[ShopperEventBody], now: float) -> list[Status]:
        """Log shopper events; the next decision knows them. Return the status of each."""
        refused = {number: status for number, body in enumerate(bodies) if (status := self._check(body, now))}
        rows = {number: _row(body, now) for number, body in enumerate(bodies) if number not in refused}
        new_rows = [
            NewRow(row, event_key(row) if bodies[number].at is not None else None) for number, row in rows.items()
        ]
        results = await self._log_writer.append_all(new_rows)
        await self._log_writer.wait_until_contained()
        statuses = refused | {
            number: DUPLICATE if isinstance(result, DuplicateKey) else ACCEPTED
            for number, result in zip(rows, results, strict=True)
        }
        return [statuses[number] for number in range(len(bodies))]

    def _check(self, body: ShopperEventBody, now: float) -> Status | None:
        if self._checks_future and body.at is not None and body.at.timestamp() > now + AHEAD_S:
            return invalid("at", "lies more than five minutes ahead")
        value = body.attributes.get("value", 0.0)
        if body.type == "purchase" and (isinstance(value, bool | str) or value < 0):
            return invalid("attributes.value", "must be a number of at least 0")
        return None

    async def change_preferences(
        self, shopper_id: str, body: PreferencesBody, now: float, catalogue: Catalogue
    ) -> PreferencesAnswer:
        """Change preferences, and return all of them.

        Raises
        ------
        Invalid
            When a channel or time zone does not exist.
        """
        _check_preferences(body, catalogue)
        row = _preferences(shopper_id, body, now)
        key = self._shopper_keys.key(shopper_id)
        await self._feedback.log_withdrawing([NewRow(row)], {0: Withdrawal.all_of(key, row)})
        return await self.read_preferences(shopper_id, catalogue)

    async def read_preferences(self, shopper_id: str, catalogue: Catalogue) -> PreferencesAnswer:
        """Return a shopper's preferences, with the catalogue's defaults where the shopper has stated none.

        Raises
        ------
        Unavailable
            When the state store is away.
        """
        try:
            state = (await self._store.read(self._shopper_keys.key(shopper_id))).state
        except StateUnavailable as away:
            raise Unavailable(f"the shopper's state is away: {away}") from away
        return preferences_of(state, catalogue)


def _preferences(shopper_id: str, body: PreferencesBody, now: float) -> PreferencesRow:
    """Return the row of a body: what the body does not mention stays as it is."""
    quiet = body.quiet_hours
    values = {
        "time_zone": body.time_zone,
        "locale": body.locale,
        "muted_categories": tuple(body.muted_categories or ()),
        "max_per_week": body.max_per_week,
        "quiet_hours": None if quiet is None else QuietHours(minute_of_day(quiet.start), minute_of_day(quiet.end)),
    }
    changes: dict[str, Any] = {name: value for name, value in values.items() if name in body.model_fields_set}
    return PreferencesRow(now, shopper_id, dict(body.consent), reachable=dict(body.reachable), **changes)


def _check_preferences(body: PreferencesBody, catalogue: Catalogue) -> None:
    for name, channels in (("consent", body.consent), ("reachable", body.reachable)):
        for channel in channels:
            if channel not in catalogue.channels:
                raise Invalid.field(f"{name}.{channel}", "the catalogue has no such channel")
    categories = {message.category for message in catalogue.messages.values()}
    for number, category in enumerate(body.muted_categories or ()):
        if category not in categories:
            raise Invalid.field(f"muted_categories.{number}", "the catalogue has no such category")
    if body.quiet_hours is not None and body.quiet_hours.start == body.quiet_hours.end:
        raise Invalid.field("quiet_hours", "from and to are the same: withdraw consent to be left alone all day")
    if body.time_zone is not None:
        try:
            ZoneInfo(body.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise Invalid.field("time_zone", "is not a known IANA time zone") from None


def _row(body: ShopperEventBody, now: float) -> EventRow:
    occurred_at = now if body.at is None else body.at.timestamp()
    return EventRow(
        at=now, shopper_id=body.shopper_id, type=body.type, occurred_at=occurred_at, attributes=body.attributes
    )
