"""Quiet hours as people write them: a span of the day, or a list of spans, each with the days on which the span begins.

The catalogue and the preferences of a shopper use the same form.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    TypeAdapter,
    model_validator,
)

from policies.catalogue.wording import IF_SAID, Form
from policies.records.quiet_hours import EVERY_DAY, QuietHours, QuietSpan

MAX_SPANS = 14

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_TIME = "([01][0-9]|2[0-3]):[0-5][0-9]"
StartTime = Annotated[str, Form(_TIME, "must be a time of the day from 00:00 to 23:59, in quotes, as in '21:30'")]
EndTime = Annotated[
    str, Form(f"({_TIME}|24:00)", "must be a time of the day from 00:00 to 24:00, in quotes, as in '08:00'")
]


def minute_of_day(text: str) -> int:
    """Return a time of the day such as 21:30 as minutes since midnight.

    >>> minute_of_day("21:30"), minute_of_day("24:00")
    (1290, 1440)
    """
    hours, _, minutes = text.partition(":")
    return int(hours) * 60 + int(minutes)


def time_of_day(minute: int) -> str:
    """Return minutes since midnight as a time of the day.

    >>> time_of_day(1290), time_of_day(1440)
    ('21:30', '24:00')
    """
    return f"{minute // 60:02}:{minute % 60:02}"


class SpanOfDay(BaseModel):
    """Hours of the shopper's own day in which nothing may arrive, ``from`` included, ``to`` not; may cross midnight.

    ``days`` are the local days on which the span begins: every day without them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    start: StartTime = Field(alias="from")
    end: EndTime = Field(alias="to")
    days: Annotated[Annotated[tuple[Weekday, ...], Field(min_length=1)] | None, IF_SAID] = None

    @model_validator(mode="after")
    def _is_not_empty(self) -> SpanOfDay:
        if self.start == self.end:
            raise ValueError("from and to are the same: write 00:00 to 24:00 for all day, or leave the quiet hours out")
        return self

    @property
    def span(self) -> QuietSpan:
        """The span in minutes of the day."""
        days = EVERY_DAY if self.days is None else tuple(sorted({WEEKDAYS.index(day) for day in self.days}))
        return QuietSpan(minute_of_day(self.start), minute_of_day(self.end), days)

    @classmethod
    def of(cls, span: QuietSpan) -> SpanOfDay:
        """Write a span in times of the day."""
        days = None if span.days == EVERY_DAY else [WEEKDAYS[day] for day in span.days]
        return cls.model_validate_json(
            msgspec.json.encode({"from": time_of_day(span.start), "to": time_of_day(span.end), "days": days})
        )


Spans = tuple[SpanOfDay, ...]
_one: TypeAdapter[SpanOfDay] = TypeAdapter(SpanOfDay)
_many: TypeAdapter[Spans] = TypeAdapter(Annotated[Spans, Field(max_length=MAX_SPANS)], config=ConfigDict(strict=True))


def _read(value: object) -> Spans | None:
    """Return the spans of a document; an empty list says the same as null."""
    if isinstance(value, Mapping):
        return (_one.validate_json(msgspec.json.encode(value)),)
    if isinstance(value, list | tuple):
        return _many.validate_json(msgspec.json.encode(value)) or None
    if value is None:
        return None
    raise ValueError("must be a span such as {from: '22:00', to: '07:00'}, or a list of spans")


def _write(spans: Spans | None) -> SpanOfDay | Spans | None:
    """Return one span as it is, and several as a list."""
    return spans[0] if spans is not None and len(spans) == 1 else spans


SpansOfDay = Annotated[
    Spans | None,
    PlainValidator(_read, json_schema_input_type=SpanOfDay | Annotated[Spans, Field(max_length=MAX_SPANS)] | None),
    PlainSerializer(_write),
]
"""A span, a list of at most `MAX_SPANS` spans, or null; spans add up."""


def quiet_hours_of(spans: Spans | None) -> QuietHours | None:
    """Return quiet hours in the form in which rows and states keep them.

    >>> night = SpanOfDay.model_validate({"from": "22:00", "to": "07:00"})
    >>> quiet_hours_of((night,)) == QuietHours(1320, 420)
    True
    """
    return QuietHours.of(span.span for span in spans) if spans else None
