"""The request reader: makes a request of a body and the catalogue; and the fingerprint by which a repeat is known."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec
from msgspec.structs import asdict
from ulid import ULID

from decision_service.commands.item_status import is_ahead
from decision_service.errors import FieldError, Invalid
from decision_service.schemas.field_types import why_too_large
from decision_service.schemas.requests import DecideBody, ExclusionBody, TriggerBody
from policies.catalogue.former_names import FormerNames
from policies.catalogue.rulebook import Rulebook
from policies.catalogue.time_zones import is_time_zone
from policies.records.request import Exclusion, Request
from policies.records.rows import Scalar, TriggerRecord

_TEXTS = ("locale", "time_zone")
"""Names of the context that the service itself reads."""


@dataclass(frozen=True)
class RequestReader:
    """Makes requests of bodies, with the catalogue's defaults filled in.

    Parameters
    ----------
    checks_future
        Whether a trigger dated well ahead of the clock is refused (wall clock only).
    """

    checks_future: bool

    def read(self, body: DecideBody, now: float, rulebook: Rulebook) -> Request:
        """Return the request of a body.

        Raises
        ------
        Invalid
            When the body names something that the catalogue lacks, or a trigger lies ahead.
        """
        errors = [
            *self._trigger_errors(body, now, rulebook),
            *_context_errors(body),
            *_exclusion_errors(body, rulebook),
        ]
        if errors:
            raise Invalid.fields(errors)
        return Request(
            event_id=body.event_id or str(ULID()),
            shopper_id=body.shopper_id,
            triggers=tuple(_trigger(trigger, now, rulebook) for trigger in body.triggers),
            now=now,
            context=body.context,
            exclude=tuple(_exclusion(pattern, rulebook.former_names) for pattern in body.exclude),
            deferred=body.defer_activation,
            ignored=_ignored_paths(body),
        )

    def _trigger_errors(self, body: DecideBody, now: float, rulebook: Rulebook) -> Iterator[FieldError]:
        known = rulebook.catalogue.triggers
        for number, trigger in enumerate(body.triggers):
            if trigger.type not in known:
                yield FieldError(f"triggers.{number}.type", f"the catalogue has no trigger {trigger.type!r}")
            if self.checks_future and is_ahead(trigger.occurred_at, now):
                yield FieldError(f"triggers.{number}.occurred_at", "lies more than five minutes ahead")


def fingerprint(body: DecideBody) -> str:
    """Return a hash of a parsed body with the schema's defaults filled in, so that formatting does not matter.

    The catalogue's defaults are left out: a repeat has the same hash after the catalogue has changed.
    """
    content = {
        "shopper_id": body.shopper_id,
        "triggers": [_trigger_content(trigger) for trigger in body.triggers],
        "context": _plain(body.context),
        "exclude": body.exclude,
        "defer_activation": body.defer_activation,
        "dry_run": body.dry_run,
        "now": _plain_seconds(body.now),
    }
    encoded = msgspec.json.encode(content, order="sorted")
    return hashlib.blake2b(encoded, digest_size=16).hexdigest()


def _trigger_content(trigger: TriggerBody) -> dict[str, object]:
    """Return what counts of a trigger; a field that an earlier version did not know counts only where it is given."""
    content: dict[str, object] = {
        "type": trigger.type,
        "priority": trigger.priority,
        "critical": trigger.critical,
        "expires_at": _plain_seconds(trigger.expires_at),
        "attributes": _plain(_kept_attributes(trigger.attributes)),
    }
    if trigger.occurred_at is not None:
        content["occurred_at"] = _plain_seconds(trigger.occurred_at)
    return content


def _plain(values: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """Return equal values in one form: whole numbers as integers."""
    return {
        name: int(value) if isinstance(value, float) and value.is_integer() else value for name, value in values.items()
    }


def _plain_seconds(time: datetime | None) -> float | None:
    """Return a time of any offset as seconds, whole seconds as an integer."""
    if time is None:
        return None
    seconds = time.timestamp()
    return int(seconds) if seconds.is_integer() else seconds


def _trigger(trigger: TriggerBody, now: float, rulebook: Rulebook) -> TriggerRecord:
    known = rulebook.catalogue.triggers[trigger.type]
    occurred_at = None if trigger.occurred_at is None else trigger.occurred_at.timestamp()
    began_at = now if occurred_at is None else occurred_at
    return TriggerRecord(
        type=trigger.type,
        priority=known.priority if trigger.priority is None else trigger.priority,
        critical=known.critical if trigger.critical is None else trigger.critical,
        expires_at=began_at + known.expires_s if trigger.expires_at is None else trigger.expires_at.timestamp(),
        attributes=_kept_attributes(trigger.attributes),
        occurred_at=occurred_at,
        ends_on=known.ends_on,
    )


def _kept_attributes(attributes: Mapping[str, Scalar | None]) -> dict[str, Scalar]:
    """Return the attributes that count: neither null nor too large."""
    return {name: value for name, value in attributes.items() if value is not None and why_too_large(value) is None}


def _ignored_paths(body: DecideBody) -> dict[str, str]:
    """Return the paths of the attributes that are left out, with the reasons."""
    return {
        f"triggers.{number}.attributes.{name}": reason
        for number, trigger in enumerate(body.triggers)
        for name, value in trigger.attributes.items()
        if value is not None and (reason := why_too_large(value)) is not None
    }


def _context_errors(body: DecideBody) -> Iterator[FieldError]:
    for name in _TEXTS:
        if name in body.context and not isinstance(body.context[name], str):
            yield FieldError(f"context.{name}", "must be a string")
    zone = body.context.get("time_zone")
    if isinstance(zone, str) and not is_time_zone(zone):
        yield FieldError("context.time_zone", "is not a known IANA time zone")


def _exclusion_errors(body: DecideBody, rulebook: Rulebook) -> Iterator[FieldError]:
    """Name what a pattern says that would forbid nothing, and a pattern that would forbid everything."""
    if not body.exclude:
        return
    known = _known_values(rulebook)
    for number, pattern in enumerate(body.exclude):
        values = {name: value for name, value in asdict(pattern).items() if value is not None}
        if not values:
            yield FieldError(f"exclude.{number}", "names nothing: it would forbid everything")
        for name, value in values.items():
            if value not in known[name]:
                yield FieldError(
                    f"exclude.{number}.{name}", f"the catalogue has no {name.removesuffix('_s')} {value!r}"
                )


def _known_values(rulebook: Rulebook) -> dict[str, Collection[object]]:
    """Return what a pattern may name, by slot: former names too."""
    catalogue, names = rulebook.catalogue, rulebook.former_names
    return {
        "message": {*catalogue.messages, *names.messages},
        "channel": {*catalogue.channels, *names.channels},
        "delay_s": rulebook.space.delays_s,
    }


def _exclusion(pattern: ExclusionBody, names: FormerNames) -> Exclusion:
    """Return a pattern under the names of today."""
    message = None if pattern.message is None else names.message(pattern.message)
    channel = None if pattern.channel is None else names.channel(pattern.channel)
    return Exclusion(message, channel, pattern.delay_s)
