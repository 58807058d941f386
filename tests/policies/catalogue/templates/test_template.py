from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.catalogue.document import Catalogue
from policies.catalogue.rulebook import Rulebook
from policies.catalogue.template_table import TemplateTable
from policies.catalogue.templates.template import FilledNames, TemplateMistake, compile_template
from policies.catalogue.visible_text import is_visible
from tests.factories import small_document

values = st.one_of(st.text(max_size=20), st.integers(), st.floats(allow_nan=False), st.booleans())
TEXTS = [
    "{{ product }}",
    "{{ product | upper }} {{ price | money | trim }}",
    "{{ product | default('it') }}",
    "{% if points is defined %}{{ points }} {{ price }}{% else %}{{ product }}{% endif %}",
    "plain {{ 'constant' }}",
    "{{ price | title | lower | capitalize }}",
    "{% if points is defined %}{{ points }}{% endif %} {% if price is defined %}{{ price }}{% endif %}",
]


@given(
    st.sampled_from(TEXTS),
    st.dictionaries(st.sampled_from(["product", "price", "points"]), values),
)
def test_a_template_that_says_it_can_be_filled_is_filled(
    text: str, attributes: dict[str, str | int | float | bool]
) -> None:
    template = compile_template({"body": text})
    if template.is_filled_by(FilledNames.of(attributes)):
        body = template.render(attributes)["body"]
        assert "{{ " not in body.replace(str(attributes.get("product")), "")
        assert is_visible(body)
        assert not any(f"{value}" in body for value in attributes.values() if isinstance(value, bool))


@pytest.mark.parametrize(
    "text",
    [
        "{{ product.name }}",
        "{{ product['name'] }}",
        "{{ f() }}",
        "{{ 1 / 0 }}",
        "{{ price * 2 }}",
        "{% for x in y %}{% endfor %}",
        "{{ product | round }}",
        "{{ product | default }}",
        "{{ product | default('') }}",
        "{{ product | default(other) }}",
        "{% if price > 3 %}x{% endif %}",
        "{% set x = 1 %}",
        "{{ product | upper(foo=1) }}",
        "{{ product | trim(chars=4) }}",
        "{{ product | title(**more) }}",
        "{{ product | money(*more) }}",
        "{{ product | default('it', foo=1) }}",
        "{{ product | default('it', *more) }}",
        "{% if product is defined(1) %}x{% endif %}",
        "{% if product is defined(foo=1) %}x{% endif %}",
        "{{ self }}",
        "{{ self | default('it') }}",
        "{% if self is defined %}x{% endif %}",
        "{{ broken",
        "   ",
        "x" * 10_001,
    ],
)
def test_what_could_fail_is_refused_at_load(text: str) -> None:
    with pytest.raises(TemplateMistake):
        compile_template({"body": text})


@pytest.mark.parametrize("name", ["range", "dict", "lipsum", "cycler", "joiner", "namespace"])
def test_a_name_means_an_attribute_and_nothing_else(name: str) -> None:
    template = compile_template({"body": f"{{{{ {name} | default('it') }}}}{{% if {name} is defined %}}!{{% endif %}}"})
    assert template.render({}) == {"body": "it"}
    assert template.render({name: "Ann"}) == {"body": "Ann!"}


def test_no_number_is_too_large_to_be_money() -> None:
    assert compile_template({"body": f"{{{{ {10**400} | money }}}}"}).render({}) == {"body": f"{10**400:,}.00"}


def test_a_blank_attribute_takes_the_fallback() -> None:
    template = compile_template({"body": "{{ product | default('it') }}"})
    assert template.render({"product": "  "}) == {"body": "it"}


def test_both_branches_may_need_attributes() -> None:
    template = compile_template({"body": TEXTS[3]})
    assert template.required == {"price", "product"}


def test_locales_fall_back_to_language_and_default() -> None:
    document = small_document()
    document["messages"]["hint"]["templates"] = {
        "push": {"en": {"body": "en"}, "es": {"body": "es"}, "es-MX": {"body": "mx"}}
    }
    templates = TemplateTable.of(Catalogue.from_document(document))

    def body(locale: str) -> str:
        local = templates.find("hint", "push", locale)
        assert local is not None
        return local.render({})["body"]

    assert [body(locale) for locale in ("es-MX", "es-ES", "es_AR", "fr-FR", "en")] == ["mx", "es", "es", "en", "en"]
    assert templates.find("hint", "sms", "en") is None


def test_every_template_of_the_example_renders(example_rulebook: Rulebook) -> None:
    catalogue = example_rulebook.catalogue
    attributes: dict[str, str | float] = {
        "product": "Runner 3",
        "price": 59.9,
        "promo_code": "HELLO",
        "missing_amount": 12,
    }
    for name, message in catalogue.messages.items():
        for channel, locales in message.templates.items():
            assert set(locales) == {"en", "es"}
            for locale in locales:
                local = example_rulebook.templates.find(name, channel, locale)
                assert local is not None
                assert all(local.render(attributes).values())


@pytest.mark.parametrize("blank", ["\u200b", "\ufeff \n", "\u3164", "\x00", "\u202e"])
def test_an_attribute_that_nobody_can_see_is_absent(blank: str) -> None:
    assert not compile_template({"body": "{{ product }}"}).is_filled_by(FilledNames.of({"product": blank}))
    assert compile_template({"body": "{{ product | d('it') }}"}).render({"product": blank}) == {"body": "it"}


@pytest.mark.parametrize("part", ["title", "subject", "body"])
def test_a_part_that_a_shopper_sees_first_is_never_blank(part: str) -> None:
    template = compile_template({"body": "Hello", part: "\u200b{% if points is defined %}{{ points }}{% endif %}"})
    assert not template.is_filled_by(FilledNames.of({}))
    assert not template.is_filled_by(FilledNames.of({"points": False}))
    assert template.is_filled_by(FilledNames.of({"points": 7}))


def test_another_part_may_be_empty_at_times() -> None:
    template = compile_template({"body": "Hello", "footer": "{% if code is defined %}Code: {{ code }}{% endif %}"})
    assert template.is_filled_by(FilledNames.of({}))
    assert template.render({}) == {"body": "Hello", "footer": ""}


@pytest.mark.parametrize("flag", [True, False])
def test_a_shopper_never_reads_a_boolean(flag: bool) -> None:
    assert not compile_template({"body": "{{ price }} EUR"}).is_filled_by(FilledNames.of({"price": flag}))
    fallback = compile_template({"body": "{{ price | d('Much') }}{% if price is defined %}: {{ price }}{% endif %}"})
    assert fallback.render({"price": flag}) == {"body": "Much"}


def test_a_true_flag_is_defined_and_a_false_one_is_not() -> None:
    template = compile_template({"body": "{% if express is defined %}Express{% else %}Slow{% endif %}"})
    assert [template.render({"express": flag})["body"] for flag in (True, False)] == ["Express", "Slow"]


def test_line_breaks_reach_the_body_alone() -> None:
    template = compile_template({"title": "{{ product }}!", "cta": "{{ product }}", "body": "{{ product }}\tend"})
    assert template.render({"product": "Runner\r\nBcc: all\u2028\x00"}) == {
        "title": "Runner Bcc: all !",
        "cta": "Runner Bcc: all",
        "body": "Runner\r\nBcc: all\u2028 \tend",
    }


def test_numbers_are_written_for_the_reader_in_every_filter() -> None:
    text = "{{ n }} {{ n | upper }} {{ n | trim }} {{ n | title }} {{ n | money }} {{ missing | d(0.5) }} {{ 1000.25 }}"
    body = compile_template({"body": text}).render({"n": 1250.5}, locale="de")["body"]
    assert body == "1250,5 1250,5 1250,5 1250,5 1.250,50 0,5 1000,25"
