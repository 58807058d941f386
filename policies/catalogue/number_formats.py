"""Numbers and amounts of money as a shopper reads them: by locale and currency. The only door to Babel (CLDR)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import lru_cache

from babel import Locale, UnknownLocaleError
from babel.numbers import get_currency_precision, is_currency

from policies.catalogue.locales import lookup_chain

_EXACT = Context(prec=20_000, rounding=ROUND_HALF_UP)
_DECIMALS, _LEADING_DIGITS, _MOST_DECIMALS = 3, 3, 12
_MONEY_DECIMALS = 2
_UNKNOWN = "en"

_DIGITS_BY_LANGUAGE = {
    **dict.fromkeys(("be", "bg", "et", "hu", "hy", "ia", "ie", "it", "ka", "lv", "pl", "sl", "sq"), 2),
    "ee": 3,
}
_DIGITS_BY_LOCALE = dict.fromkeys(
    (
        *("es", "es_EA", "es_ES", "es_GQ", "es_IC", "es_PH"),
        *("pt_CH", "pt_CV", "pt_GQ", "pt_GW", "pt_LU", "pt_MO", "pt_MZ", "pt_PT", "pt_ST", "pt_TL"),
        "ru_UA",
    ),
    2,
)
"""How many digits stand before the first separator at least, where this is not 1: 2 leaves four digits together.

Babel does not have these data. They are the minimumGroupingDigits of CLDR 48.2; the second table is for languages whose
locales differ."""


@dataclass(frozen=True)
class NumberFormat:
    """How a locale writes numbers.

    >>> spanish, english = NumberFormat.of("es-ES"), NumberFormat.of("en")
    >>> spanish.number(120.0), spanish.number(1e-07), spanish.money(1299.5, "EUR"), english.money(5900.0, "JPY")
    ('120', '0,0000001', '1299,50', '5,900')
    """

    decimal: str
    group: str
    first_group: int
    other_groups: int
    fewest_digits: int
    """How many digits a number needs before its digits are grouped."""

    @staticmethod
    @lru_cache(maxsize=512)
    def of(locale: str) -> NumberFormat:
        """Return the format of a locale, of the nearest shorter locale that is known, or else of English."""
        known = _find_locale(locale)
        symbols, (first_group, other_groups) = known.number_symbols["latn"], known.decimal_formats[None].grouping
        return NumberFormat(
            decimal=symbols["decimal"],
            group=symbols["group"],
            first_group=first_group,
            other_groups=other_groups,
            fewest_digits=first_group + _digits_before_a_separator(known),
        )

    def number(self, value: float) -> str:
        """Return a number without exponent or needless zeros. Its digits are not grouped: it may be a year or an id."""
        exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
        if not exact.is_finite():
            return str(value)
        decimals = min(_MOST_DECIMALS, max(_DECIMALS, _LEADING_DIGITS - 1 - exact.adjusted()))
        sign, digits, fraction = _split(exact, decimals)
        fraction = fraction.rstrip("0")
        return f"{sign}{digits}{self.decimal}{fraction}" if fraction else f"{sign}{digits}"

    def money(self, value: float, currency: str | None) -> str:
        """Return an amount with the decimals of its currency, two where the currency is not known."""
        exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
        if not exact.is_finite():
            return str(value)
        sign, digits, fraction = _split(exact, _money_decimals(currency))
        whole = f"{sign}{self._group(digits)}"
        return f"{whole}{self.decimal}{fraction}" if fraction else whole

    def _group(self, digits: str) -> str:
        if len(digits) < self.fewest_digits:
            return digits
        groups, rest = [digits[-self.first_group :]], digits[: -self.first_group]
        while rest:
            groups.append(rest[-self.other_groups :])
            rest = rest[: -self.other_groups]
        return self.group.join(reversed(groups))


def check_currency(code: str) -> str:
    """Return the code of a currency of ISO 4217, or raise a `ValueError`.

    >>> check_currency("EUR")
    'EUR'
    """
    if not is_currency(code):
        raise ValueError(f"{code!r} is not a currency of ISO 4217")
    return code


def _split(value: Decimal, decimals: int) -> tuple[str, str, str]:
    """Round a number, and return its sign, its digits and its decimals."""
    text = f"{value.quantize(Decimal(1).scaleb(-decimals), context=_EXACT):f}"
    digits, _, fraction = text.removeprefix("-").partition(".")
    sign = "-" if text.startswith("-") and (digits + fraction).strip("0") else ""
    return sign, digits, fraction


@lru_cache(maxsize=512)
def _money_decimals(currency: str | None) -> int:
    code = (currency or "").strip().upper()
    return get_currency_precision(code) if is_currency(code) else _MONEY_DECIMALS


def _find_locale(locale: str) -> Locale:
    for candidate in lookup_chain(locale[:_LONGEST_LOCALE]):
        try:
            return Locale.parse(candidate, sep="-")
        except (UnknownLocaleError, ValueError):
            continue
    return Locale.parse(_UNKNOWN)


def _digits_before_a_separator(locale: Locale) -> int:
    return _DIGITS_BY_LOCALE.get(str(locale)) or _DIGITS_BY_LANGUAGE.get(locale.language, 1)


_LONGEST_LOCALE = 35
"""Longer texts are no locales."""
