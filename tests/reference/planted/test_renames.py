"""The audit finds sends that break a rule only because a channel, category or message has another name today."""

from __future__ import annotations

from typing import Any

import pytest

from tests.factories import NOW
from tests.reference.planted.log_by_hand import HOUR, LogByHand, document, merge

LONG = [{"max": 1, "window_s": 86_400}]


def catalogue_with_new_names(formerly: bool, **rules: Any) -> dict[str, Any]:
    """Return the catalogue in which push, the category cart and the reminder have other names."""
    old = document()
    templates = {"app": {"en": {"body": "Hello"}}, "email": {"en": {"body": "Hello"}}}
    names = {
        "delays_s": old["delays_s"],
        "channels": {"app": old["channels"]["push"], "email": old["channels"]["email"]},
        "triggers": old["triggers"],
        "categories": {"basket": {}},
        "messages": {
            "nudge": {"category": "basket", "triggers": ["left"], "templates": templates},
            "hint": {"category": "browse", "triggers": ["viewed"], "templates": templates},
        },
    }
    former = {
        "channels": {"app": {"formerly": ["push"]}, "email": {"formerly": ["sms"]}},
        "categories": {"basket": {"formerly": ["cart"]}},
        "messages": {"nudge": {"formerly": ["reminder"]}},
    }
    changed: dict[str, Any] = merge(merge(names, former if formerly else {}), rules)
    return changed


def codes(log: LogByHand) -> list[str]:
    return [code for _, code in log.violations]


WORDS: list[tuple[str, dict[str, Any], str]] = [
    ("no_consent", {"consent": {"push": False}}, "app"),
    ("unreachable", {"reachable": {"push": False}}, "app"),
    ("preference", {"muted_categories": ("cart",)}, "app"),
    ("no_consent", {"consent": {"sms": False, "email": True}}, "email"),
    ("no_consent", {"consent": {"sms": True, "email": False}}, "email"),
    ("unreachable", {"reachable": {"sms": False}}, "email"),
]


@pytest.mark.parametrize(("code", "words", "channel"), WORDS)
def test_what_was_withheld_under_a_former_name_is_withheld(code: str, words: dict[str, Any], channel: str) -> None:
    for formerly in (True, False):
        log = LogByHand()
        log.prefer(NOW - 2, **words)
        log.replace_catalogue(catalogue_with_new_names(formerly), NOW - 1)
        log.send("next", NOW, message="nudge", channel=channel)
        is_held_by_name = words.get("consent", {}).get(channel) is False
        assert codes(log) == ([code] if formerly or is_held_by_name else [])


def test_a_grant_under_all_names_lifts_what_was_withheld_under_one() -> None:
    log = LogByHand()
    log.prefer(NOW - 3, consent={"push": False})
    log.replace_catalogue(catalogue_with_new_names(formerly=True), NOW - 2)
    log.prefer(NOW - 1, consent={"app": True})
    log.send("next", NOW, message="nudge", channel="app")
    assert codes(log) == ["no_consent"], "the row must name the former name too"
    log.rows.pop()
    log.prefer(NOW - 1, consent={"app": True, "push": True})
    log.send("next", NOW, message="nudge", channel="app")
    assert codes(log) == []


def test_a_grant_under_a_former_name_after_an_erasure_opens_the_channel() -> None:
    log = LogByHand()
    log.erase(NOW - 3)
    log.prefer(NOW - 2, consent={"push": True})
    log.replace_catalogue(catalogue_with_new_names(formerly=True), NOW - 1)
    log.send("next", NOW, message="nudge", channel="app")
    assert codes(log) == []


def test_after_an_erasure_a_grant_under_one_of_two_former_names_opens_nothing() -> None:
    merged = {"channels": {"app": {"formerly": ["push", "sms"]}, "email": {"formerly": []}}}
    for channels in (["push"], ["sms"], ["push", "sms"], ["app"]):
        log = LogByHand()
        log.erase(NOW - 3)
        log.prefer(NOW - 2, consent=dict.fromkeys(channels, True))
        log.replace_catalogue(catalogue_with_new_names(formerly=True, **merged), NOW - 1)
        log.send("next", NOW, message="nudge", channel="app")
        assert codes(log) == (["no_consent"] if channels in (["push"], ["sms"]) else [])


PLACES: list[tuple[str, dict[str, Any]]] = [
    ("cap_channel", {"channels": {"app": {"caps": LONG}}}),
    ("cap_category", {"categories": {"basket": {"caps": LONG}}}),
    ("cap_message", {"messages": {"nudge": {"caps": LONG}}}),
    ("cooldown", {"messages": {"nudge": {"cooldown_s": 7_200}}}),
    ("suppression_window", {"suppression": [{"after": "basket", "blocks": "basket", "window_s": 7_200}]}),
    ("budget", {"channels": {"app": {"daily_budget": 0.9}}}),
]


@pytest.mark.parametrize(("code", "rules"), PLACES)
def test_a_place_and_money_under_a_former_name_count(code: str, rules: dict[str, Any]) -> None:
    for formerly in (True, False):
        log = LogByHand()
        log.send("first", NOW)
        log.replace_catalogue(catalogue_with_new_names(formerly, **rules), NOW + 1)
        log.send("second", NOW + HOUR, message="nudge", channel="app")
        assert codes(log) == ([code] if formerly else [])


def test_the_places_of_two_channels_that_become_one_add_up() -> None:
    log = LogByHand()
    log.send("email", NOW, channel="email")
    log.send("sms", NOW, channel="sms")
    caps = [{"max": 2, "window_s": 86_400}]
    log.replace_catalogue(catalogue_with_new_names(formerly=True, channels={"email": {"caps": caps}}), NOW + 1)
    log.send("third", NOW + HOUR, message="nudge", channel="email")
    assert log.violations == [("third", "cap_channel")]


def test_a_bounce_for_good_under_a_former_name_lasts() -> None:
    for permanent, expected in ((True, ["unreachable"]), (False, [])):
        log = LogByHand()
        log.send("first", NOW - HOUR)
        log.report("bounce", "first", NOW - HOUR + 1, permanent=permanent)
        log.replace_catalogue(catalogue_with_new_names(formerly=True), NOW - 1)
        log.send("next", NOW, message="nudge", channel="app")
        assert codes(log) == expected


@pytest.mark.parametrize("by", ["opt_out", "preferences"])
def test_a_withdrawal_voids_the_sends_under_every_name(by: str) -> None:
    log = LogByHand()
    log.send("under-the-old-name", NOW, delay_s=43_200)
    log.replace_catalogue(catalogue_with_new_names(formerly=True), NOW + 1)
    log.send("under-the-new-name", NOW + 2, message="nudge", channel="app", delay_s=43_200)
    log.send("another", NOW + 2, message="nudge", channel="email", delay_s=43_200)
    if by == "opt_out":
        log.report("opt_out", "of-another", NOW + 3, channel="app")
    else:
        log.prefer(NOW + 3, consent={"app": False})
    assert log.places == {"another"}
    log.open_gate("under-the-old-name", NOW + 4)
    assert codes(log) == ["activated_without_a_reservation"]


def test_the_gate_judges_a_send_under_the_names_of_today() -> None:
    quiet = {"channels": {"app": {"quiet_hours": {"from": "17:00", "to": "18:00"}}}}
    for rules, expected in (({}, []), (quiet, ["activated_against_quiet_hours"])):
        log = LogByHand()
        log.send("waits", NOW, deferred=True)
        log.replace_catalogue(catalogue_with_new_names(formerly=True, **rules), NOW + 1)
        log.open_gate("waits", NOW + 2)
        assert codes(log) == expected
    log = LogByHand()
    log.send("waits", NOW, deferred=True)
    log.replace_catalogue(catalogue_with_new_names(formerly=False), NOW + 1)
    log.open_gate("waits", NOW + 2)
    assert codes(log) == ["activated_against_no_content"]
