"""Random bodies of a decide, right and wrong, as callers of every kind spell them in JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from hypothesis import strategies as st


class Token(str):
    """A piece of JSON text that is written as it is."""


class Members(list[tuple[str, Any]]):
    """The members of a JSON object; a name may stand twice."""


JSON_OF_NO_TYPE: list[Any] = [None, True, 0, -1, 1.5, "", "text", [], {}, [[1]], {"a": {"b": 1}}]

TIMES: list[Any] = [
    *("2026-11-21T17:00:00Z", "2026-11-21T18:00:00+01:00", "2026-11-21 17:00:00.25Z", "2026-11-21t17:00:00z"),
    *("2026-11-21_17:00:00Z", "2026-11-21T17:00Z", "2026-11-21T17:00:00+0530", "2026-11-21T17:00:00-00:00"),
    *("2026-11-21T17:00:00.123456Z", "2026-11-21T17:00:00.1234567Z", "2026-11-21T17:00:00.9999999Z"),
    *("2026-11-21T17:00:00,5Z", "2026-11-21T17:00:60Z", "2026-11-21T24:00:00Z", "2026-11-21T17:00:00"),
    *("2026-11-21", "1700000000", "1700000000.5", "2026-02-30T00:00:00Z", "0000-01-01T00:00:00Z", " 2026-11-21T17:00Z"),
    *("1999-12-31T23:59:59.999999Z", "2000-01-01T00:00:00Z", "2199-12-31T23:59:59.9999999Z", "2200-01-01T00:00:00Z"),
    *("2000-01-01T00:30:00+01:00", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", 1_700_000_000, "now"),
    Token('"2026-11-21T17:00:00.12345\\u0036\\u0037Z"'),
]
TEXTS: list[Any] = [
    *("s-42", "señora", "\U0001f600", "a b", " ", "", "\x7f", "a\nb", "tab\t", "\x00", "\x1f", "\u2028", "a/timeline"),
    *("erased:1", "~erased~1", "a/preferences", "/timeline/", "x" * 100, "x" * 101, "é" * 255, "x" * 256, "\\n"),
    *(Token('"\\ud83d"'), Token('"\\udc00"'), Token('"\\ud83d\\ude00"'), Token('"\\u00e9\\/"'), Token('"\\u0041"')),
    *(Token('"\x01"'), Token('"\\q"'), Token('"\\u00"')),
]
NUMBERS: list[Any] = [
    *(
        0,
        1,
        1_000,
        1_001,
        -1,
        2**53,
        2**53 + 1,
        -(2**53) - 1,
        2**63,
        2**64,
        10**30,
        59.9,
        1.5,
        1e300,
        1e16,
        0.1,
        1e-320,
    ),
    *map(Token, ("1.0", "1e2", "-0", "-0.0", "1E400", "-1e400", "NaN", "Infinity", "-Infinity", "01", "1.", "+1")),
    *map(Token, ("9007199254740992.0", "9007199254740993.0", "1" * 400, "1" * 5_000, "0." + "1" * 50, "5e-324")),
    *map(Token, ("123456789.12345678901234567890", "2.2250738585072011e-308", "8.98846567431158e307")),
]


def among(*pools: Sequence[Any]) -> st.SearchStrategy[Any]:
    return st.sampled_from([value for pool in pools for value in pool])


SCALARS = among(TEXTS, NUMBERS, [True, False, None]) | st.floats() | st.integers() | st.text(max_size=5)
MAPS = st.lists(st.tuples(among(TEXTS) | st.text(max_size=3), SCALARS), max_size=4).map(Members)


def mostly(valid: st.SearchStrategy[Any], *pools: Sequence[Any]) -> st.SearchStrategy[Any]:
    """Return valid values, and now and then one of the pools or of no right type."""
    odd = among(*pools, JSON_OF_NO_TYPE)
    return st.sampled_from([valid] * 15 + [odd]).flatmap(lambda values: values)


NAMES = st.sampled_from(["cart_abandoned", "push", "señal", "x" * 100])
VALID_TIMES = st.sampled_from(TIMES[:4]) | st.datetimes(
    datetime(1999, 12, 25), datetime(2200, 1, 9), timezones=st.timezones()
).map(lambda time: time.isoformat())
VALID_MAPS = st.lists(
    st.tuples(NAMES, st.sampled_from(["red", 5, 5.0, 1.5, True, -3, Token("1e2"), Token("-0.0"), "x" * 1_000])),
    max_size=4,
).map(Members)


def objects(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Members]:
    """Return objects with any of these fields, sometimes one twice, sometimes an unknown one."""
    members = [st.tuples(st.just(name), values) for name, values in fields.items()]
    unknown = st.tuples(st.just("colour"), st.just("red"))
    some, more = st.lists(st.one_of(*members), max_size=6), st.lists(st.one_of(*members, unknown), max_size=6)
    return st.sampled_from([some] * 15 + [more]).flatmap(lambda members: members).map(Members)


def with_field(name: str, values: st.SearchStrategy[Any], rest: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return objects that mostly have a field."""
    return st.tuples(mostly(st.just(True), [False]), values, rest).map(
        lambda parts: Members([(name, parts[1]), *parts[2]]) if parts[0] is True else parts[2]
    )


MAP = st.sampled_from([VALID_MAPS] * 5 + [MAPS]).flatmap(lambda maps: mostly(maps))
TRIGGERS = with_field(
    "type",
    mostly(NAMES, TEXTS),
    objects(
        priority=mostly(st.none() | st.integers(0, 1_000), NUMBERS),
        critical=mostly(st.none() | st.booleans()),
        expires_at=mostly(VALID_TIMES, TIMES),
        attributes=MAP,
        occurred_at=mostly(VALID_TIMES, TIMES),
    ),
)
EXCLUSIONS = objects(
    message=mostly(NAMES, TEXTS), channel=mostly(NAMES, TEXTS), delay_s=mostly(st.integers(0, 9), NUMBERS)
)
DOCUMENTS = with_field(
    "shopper_id",
    mostly(st.just("s-42"), TEXTS),
    with_field(
        "triggers",
        mostly(st.lists(mostly(TRIGGERS), min_size=1, max_size=2), [[{"type": "x"}] * 20, [{"type": "x"}] * 21]),
        objects(
            event_id=mostly(st.none() | st.just("e-1"), TEXTS),
            context=MAP,
            exclude=mostly(st.lists(EXCLUSIONS, max_size=2), [[{}] * 100, [{}] * 101]),
            defer_activation=mostly(st.booleans()),
            dry_run=mostly(st.booleans()),
            now=mostly(VALID_TIMES, TIMES),
        ),
    ),
)


def spell(value: Any, *, ascii_only: bool) -> str:
    """Write JSON."""
    match value:
        case Token():
            return value
        case Members():
            members = (f"{spell(k, ascii_only=ascii_only)}: {spell(v, ascii_only=ascii_only)}" for k, v in value)
            return "{" + ", ".join(members) + "}"
        case list():
            return "[" + ",".join(spell(item, ascii_only=ascii_only) for item in value) + "]"
        case dict():
            return spell(Members(value.items()), ascii_only=ascii_only)
    return json.dumps(value, ensure_ascii=ascii_only)


def bodies_with_one_odd_value() -> Iterator[bytes]:
    """Yield the bytes of right bodies with one odd value, for every field and every value of the pools."""
    for value in (*TIMES, *TEXTS, *NUMBERS, *JSON_OF_NO_TYPE):
        trigger: dict[str, Any] = {"type": "x"}
        for name in ("type", "priority", "critical", "expires_at", "attributes", "occurred_at"):
            yield _spell_decide(triggers=[trigger | {name: value}])
        for name in ("message", "channel", "delay_s"):
            yield _spell_decide(exclude=[{name: value}])
        for name in ("event_id", "shopper_id", "triggers", "context", "exclude", "defer_activation", "dry_run", "now"):
            yield _spell_decide(**{name: value})
        yield _spell_decide(context={"a": value})
        yield _spell_decide(triggers=[trigger | {"attributes": {"a": value}}])
    for name in TEXTS:
        yield _spell_decide(context=Members([(name, 1)]))
        yield _spell_decide(triggers=[{"type": "x", "attributes": Members([(name, 1)])}])


def _spell_decide(**changes: Any) -> bytes:
    body = {"shopper_id": "s-42", "triggers": [{"type": "x"}]} | changes
    return spell(body, ascii_only=True).encode()


def bodies() -> st.SearchStrategy[bytes]:
    """Return the bytes of bodies, most of them right but for one part."""
    return st.builds(
        lambda document, ascii_only, around: around.replace("BODY", spell(document, ascii_only=ascii_only)).encode(
            "utf-8", "surrogatepass"
        ),
        DOCUMENTS,
        st.booleans(),
        mostly(st.just("BODY"), [" \n BODY \t", "BODY x", "[BODY]", "BODYBODY", "\ufeffBODY"]).map(
            lambda around: around if isinstance(around, str) else json.dumps(around)
        ),
    )
