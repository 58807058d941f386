"""The table of a catalogue's templates, all compiled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from policies.catalogue.document import Catalogue
from policies.catalogue.templates import Template, compile_template


@dataclass(frozen=True)
class TemplateTable:
    """All templates of a catalogue, found by message, channel and the shopper's locale."""

    default_locale: str
    _templates: Mapping[tuple[str, str, str], Template] = field(repr=False)

    @classmethod
    def of(cls, catalogue: Catalogue) -> TemplateTable:
        """Compile the templates of a catalogue."""
        templates = {
            (name, channel, locale): compile_template(parts)
            for name, message in catalogue.messages.items()
            for channel, locales in message.templates.items()
            for locale, parts in locales.items()
        }
        return cls(catalogue.defaults.locale, templates)

    def template(self, message: str, channel: str, locale: str) -> Template | None:
        """Return the template for the locale, else for its language, else for the default locale; None without any."""
        language = locale.replace("_", "-").partition("-")[0].lower()
        for candidate in (locale, language, self.default_locale):
            template = self._templates.get((message, channel, candidate))
            if template is not None:
                return template
        return None

    def is_available(self, message: str, channel: str, locale: str, attribute_names: frozenset[str]) -> bool:
        """Return whether there is a template that these attributes can fill.

        ``attribute_names`` are the names of the trigger's attributes that are not blank (see `filled_names`).
        """
        template = self.template(message, channel, locale)
        return template is not None and template.required <= attribute_names
