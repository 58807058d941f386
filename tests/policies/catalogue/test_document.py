from __future__ import annotations

from typing import Any

import pytest

from policies.catalogue.document import Catalogue
from policies.catalogue.mistakes import CatalogueError
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
        ("opt_out_budget_per_1000", {"opt_out_budget_per_1000": 3.0}),
        ("arms.baseline", {"arms": {"baseline": 0.1}}),
    ],
)
def test_rules_that_are_not_built_yet_are_refused_by_path(path: str, change: dict[str, object]) -> None:
    assert mistakes(small_document(**change)) == {path: "is not supported yet"}


def test_every_rule_of_the_contract_can_be_written_down_and_read_back() -> None:
    document = small_document(
        caps=[{"max": 7, "window_s": 604_800}, {"max": 2, "calendar": "day"}],
        categories={"cart": {"caps": [{"max": 1, "calendar": "week"}]}},
        min_gap_s=3_600,
        suppression=[{"after": "cart", "blocks": "browse", "window_s": 300}],
        arms={"holdout": 0.05, "baseline": 0.0},
    )
    document["channels"]["push"] |= {"quiet_hours": {"from": "21:30", "to": "08:00"}, "daily_budget": 2.5}
    document["messages"]["hint"] |= {"cooldown_s": 86_400, "caps": [{"max": 1, "window_s": 60}]}
    catalogue = Catalogue.from_document(document)
    assert Catalogue.from_document(catalogue.to_document()) == catalogue
    assert catalogue.to_document()["channels"]["push"]["quiet_hours"] == {"from": "21:30", "to": "08:00"}


def test_every_mistake_in_a_rule_is_named() -> None:
    document = small_document(
        caps=[{"max": 2}, {"max": 2, "window_s": 60, "calendar": "day"}],
        arms={"holdout": 1.5},
        min_gap_s=0,
        suppression=[{"after": "cart", "blocks": "browse", "window_s": 40 * 86_400}],
    )
    document["channels"]["push"] |= {"quiet_hours": {"from": "24:00", "too": "08:00"}, "daily_budget": -1.0}
    document["channels"]["email"]["quiet_hours"] = {"from": "08:00", "to": "08:00"}
    named = mistakes(document)
    assert set(named) == {
        "caps.0",
        "caps.1",
        "arms.holdout",
        "min_gap_s",
        "suppression.0.window_s",
        "channels.push.quiet_hours.from",
        "channels.push.quiet_hours.to",
        "channels.push.quiet_hours.too",
        "channels.push.daily_budget",
        "channels.email.quiet_hours",
    }
    assert "did you mean 'to'?" in named["channels.push.quiet_hours.too"]


def test_rules_about_unknown_categories_are_named() -> None:
    document = small_document(
        categories={"crt": {}}, suppression=[{"after": "cart", "blocks": "browsing", "window_s": 300}]
    )
    named = mistakes(document)
    assert set(named) == {"categories.crt", "suppression.0.blocks"}
    assert "did you mean 'cart'?" in named["categories.crt"]


def test_a_neutral_value_may_stand_where_a_rule_is_not_built_yet() -> None:
    neutral: dict[str, object] = {
        "min_gap_s": None,
        "suppression": [],
        "arms": {"holdout": 0.0, "baseline": 0.0},
        "opt_out_budget_per_1000": None,
    }
    assert Catalogue.from_document(small_document(**neutral)) == Catalogue.from_document(small_document())


def test_a_document_names_how_much_an_order_without_a_click_counts_where_it_is_not_1() -> None:
    catalogue = Catalogue.from_document(small_document(reward={"view_through": 0.5}))
    assert catalogue.to_document()["reward"]["view_through"] == 0.5
    assert Catalogue.from_stored(catalogue.to_document()) == catalogue
    in_full = Catalogue.from_document(small_document(reward={"view_through": 1.0}))
    assert in_full.to_document() == Catalogue.from_document(small_document()).to_document()


@pytest.mark.parametrize("view_through", [-0.1, 1.1, float("nan"), "1"])
def test_an_order_counts_between_nothing_and_in_full(view_through: object) -> None:
    assert set(mistakes(small_document(reward={"view_through": view_through}))) == {"reward.view_through"}


def test_every_mistake_of_structure_is_named() -> None:
    document = small_document(delays_s=["now"], colour="red")
    document["channels"]["push"] = {"attribution_window_s": 0, "atribution_window": 1}
    document["triggers"]["wishlist"]["priority"] = -1
    named = mistakes(document)
    assert set(named) == {
        "delays_s.0",
        "colour",
        "channels.push.attribution_window_s",
        "channels.push.atribution_window",
        "triggers.wishlist.priority",
    }
    assert "did you mean 'attribution_window_s'?" in named["channels.push.atribution_window"]


def test_every_mistake_of_meaning_is_named() -> None:
    document = small_document(defaults={"time_zone": "Mars/Base", "consent": {"fax": True}}, delays_s=[3600, 0])
    document["messages"]["hint"] = {
        "category": "browse",
        "triggers": ["wishlst"],
        "delays_s": [60],
        "templates": {"pusj": {"es": {"title": "{{ a.b }}"}}},
    }
    named = mistakes(document)
    assert set(named) == {
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
    assert "did you mean 'wishlist'?" in named["messages.hint.triggers.0"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0, "free"])
def test_costs_are_finite_and_not_negative(value: object) -> None:
    document = small_document()
    document["channels"]["push"]["cost"] = value
    assert "channels.push.cost" in mistakes(document)


def test_without_a_consent_block_everyone_has_consented() -> None:
    assert Catalogue.from_document(small_document()).consents("push")
    some = Catalogue.from_document(small_document(defaults={"consent": {"push": True}}))
    assert (some.consents("push"), some.consents("email")) == (True, False)


def test_a_trigger_names_the_shopper_events_that_end_it() -> None:
    document = small_document()
    document["triggers"]["cart_abandoned"]["ends_on"] = ["purchase", "refund"]
    triggers = Catalogue.from_document(document).triggers
    assert (triggers["cart_abandoned"].ends_on, triggers["wishlist"].ends_on) == (("purchase", "refund"), ())
    document["triggers"]["wishlist"]["ends_on"] = ["purchased"]
    assert "'purchase'" in mistakes(document)["triggers.wishlist.ends_on.0"]


def test_the_currency_is_one_of_iso_4217_or_is_not_checked() -> None:
    assert Catalogue.from_document(small_document()).currency is None
    assert Catalogue.from_document(small_document(currency="EUR")).currency == "EUR"
    assert "ISO 4217" in mistakes(small_document(currency="XYZ"))["currency"]
    assert "three capital letters" in mistakes(small_document(currency="eur"))["currency"]


@pytest.mark.parametrize("names", [["product"], [], None])
def test_a_message_names_the_attributes_of_its_data(names: list[str] | None) -> None:
    document = small_document()
    document["messages"]["hint"]["data"] = names
    catalogue = Catalogue.from_document(document)
    assert catalogue.messages["hint"].data == (None if names is None else tuple(names))
    assert Catalogue.from_document(catalogue.to_document()) == catalogue


def test_what_a_later_version_refuses_stays_in_force_where_it_is_stored() -> None:
    document = small_document(defaults={"time_zone": "localtime"})
    assert "defaults.time_zone" in mistakes(document)
    assert Catalogue.from_stored(document).defaults.time_zone == "localtime"
