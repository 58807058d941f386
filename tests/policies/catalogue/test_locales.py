from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.catalogue.locales import lookup_chain, normalize

subtags = st.text("abcdeXYZ0123", min_size=1, max_size=8)
locales = st.lists(subtags, min_size=1, max_size=6).flatmap(
    lambda parts: st.lists(st.sampled_from("-_"), min_size=len(parts), max_size=len(parts)).map(
        lambda marks: "".join(f"{mark}{part}" for mark, part in zip(marks, parts, strict=True))[1:]
    )
)


@given(locales)
def test_case_and_separator_do_not_matter(locale: str) -> None:
    assert [*lookup_chain(locale)] == [*lookup_chain(locale.swapcase().replace("-", "_"))]


@given(locales)
def test_the_lookup_goes_from_the_longest_to_the_shortest(locale: str) -> None:
    chain = [*lookup_chain(locale)]
    assert chain[0] == normalize(locale)
    assert all(longer.startswith(f"{shorter}-") for longer, shorter in pairwise(chain))
    assert not any(len(shorter.rpartition("-")[2]) == 1 for shorter in chain[1:]), "a single letter only introduces"


@pytest.mark.parametrize(
    ("locale", "chain"),
    [
        (
            "zh-Hant-CN-x-private1-private2",
            ["zh-hant-cn-x-private1-private2", "zh-hant-cn-x-private1", "zh-hant-cn", "zh-hant", "zh"],
        ),
        ("pt_BR", ["pt-br", "pt"]),
        ("en", ["en"]),
    ],
)
def test_the_example_of_rfc_4647(locale: str, chain: list[str]) -> None:
    assert [*lookup_chain(locale)] == chain
