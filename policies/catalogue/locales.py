"""Locales as callers and shops write them, and the lookup of RFC 4647: the longest locale that begins alike wins."""

from __future__ import annotations

from collections.abc import Iterator


def normalize(locale: str) -> str:
    """Return the form in which two spellings of a locale are equal: case and separator do not matter.

    >>> normalize("pt_BR") == normalize("PT-br")
    True
    """
    return locale.replace("_", "-").lower()


def lookup_chain(locale: str) -> Iterator[str]:
    """Yield a locale and the shorter ones that may stand for it, all in the form of `normalize`.

    A subtag is cut from the end at a time; a single letter before it, which only introduces it, is cut with it.

    >>> [*lookup_chain("zh_Hant-TW")], [*lookup_chain("de-DE-u-co-phonebk")][2:]
    (['zh-hant-tw', 'zh-hant', 'zh'], ['de-de', 'de'])
    """
    subtags = normalize(locale).split("-")
    while subtags:
        yield "-".join(subtags)
        subtags.pop()
        while subtags and len(subtags[-1]) == 1:
            subtags.pop()
