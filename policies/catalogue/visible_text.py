"""Text that a shopper can see: what counts as blank, and which characters do not reach a notification."""

from __future__ import annotations

import re

_INVISIBLE = (
    r"\s\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    r"\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\ud800-\udfff"
    r"\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""White space, control characters, the characters that Unicode calls default ignorable, and the blank of Braille."""

_visible = re.compile(f"[^{_INVISIBLE}]")
_breaks = re.compile(r"[ ]*[\x00-\x1f\x7f-\x9f\u2028\u2029][ \x00-\x1f\x7f-\x9f\u2028\u2029]*")
_controls = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]+")
_turns = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)])


def is_visible(text: str) -> bool:
    r"""Return whether a text has a character that can be seen.

    >>> is_visible(" a "), is_visible("\u200b \ufeff\n")
    (True, False)
    """
    return _visible.search(text) is not None


def write_in_one_line(text: str) -> str:
    r"""Return a text with one space for each run of line breaks and control characters, none at the ends.

    >>> write_in_one_line("Runner 3\r\nBcc: all")
    'Runner 3 Bcc: all'
    """
    return (text if text.isprintable() else _breaks.sub(" ", text)).strip()


def write_in_lines(text: str) -> str:
    r"""Return a text with one space for each run of control characters; line breaks and tabs stay.

    >>> write_in_lines("One\n\ttwo\x00three")
    'One\n\ttwo three'
    """
    return text if text.isprintable() else _controls.sub(" ", text)


def drop_turns(text: str) -> str:
    """Return a text without the characters that turn the direction of text.

    One that is not closed would turn the rest of the sentence. Right-to-left text needs none of them.
    """
    return text if text.isascii() else text.translate(_turns)
