from __future__ import annotations

from pathlib import Path

import pytest

from decision_service.catalogues.file import CatalogueFileError, example, parse_catalogue, read_catalogue
from policies.catalogue.rulebook import Rulebook

TRIGGERS = {
    *("cart_abandoned", "product_viewed", "wishlist", "back_in_stock", "low_stock", "price_drop", "post_purchase"),
    *("review_request", "welcome", "first_order", "birthday", "replenishment", "win_back", "loyalty", "seasonal"),
}

TEXT = """delays_s: [0]
channels:
  push: {attribution_window_s: 60}
triggers:
  wishlist: {expires_s: 60}
messages:
  hint:
    category: browse
    triggers: [wishlst]
    templates:
      push:
        en: {body: "{{ a.b }}"}
"""


def refusal(text: str) -> list[str]:
    with pytest.raises(CatalogueFileError) as caught:
        parse_catalogue(text, "shop.yaml")
    return str(caught.value).splitlines()


def test_the_example_is_what_the_readme_promises() -> None:
    catalogue = example()
    assert set(catalogue.triggers) == TRIGGERS
    assert len(catalogue.messages) >= 12
    assert set(catalogue.channels) == {"push", "email", "sms", "webpush", "inapp"}
    assert catalogue.delays_s == (0, 3600, 14400, 43200, 86400)
    assert 60 <= len(Rulebook.of(catalogue, 1).space) <= 250


def test_every_mistake_has_its_line() -> None:
    lines = refusal(TEXT)
    assert any(line.startswith("shop.yaml:9: messages.hint.triggers.0:") for line in lines)
    assert any(line.startswith("shop.yaml:12: messages.hint.templates.push.en.body:") for line in lines)
    assert any(line.startswith("shop.yaml:5: triggers.wishlist: no message answers it") for line in lines)


def test_a_duplicate_key_is_a_mistake() -> None:
    assert refusal(TEXT.replace("wishlst", "wishlist").replace("{{ a.b }}", "x") + "delays_s: [1]\n") == [
        "shop.yaml:1: delays_s: stands twice, again in line 13"
    ]


@pytest.mark.parametrize("text", ["", "- a\n", "a: [", "key: 'open"])
def test_a_text_without_a_mapping_is_refused(text: str) -> None:
    assert refusal(text)[0].startswith("shop.yaml")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CatalogueFileError, match="cannot be read"):
        read_catalogue(tmp_path / "none.yaml")


MISREAD = """delays_s: [0100]
channels:
  push: {attribution_window_s: 1e3, quiet_hours: {from: 21:30, to: "08:00"}}
triggers:
  wishlist: {expires_s: 60}
messages:
  hint:
    category: browse
    triggers: [wishlist]
    templates:
      push:
        en: {body: Hello}
        no: {body: Hei}
        nb: {body: off}
        pt-BR: {body: Oi}
        pt_br: {body: Oi}
defaults: {locale: no, time_zone: localtime}
"""


def test_all_mistakes_are_named_at_once_in_the_order_of_their_lines() -> None:
    lines = refusal(MISREAD)
    assert [line.partition(": ")[0].partition(":")[2] for line in lines] == [
        "1",
        "3",
        "3",
        "13",
        "14",
        "16",
        "17",
        "17",
    ]
    text = "\n".join(lines)
    for words in (
        "delays_s.0: YAML reads 0100 as the number 64",
        "quiet_hours.from: YAML reads 21:30 as the number 1290",
        "attribution_window_s: should be a valid integer; YAML reads 1e3 as text",
        "push.no: YAML reads the key no as true or false: write it in quotes",
        "nb.body: should be a valid string; YAML reads off as true or false: write it in quotes",
        "pt_br: is the same locale as 'pt-BR'",
        "defaults.locale: should be a valid string; YAML reads no as true or false",
        "defaults.time_zone: there is no time zone of the IANA database 'localtime'",
    ):
        assert words in text
    assert "^" not in text


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    source = TEXT.replace("wishlst", "wishlist").replace("{{ a.b }}", "x")
    (tmp_path / "shop.yaml").write_text(source, encoding="utf-8-sig")
    assert read_catalogue(tmp_path / "shop.yaml") == parse_catalogue(source, "shop.yaml")
