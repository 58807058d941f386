from __future__ import annotations

from typing import Any

import pytest

from policies.catalogue import Catalogue, CatalogueError
from tests.factories import small_document


def mistakes(document: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(CatalogueError) as caught:
        Catalogue.from_document(document)
    return {mistake.path: mistake.message for mistake in caught.value.mistakes}


def test_the_document_comes_back() -> None:
    catalogue = Catalogue.from_document(small_document(caps=[{"max": 3, "window_s": 60}]))
    assert Catalogue.from_document(catalogue.to_document()) == catalogue


@pytest.mark.parametrize(
    ("path", "change"),
    [
        (
            "channels.push.quiet_hours",
            {"channels": {"push": {"attribution_window_s": 1, "quiet_hours": {"from": "22:00"}}}},
        ),
        ("channels.push.daily_budget", {"channels": {"push": {"attribution_window_s": 1, "daily_budget": 5}}}),
        ("categories", {"categories": {"cart": {"caps": []}}}),
        ("min_gap_s", {"min_gap_s": 3600}),
        ("suppression", {"suppression": [{"after": "cart", "blocks": "browse", "window_s": 60}]}),
        ("opt_out_budget_per_1000", {"opt_out_budget_per_1000": 3.0}),
        ("arms.holdout", {"arms": {"holdout": 0.1, "baseline": 0.0}}),
        ("caps.0.calendar", {"caps": [{"max": 2, "calendar": "day"}]}),
    ],
)
def test_rules_that_are_not_built_yet_are_refused_by_path(path: str, change: dict[str, Any]) -> None:
    assert "not supported yet" in mistakes(small_document(**change))[path]


def test_message_rules_that_are_not_built_yet_are_refused_by_path() -> None:
    document = small_document()
    document["messages"]["hint"] |= {"cooldown_s": 60, "caps": [{"max": 1, "window_s": 60}]}
    found = mistakes(document)
    assert found["messages.hint.cooldown_s"] == found["messages.hint.caps"] == "is not supported yet"


def test_neutral_values_of_such_rules_are_fine() -> None:
    neutral: dict[str, object] = {
        "min_gap_s": None,
        "suppression": [],
        "arms": {"holdout": 0.0, "baseline": 0.0},
        "opt_out_budget_per_1000": None,
    }
    assert Catalogue.from_document(small_document(**neutral)) == Catalogue.from_document(small_document())


def test_every_mistake_of_structure_is_named() -> None:
    document = small_document(delays_s=["now"], colour="red")
    document["channels"]["push"] = {"attribution_window_s": 0, "atribution_window": 1}
    document["triggers"]["wishlist"]["priority"] = -1
    found = mistakes(document)
    assert set(found) == {
        "delays_s.0",
        "colour",
        "channels.push.attribution_window_s",
        "channels.push.atribution_window",
        "triggers.wishlist.priority",
    }
    assert "did you mean 'attribution_window_s'?" in found["channels.push.atribution_window"]


def test_every_mistake_of_meaning_is_named() -> None:
    document = small_document(defaults={"time_zone": "Mars/Base", "consent": {"fax": True}}, delays_s=[3600, 0])
    document["messages"]["hint"] = {
        "category": "browse",
        "triggers": ["wishlst"],
        "delays_s": [60],
        "templates": {"pusj": {"es": {"title": "{{ a.b }}"}}},
    }
    found = mistakes(document)
    assert set(found) == {
        "defaults.time_zone",
        "defaults.consent.fax",
        "delays_s",
        "messages.hint.triggers.0",
        "messages.hint.delays_s.0",
        "messages.hint.templates.pusj",
        "messages.hint.templates.pusj.es",
        "messages.hint.templates.pusj.es.title",
        "triggers.wishlist",
    }
    assert "did you mean 'wishlist'?" in found["messages.hint.triggers.0"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0, "free"])
def test_costs_are_finite_and_not_negative(value: object) -> None:
    document = small_document()
    document["channels"]["push"]["cost"] = value
    assert "channels.push.cost" in mistakes(document)


def test_without_a_consent_block_everyone_has_consented() -> None:
    assert Catalogue.from_document(small_document()).consents("push")
    some = Catalogue.from_document(small_document(defaults={"consent": {"push": True}}))
    assert (some.consents("push"), some.consents("email")) == (True, False)
