"""The table of a catalogue's templates, all compiled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from policies.catalogue.document import Catalogue
from policies.catalogue.locales import lookup_chain, normalize
from policies.catalogue.number_formats import NumberFormat
from policies.catalogue.templates.template import FilledNames, Template, compile_template
from policies.records.rows import Scalar

_MOST_KEPT = 20_000
"""How many results of `TemplateTable.find` are kept. Shops use a few locales; the bound is only a guard."""


@dataclass(frozen=True)
class LocalTemplate:
    """A template that was found for a shopper's locale.

    Parameters
    ----------
    locale
        The template's locale, as the catalogue writes it.
    number_locale
        The locale in which numbers are written: the shopper's own, unless the text is in another language.
    currency
        The currency of amounts for which the trigger names none.
    """

    template: Template
    locale: str
    number_locale: str
    currency: str | None

    def render(self, attributes: Mapping[str, Scalar]) -> dict[str, str]:
        """Fill every part."""
        return self.template.render(attributes, self.number_locale, self.currency)


@dataclass(frozen=True)
class TemplateTable:
    """All templates of a catalogue, found by message, channel and the shopper's locale."""

    default_locale: str
    currency: str | None
    _templates: Mapping[tuple[str, str], Mapping[str, tuple[str, Template]]] = field(repr=False)
    """By message and channel: the locale in the form of `normalize` → the locale as it is written, and its template."""
    _of_locales: dict[tuple[str, str, str], LocalTemplate | None] = field(
        default_factory=dict, repr=False, compare=False
    )

    @classmethod
    def of(cls, catalogue: Catalogue) -> TemplateTable:
        """Compile the templates of a catalogue."""
        templates = {
            (name, channel): dict(_compile(locales))
            for name, message in catalogue.messages.items()
            for channel, locales in message.templates.items()
        }
        return cls(catalogue.defaults.locale, catalogue.currency, templates)

    def find(self, message: str, channel: str, locale: str) -> LocalTemplate | None:
        """Return the template for the locale by the lookup of RFC 4647, else for the default locale.

        None where there is neither.
        """
        key = (message, channel, locale)
        if key in self._of_locales:
            return self._of_locales[key]
        template = self._look_up(*key)
        if len(self._of_locales) < _MOST_KEPT:
            self._of_locales[key] = template
        return template

    def _look_up(self, message: str, channel: str, locale: str) -> LocalTemplate | None:
        templates = self._templates.get((message, channel), {})
        for wanted in (locale, self.default_locale):
            for candidate in lookup_chain(wanted):
                if candidate in templates:
                    written, template = templates[candidate]
                    return LocalTemplate(template, written, wanted, self.currency)
        return None

    def is_available(self, message: str, channel: str, locale: str, names: FilledNames) -> bool:
        """Return whether there is a template that these attributes can fill."""
        local = self.find(message, channel, locale)
        return local is not None and local.template.is_filled_by(names)


def _compile(locales: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[str, tuple[str, Template]]]:
    """Yield the templates by normal locale. Of two spellings in an old catalogue, the first one counts."""
    compiled: set[str] = set()
    for locale, parts in locales.items():
        if (normal := normalize(locale)) not in compiled:
            compiled.add(normal)
            NumberFormat.of(locale)  # read now, not by the first decision
            yield normal, (locale, compile_template(parts))
