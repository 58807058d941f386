"""The contents of a catalogue: all its templates, compiled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from policies.catalogue.document import Catalogue
from policies.catalogue.templates import Template, compile_template


@dataclass(frozen=True)
class Contents:
    """All templates of a catalogue, found by message, channel and the shopper's locale."""

    default_locale: str
    _templates: Mapping[tuple[str, str, str], Template] = field(repr=False)

    @classmethod
    def of(cls, catalogue: Catalogue) -> Contents:
        """Compile the templates of a catalogue."""
        templates = {
            (name, channel, locale): compile_template(parts)
            for name, message in catalogue.messages.items()
            for channel, locales in message.templates.items()
            for locale, parts in locales.items()
        }
        return cls(catalogue.defaults.locale, templates)

    def template(self, message: str, channel: str, locale: str) -> Template | None:
        """Return the template of the exact locale, else of its language, else of the catalogue's default, if any."""
        language = locale.replace("_", "-").partition("-")[0].lower()
        for candidate in (locale, language, self.default_locale):
            template = self._templates.get((message, channel, candidate))
            if template is not None:
                return template
        return None

    def available(self, message: str, channel: str, locale: str, attribute_names: frozenset[str]) -> bool:
        """Return whether a template exists that these attributes can fill."""
        template = self.template(message, channel, locale)
        return template is not None and template.required <= attribute_names
