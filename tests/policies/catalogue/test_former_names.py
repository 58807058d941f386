from __future__ import annotations

from typing import Any

import pytest

from policies.catalogue.document import Catalogue
from policies.catalogue.mistakes import CatalogueError
from policies.catalogue.rulebook import Rulebook
from tests.factories import small_document


def with_old_names(**former: dict[str, list[str]]) -> dict[str, Any]:
    """A document in which parts have old names: ``channels={"push": ["app"]}``."""
    document = small_document(categories={"cart": {}, "browse": {}})
    for key, names in former.items():
        for name, old in names.items():
            document[key][name] = {**document[key][name], "formerly": old}
    return document


def test_old_names_lead_to_new_ones() -> None:
    document = with_old_names(
        channels={"push": ["app", "mobile"]}, categories={"cart": ["basket"]}, messages={"hint": ["h"]}
    )
    catalogue = Catalogue.from_document(document)
    names = Rulebook.of(catalogue, 1).former_names
    assert names.channels == {"app": "push", "mobile": "push"}
    assert names.categories == {"basket": "cart"}
    assert names.messages == {"h": "hint"}
    assert (names.channel("app"), names.category("browse"), names.message("h")) == ("push", "browse", "hint")
    assert Catalogue.from_document(catalogue.to_document()) == catalogue


@pytest.mark.parametrize(
    ("former", "path", "words"),
    [
        ({"channels": {"push": ["email"]}}, "channels.push.formerly.0", "in use"),
        ({"categories": {"cart": ["browse"]}}, "categories.cart.formerly.0", "in use"),
        ({"messages": {"hint": ["x", "reminder"]}}, "messages.hint.formerly.1", "in use"),
        ({"channels": {"push": ["app"], "email": ["app"]}}, "channels.email.formerly.0", "stands under 'push' already"),
        ({"channels": {"push": ["App"]}}, "channels.push.formerly.0", "small letter"),
    ],
)
def test_an_old_name_stands_under_one_new_name_and_is_no_name_in_use(former: Any, path: str, words: str) -> None:
    with pytest.raises(CatalogueError) as error:
        Catalogue.from_document(with_old_names(**former))
    (mistake,) = error.value.mistakes
    assert mistake.path == path
    assert words in mistake.message
