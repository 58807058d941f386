"""Former names of channels, categories and messages: what a shop renamed, so that consents and sends go along."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from policies.catalogue.document import Catalogue


class _Renamed(Protocol):
    @property
    def formerly(self) -> tuple[str, ...]: ...


@dataclass(frozen=True)
class FormerNames:
    """Old name → new name, of channels, categories and messages.

    >>> names = FormerNames({"mail": "email"}, {}, {})
    >>> names.channel("mail"), names.channel("push")
    ('email', 'push')
    """

    channels: Mapping[str, str]
    categories: Mapping[str, str]
    messages: Mapping[str, str]

    @classmethod
    def of(cls, catalogue: Catalogue) -> FormerNames:
        """Return the former names in a catalogue."""
        return cls(
            channels=_new_by_old(catalogue.channels.items()),
            categories=_new_by_old(catalogue.categories.items()),
            messages=_new_by_old(catalogue.messages.items()),
        )

    def are_any(self) -> bool:
        """Return whether anything was renamed."""
        return bool(self.channels or self.categories or self.messages)

    def names_of_channel(self, name: str) -> tuple[str, ...]:
        """Return all names of the channel that has or had this name, today's first.

        >>> FormerNames({"mail": "email", "post": "email"}, {}, {}).names_of_channel("mail")
        ('email', 'mail', 'post')
        """
        return _all_names(self.channels, self.channel(name))

    def names_of_category(self, name: str) -> tuple[str, ...]:
        """Return all names of the category that has or had this name, today's first."""
        return _all_names(self.categories, self.category(name))

    def channel(self, name: str) -> str:
        """Return the name that a channel has today."""
        return self.channels.get(name, name)

    def category(self, name: str) -> str:
        """Return the name that a category has today."""
        return self.categories.get(name, name)

    def message(self, name: str) -> str:
        """Return the name that a message has today."""
        return self.messages.get(name, name)


def _all_names(new_by_old: Mapping[str, str], name: str) -> tuple[str, ...]:
    return (name, *(old for old, new in new_by_old.items() if new == name))


def _new_by_old(parts: Iterable[tuple[str, _Renamed]]) -> dict[str, str]:
    return {old: name for name, part in parts for old in part.formerly}
