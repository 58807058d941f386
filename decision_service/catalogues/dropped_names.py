"""Names that a new catalogue drops although preferences of shoppers or sends with open windows use them."""

from __future__ import annotations

from collections.abc import Iterator

from decision_service.schemas.command_answers import CatalogueWarning
from decision_service.state.base import InspectableStates, StateUnavailable
from policies.catalogue.document import Catalogue
from policies.rules.uses import Uses, count_uses

IN_USE = "is in use and was dropped: if it was renamed, list it under formerly of its new name"


async def find_dropped_names(
    before: Catalogue, after: Catalogue, store: InspectableStates, day: int
) -> list[CatalogueWarning]:
    """Return a warning for each name that one catalogue has, the next one lacks, and shoppers use.

    A state store that is away knows no uses.
    """
    kept = {*_paths(after)}
    dropped = [path for path in dict.fromkeys(_paths(before)) if path not in kept]
    if not dropped:
        return []
    try:
        uses = await store.uses()
    except StateUnavailable:
        return []
    return [warning for path in dropped if (warning := _warning(path, uses, day)) is not None]


def _paths(catalogue: Catalogue) -> Iterator[str]:
    """Yield the path of every name, former names included."""
    for kind, parts in (
        ("channels", catalogue.channels),
        ("messages", catalogue.messages),
        ("categories", catalogue.categories),
    ):
        for name, part in parts.items():
            yield f"{kind}.{name}"
            yield from (f"{kind}.{old}" for old in part.formerly)
    yield from (f"categories.{message.category}" for message in catalogue.messages.values())


def _warning(path: str, uses: Uses, day: int) -> CatalogueWarning | None:
    shoppers, sends = count_uses(uses, path, day)
    if not shoppers and not sends:
        return None
    return CatalogueWarning(
        path=path,
        message=IN_USE,
        shoppers=shoppers,
        sends=sends,
    )
