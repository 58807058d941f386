from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.catalogue.number_formats import NumberFormat, check_currency

numbers = st.one_of(
    st.integers(-(2**53), 2**53), st.floats(-(2.0**53), 2.0**53), st.floats(-1e-3, 1e-3), st.integers(-999, 999)
)
locales = st.sampled_from(("en", "es", "es-MX", "de_CH", "fr", "hi-IN", "pl", "ar", "sv", "xx", "zh-Hant-TW"))


def read(text: str, number_format: NumberFormat) -> Decimal:
    return Decimal(text.replace(number_format.group, "").replace(number_format.decimal, "."))


@given(numbers, locales)
def test_a_number_is_read_as_what_it_is_and_never_with_an_exponent(value: float, locale: str) -> None:
    number_format = NumberFormat.of(locale)
    text = number_format.number(value)
    assert not set(text) - set(f"-0123456789{number_format.decimal}")
    assert abs(read(text, number_format) - Decimal(value)) <= max(abs(Decimal(value)) / 200, Decimal("1e-12"))
    assert not text.startswith("-0") or number_format.decimal in text
    if value == int(value):
        assert text == str(int(value))


@given(numbers, locales, st.sampled_from((("EUR", 2), ("JPY", 0), ("KWD", 3), ("jpy", 0), ("points", 2), (None, 2))))
def test_an_amount_has_the_decimals_of_its_currency(
    value: float, locale: str, currency: tuple[str | None, int]
) -> None:
    number_format, (code, decimals) = NumberFormat.of(locale), currency
    text = number_format.money(value, code)
    whole, _, fraction = text.partition(number_format.decimal) if decimals else (text, "", "")
    assert len(fraction) == decimals
    assert abs(read(text, number_format) - Decimal(value)) <= Decimal(5).scaleb(-decimals - 1) + Decimal("1e-6")
    assert [len(group) for group in whole.lstrip("-").split(number_format.group)][1:] == [3] * whole.count(
        number_format.group
    ) or number_format.other_groups == 2


@pytest.mark.parametrize(
    ("value", "locale", "currency", "text"),
    [
        (1299.5, "es", "EUR", "1299,50"),
        (12999.5, "es-ES", "EUR", "12.999,50"),
        (1299.5, "es-MX", "MXN", "1,299.50"),
        (1299.5, "de", "EUR", "1.299,50"),
        (1299.5, "en-GB", "GBP", "1,299.50"),
        (5900.0, "ja", "JPY", "5,900"),
        (1234567.5, "de-CH", "CHF", "1'234'567.50"),
        (1234567.5, "hi", "INR", "12,34,567.50"),
        (0.125, "en", "EUR", "0.13"),
        (-0.001, "en", "EUR", "0.00"),
        (12, "en", None, "12.00"),
    ],
)
def test_an_amount_is_written_as_the_locale_writes_it(
    value: float, locale: str, currency: str | None, text: str
) -> None:
    assert NumberFormat.of(locale).money(value, currency).replace("’", "'") == text


@pytest.mark.parametrize(
    ("value", "text"), [(120.0, "120"), (1e-07, "0,0000001"), (4.73333, "4,733"), (0.1 + 0.2, "0,3"), (88213, "88213")]
)
def test_a_number_is_short(value: float, text: str) -> None:
    assert NumberFormat.of("es").number(value) == text


@pytest.mark.parametrize(
    ("locales", "digits"),
    [
        ("es es-ES es-PH pt-PT pt-MZ it it-CH pl pl-PL hu hu-HU be bg-BG et-EE ka lv-LV sl-SI sq-XK hy-AM ru-UA", 5),
        ("en de fr es-MX es-419 es-US pt pt-BR pt-AO ca ru ru-RU uk cs nl sv ja hi", 4),
        ("ee ee-TG", 6),
    ],
)
def test_digits_are_grouped_from_the_length_on_that_cldr_says(locales: str, digits: int) -> None:
    """CLDR 48.2, minimumGroupingDigits."""
    for locale in locales.split():
        short, long = (NumberFormat.of(locale).money(10 ** (length - 1), "JPY") for length in (digits - 1, digits))
        assert short.isdigit(), locale
        assert not long.isdigit(), locale


def test_the_nearest_locale_that_is_known_counts_and_then_english() -> None:
    assert NumberFormat.of("es-XX") == NumberFormat.of("es")
    assert NumberFormat.of("x" * 1_000) == NumberFormat.of("tlh-Latn") == NumberFormat.of("en")


def test_codes_of_iso_4217() -> None:
    assert [check_currency(code) for code in ("EUR", "JPY")] == ["EUR", "JPY"]
    for code in ("XYZ", "eur", ""):
        with pytest.raises(ValueError, match="ISO 4217"):
            check_currency(code)
