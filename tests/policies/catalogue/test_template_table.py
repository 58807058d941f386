"""Which template a shopper's locale finds, and how a shopper's numbers are written."""

from __future__ import annotations

from typing import Any

import pytest

from policies.catalogue.document import Catalogue
from policies.catalogue.mistakes import CatalogueError
from policies.catalogue.template_table import LocalTemplate, TemplateTable
from tests.factories import small_document


def document(*locales: str, default: str = "en", body: str = "{{ price | money }}") -> dict[str, Any]:
    changed = small_document(defaults={"locale": default}, currency="EUR")
    for message in changed["messages"].values():
        message["templates"] = {"push": {locale: {"body": body} for locale in locales}}
    return changed


def find(locale: str, *locales: str, **changes: str) -> LocalTemplate:
    local = TemplateTable.of(Catalogue.from_document(document(*locales, **changes))).find("hint", "push", locale)
    assert local is not None
    return local


@pytest.mark.parametrize(
    ("locale", "expected"),
    [
        ("pt_BR", "pt-BR"),
        ("PT-br", "pt-BR"),
        ("pt", "en"),
        ("zh-Hant-TW", "zh-Hant"),
        ("zh_hant_hk", "zh-Hant"),
        ("zh-TW", "en"),
        ("es-MX", "es_MX"),
        ("es-MX-x-shop", "es_MX"),
        ("es-ES", "ES"),
        ("es", "ES"),
        ("fr-FR", "en"),
        ("", "en"),
    ],
)
def test_the_longest_locale_that_begins_alike_wins(locale: str, expected: str) -> None:
    assert find(locale, "en", "pt-BR", "zh-Hant", "es_MX", "ES").locale == expected


def test_the_default_locale_is_looked_up_too() -> None:
    assert find("fr", "EN", "es", default="en-GB").locale == "EN"


@pytest.mark.parametrize("twin", ["pt_BR", "pt-br", "PT_BR"])
def test_two_spellings_of_a_locale_are_refused(twin: str) -> None:
    with pytest.raises(CatalogueError) as error:
        Catalogue.from_document(document("en", "pt-BR", twin))
    assert {mistake.path for mistake in error.value.mistakes} == {
        f"messages.{name}.templates.push.{twin}" for name in ("hint", "reminder")
    }
    stored = TemplateTable.of(Catalogue.from_stored(document("en", "pt-BR", twin))).find("hint", "push", "pt-BR")
    assert stored is not None
    assert stored.locale == "pt-BR", "an old catalogue stays in force, and its first spelling counts"


def test_numbers_are_written_in_the_shoppers_locale_or_in_that_of_the_text() -> None:
    price = {"price": 12999.5}
    assert find("es-ES", "en", "es").render(price) == {"body": "12.999,50"}
    assert find("es-MX", "en", "es").render(price) == {"body": "12,999.50"}
    assert find("de", "en", "es").render(price) == {"body": "12,999.50"}, "the text is English"


def test_the_currency_is_that_of_the_trigger_or_of_the_catalogue() -> None:
    local = find("es", "en", "es")
    assert local.render({"price": 5900.0, "currency": "JPY"}) == {"body": "5900"}
    assert local.render({"price": 5900.0}) == {"body": "5900,00"}
