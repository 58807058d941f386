"""The catalogue: what may be sent, on which channels, after which delays, and under which rules.

One document, the same in YAML and over HTTP. This file is its schema; `policies.catalogue.checks` looks at several keys
at once. Every mistake is named by its path.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from policies.catalogue.checks import find_mistakes
from policies.catalogue.mistakes import CatalogueError, Mistake, drop_neutral_keys, join_mistakes, mistakes_of
from policies.catalogue.number_formats import check_currency
from policies.catalogue.quiet_hours import SpansOfDay
from policies.catalogue.wording import IF_NOT_NULL, IF_SAID, Form, if_not
from policies.records.shopper_events import ShopperEventType

_DAY_S = 86_400
LONGEST_WINDOW_S = 400 * _DAY_S
"""Caps and cooldowns reach no further than this."""

Name = Annotated[
    str,
    Form(
        "[a-z][a-z0-9_]{0,63}",
        "must begin with a small letter and hold at most 64 small letters, digits and underscores",
    ),
]
Money = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]
Seconds = Annotated[int, Field(ge=1, le=31 * _DAY_S)]
CapSeconds = Annotated[int, Field(ge=1, le=LONGEST_WINDOW_S)]
Delay = Annotated[int, Field(ge=0, le=14 * _DAY_S)]
Locale = Annotated[
    str, Form("[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*", "must be a locale such as 'en', 'pt-BR' or 'zh-Hant'")
]
OldNames = Annotated[tuple[Name, ...], IF_SAID]
AttributeName = Annotated[str, Field(min_length=1, max_length=100)]
Currency = Annotated[
    str,
    Form("[A-Z]{3}", "must be a currency of ISO 4217 in three capital letters, such as 'EUR'"),
    AfterValidator(check_currency),
]
Calendar = Literal["day", "week", "month"]
Templates = dict[Name, Annotated[dict[Locale, dict[Name, str]], Field(min_length=1)]]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Cap(_Part):
    """At most ``max`` sends in any rolling window of ``window_s`` seconds, or in a calendar day, week or month.

    Days, weeks (from Monday) and months are those of the shopper's own zone.
    """

    max: Annotated[int, Field(ge=1, le=256)]
    window_s: CapSeconds | None = None
    calendar: Calendar | None = None

    @model_validator(mode="after")
    def _rolls_or_follows_the_calendar(self) -> Cap:
        if (self.window_s is None) == (self.calendar is None):
            raise ValueError("needs either window_s or calendar")
        return self


class Defaults(_Part):
    """What holds for a shopper who has said nothing.

    A channel that ``consent`` does not name has no consent. Without the whole ``consent`` block every channel has
    consent.
    """

    consent: dict[Name, bool] | None = None
    time_zone: str = "UTC"
    locale: Locale = "en"


class Channel(_Part):
    """A way to reach a shopper.

    ``daily_budget`` is the most that the sends of a UTC day may cost together. ``formerly`` are old names of the
    channel.
    """

    formerly: OldNames = ()
    cost: Money = 0.0
    attribution_window_s: Seconds
    caps: tuple[Cap, ...] = ()
    quiet_hours: SpansOfDay = None
    daily_budget: Money | None = None


class Message(_Part):
    """A message: its category, the triggers that it answers, and its templates by channel and locale.

    Two sends of the message to one shopper are at least ``cooldown_s`` apart. ``data`` names the attributes that
    ``content.data`` holds, without it all. ``formerly`` are old names of the message.
    """

    formerly: OldNames = ()
    category: Name
    triggers: Annotated[tuple[Name, ...], Field(min_length=1)]
    cost: Money = 0.0
    cooldown_s: CapSeconds | None = None
    caps: tuple[Cap, ...] = ()
    delays_s: tuple[Delay, ...] | None = None
    data: Annotated[tuple[AttributeName, ...] | None, IF_NOT_NULL] = None
    templates: Annotated[Templates, Field(min_length=1)]


class Category(_Part):
    """Rules for all messages of a category, and old names of the category."""

    formerly: OldNames = ()
    caps: tuple[Cap, ...] = ()


class Suppression(_Part):
    """A send of the category ``after`` blocks the category ``blocks`` for ``window_s`` seconds from its send time."""

    after: Name
    blocks: Name
    window_s: Seconds


class Arms(_Part):
    """Shares of shoppers that are treated differently: the ``holdout`` gets only critical notifications."""

    holdout: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.0


class Trigger(_Part):
    """Something that can happen to a shopper. A lower ``priority`` is more urgent.

    A shopper event of a type in ``ends_on`` ends the trigger and its sends that lie ahead.
    """

    priority: Annotated[int, Field(ge=0, le=1_000)] = 5
    expires_s: Seconds
    critical: bool = False
    ends_on: Annotated[tuple[ShopperEventType, ...], IF_SAID] = ()


class Reward(_Part):
    """Weights of the reward of a delivered send, which is clipped to ±``max``.

    ``view_through`` is the part of an order without a click that counts.
    """

    click: Money = 0.1
    open: Money = 0.0
    margin: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.3
    view_through: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False), if_not(1.0)] = 1.0
    consent_value: Money = 4.0
    complaint: Money = 8.0
    max: Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)] = 20.0


class Catalogue(_Part):
    """A valid catalogue.

    Examples
    --------
    >>> catalogue = Catalogue.from_document({
    ...     "delays_s": [0, 3600],
    ...     "channels": {"push": {"attribution_window_s": 14400}},
    ...     "triggers": {"wishlist": {"expires_s": 86400}},
    ...     "messages": {"hint": {"category": "wish", "triggers": ["wishlist"],
    ...                           "templates": {"push": {"en": {"title": "Hi", "body": "{{ product }}"}}}}},
    ... })
    >>> catalogue.channels["push"].attribution_window_s
    14400
    """

    defaults: Defaults = Defaults()
    delays_s: Annotated[tuple[Delay, ...], Field(min_length=1)]
    channels: Annotated[dict[Name, Channel], Field(min_length=1)]
    messages: Annotated[dict[Name, Message], Field(min_length=1)]
    triggers: Annotated[dict[Name, Trigger], Field(min_length=1)]
    caps: tuple[Cap, ...] = ()
    categories: dict[Name, Category] = {}
    min_gap_s: Seconds | None = None
    suppression: tuple[Suppression, ...] = ()
    reward: Reward = Reward()
    arms: Arms = Arms()
    currency: Annotated[Currency | None, IF_SAID] = None

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Catalogue:
        """Validate a document.

        Raises
        ------
        CatalogueError
            Naming every mistake of structure and of meaning.
        """
        mistakes, supported = drop_neutral_keys(document)
        text = _to_json(supported)
        try:
            catalogue = cls.model_validate_json(text)
        except ValidationError as error:
            mistakes += mistakes_of(error, cls)
        mistakes = join_mistakes(mistakes, find_mistakes(document))
        if mistakes:
            raise CatalogueError(tuple(mistakes))
        return catalogue

    @classmethod
    def from_stored(cls, document: Mapping[str, Any]) -> Catalogue:
        """Return the catalogue of a document that was valid when it came into force, such as one in the log.

        What only a later version refuses stays in force: no check of meaning is asked again.
        """
        _, supported = drop_neutral_keys(document)
        return cls.model_validate_json(json.dumps(supported))

    def to_document(self) -> dict[str, Any]:
        """Return the document from which `from_document` reads an equal catalogue."""
        return self.model_dump(mode="json", by_alias=True)

    def consents(self, channel: str) -> bool:
        """Return whether a shopper who has said nothing has consented to a channel."""
        return True if self.defaults.consent is None else self.defaults.consent.get(channel, False)


def _to_json(document: Mapping[str, Any]) -> str:
    """Return a document as JSON.

    Raises
    ------
    CatalogueError
        When the document contains itself, is nested too deeply, or holds a value that JSON cannot write, such as a date
        or an integer of 5,000 digits.
    """
    try:
        return json.dumps(document)
    except RecursionError:
        reason = "is nested too deeply"
    except (TypeError, ValueError) as error:
        reason = f"holds what JSON cannot write: {error}"
    raise CatalogueError((Mistake("", reason),))
