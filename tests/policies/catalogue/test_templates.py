from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.catalogue.document import Catalogue
from policies.catalogue.rulebook import Rulebook
from policies.catalogue.template_table import TemplateTable
from policies.catalogue.templates import TemplateMistake, compile_template, filled_names
from tests.factories import small_document

values = st.one_of(st.text(max_size=20), st.integers(), st.floats(allow_nan=False), st.booleans())
TEXTS = [
    "{{ product }}",
    "{{ product | upper }} {{ price | money | trim }}",
    "{{ product | default('it') }}",
    "{% if points is defined %}{{ points }} {{ price }}{% else %}{{ product }}{% endif %}",
    "plain {{ 'constant' }}",
    "{{ price | title | lower | capitalize }}",
]


@given(
    st.sampled_from(TEXTS),
    st.dictionaries(st.sampled_from(["product", "price", "points"]), values),
)
def test_a_template_that_says_it_can_be_filled_is_filled(
    text: str, attributes: dict[str, str | int | float | bool]
) -> None:
    template = compile_template({"body": text})
    if template.required <= filled_names(attributes):
        body = template.render(attributes)["body"]
        assert "{{ " not in body.replace(str(attributes.get("product")), "")


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
    assert compile_template({"body": f"{{{{ {10**400} | money }}}}"}).render({}) == {"body": f"{10**400}.00"}


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
        template = templates.template("hint", "push", locale)
        assert template is not None
        return template.render({})["body"]

    assert [body(locale) for locale in ("es-MX", "es-ES", "es_AR", "fr-FR", "en")] == ["mx", "es", "es", "en", "en"]
    assert templates.template("hint", "sms", "en") is None


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
                template = example_rulebook.templates.template(name, channel, locale)
                assert template is not None
                assert all(template.render(attributes).values())
