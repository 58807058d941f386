from __future__ import annotations

from typing import Any

import pytest

from policies.catalogue.document import Catalogue
from policies.catalogue.mistakes import CatalogueError
from policies.catalogue.quiet_hours import SpanOfDay
from policies.catalogue.rulebook import Rulebook
from policies.records.quiet_hours import QuietHours, QuietSpan
from tests.factories import small_document

NIGHT = {"from": "22:00", "to": "07:00"}
SUNDAY = {"from": "00:00", "to": "24:00", "days": ["sun"]}


def document(quiet_hours: Any) -> dict[str, Any]:
    push = {"attribution_window_s": 14_400, "quiet_hours": quiet_hours}
    return small_document(channels=small_document()["channels"] | {"push": push})


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (NIGHT, QuietHours(1_320, 420)),
        (SUNDAY, QuietHours(0, 1_440, (6,))),
        ([NIGHT, SUNDAY], QuietHours(1_320, 420, (), (QuietSpan(0, 1_440, (6,)),))),
        ({**NIGHT, "days": ["fri", "mon", "fri"]}, QuietHours(1_320, 420, (0, 4))),
    ],
)
def test_a_span_or_a_list_of_spans_is_read_and_written_back(written: Any, read: QuietHours) -> None:
    catalogue = Catalogue.from_document(document(written))
    assert Rulebook.of(catalogue, 1).quiet_hours == {"push": read}
    assert catalogue.to_document()["channels"]["push"]["quiet_hours"] == written
    assert Catalogue.from_document(catalogue.to_document()) == catalogue


@pytest.mark.parametrize("nothing", [None, []])
def test_an_empty_list_says_the_same_as_null(nothing: Any) -> None:
    catalogue = Catalogue.from_document(document(nothing))
    assert catalogue == Catalogue.from_document(small_document())
    assert Rulebook.of(catalogue, 1).quiet_hours == {}


@pytest.mark.parametrize(
    ("written", "path", "words"),
    [
        ({"from": "24:00", "to": "07:00"}, ".from", "a time of the day from 00:00 to 23:59"),
        ({"from": "22:00", "to": "24:30"}, ".to", "a time of the day from 00:00 to 24:00"),
        ({"from": "22:00", "to": "22:00"}, "", "write 00:00 to 24:00 for all day"),
        ({**NIGHT, "days": []}, ".days", "at least 1"),
        ({**NIGHT, "days": ["friday"]}, ".days.0", "'mon', 'tue'"),
        ({**NIGHT, "day": ["fri"]}, ".day", "did you mean 'days'?"),
        ([NIGHT, {"from": "22:00"}], ".1.to", "required"),
        ([NIGHT] * 15, "", "at most 14"),
        ("22:00-07:00", "", "a span such as"),
    ],
)
def test_a_mistake_is_named_in_words(written: Any, path: str, words: str) -> None:
    with pytest.raises(CatalogueError) as error:
        Catalogue.from_document(document(written))
    (mistake,) = error.value.mistakes
    assert mistake.path == f"channels.push.quiet_hours{path}"
    assert words in mistake.message
    assert "^" not in mistake.message


def test_a_span_can_be_written_from_a_row() -> None:
    for span in (QuietSpan(1_320, 420), QuietSpan(0, 1_440, (5, 6))):
        assert SpanOfDay.of(span).span == span
