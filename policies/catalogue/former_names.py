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

    def channel(self, name: str) -> str:
        """Return the name that a channel has today."""
        return self.channels.get(name, name)

    def category(self, name: str) -> str:
        """Return the name that a category has today."""
        return self.categories.get(name, name)

    def message(self, name: str) -> str:
        """Return the name that a message has today."""
        return self.messages.get(name, name)


def _new_by_old(parts: Iterable[tuple[str, _Renamed]]) -> dict[str, str]:
    return {old: name for name, part in parts for old in part.formerly}
