from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.catalogue.visible_text import drop_turns, is_visible, write_in_lines, write_in_one_line

breaks = st.sampled_from("\r\n\t\x00\x0b\x0c\x1b\x7f\x85\u2028\u2029 ab")
texts = st.one_of(st.text(breaks), st.text())


@pytest.mark.parametrize(
    "text", ["", " ", "\n", "\u200b", "\ufeff\u00a0", "\u3164", "\u2800", "\u00ad\u2060", "\u202e\u202c", "\U000e0020"]
)
def test_what_nobody_sees_is_blank(text: str) -> None:
    assert not is_visible(text)


@pytest.mark.parametrize("text", ["a", " .", "\u200bא", "👩‍👩‍👧", "0", "\u00a0-"])
def test_what_somebody_sees_is_not_blank(text: str) -> None:
    assert is_visible(text)


@given(texts)
def test_a_one_line_part_has_no_break_and_no_control_character(text: str) -> None:
    written = write_in_one_line(text)
    assert len(written.splitlines()) <= 1
    assert not any(unicodedata.category(letter) in ("Cc", "Zl", "Zp") for letter in written)
    assert is_visible(written) == is_visible(text)
    assert write_in_one_line(written) == written
    assert "".join(written.split()) == "".join(
        "".join(" " if unicodedata.category(letter) == "Cc" else letter for letter in text).split()
    )


@given(texts)
def test_a_body_keeps_line_breaks_and_tabs_alone(text: str) -> None:
    written = write_in_lines(text)
    for letter in "\r\n\t\x85\u2028\u2029":
        assert written.count(letter) == text.count(letter)
    assert not any(unicodedata.category(letter) == "Cc" and letter not in "\r\n\t\x85" for letter in written)


def test_several_breaks_are_one_space() -> None:
    assert write_in_one_line("Runner 3 \r\n\r\n Bcc: all\n") == "Runner 3 Bcc: all"


def test_no_character_of_an_attribute_turns_the_rest_of_the_sentence() -> None:
    assert drop_turns("\u202eRunner\u2067 3") == "Runner 3"
    assert drop_turns("א\u200f1") == "א\u200f1", "marks turn nothing"
