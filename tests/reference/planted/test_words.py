"""The audit finds sends to shoppers who withhold: words have dates, and dates only hold grants back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.factories import NOW
from tests.reference.planted.log_by_hand import HOUR, WINDOW_S, LogByHand

WITHHELD: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("no_consent", {"consent": {"push": False}}, {"consent": {"push": True}}),
    ("no_consent", {"consent": {"push": False}}, {"consent": {"push": None}}),
    ("no_consent", {"subscribed": False}, {"subscribed": True}),
    ("no_consent", {"subscribed": False}, {"subscribed": None}),
    ("unreachable", {"reachable": {"push": False}}, {"reachable": {"push": True}}),
    ("unreachable", {"reachable": {"push": False}}, {"reachable": {"push": None}}),
    ("preference", {"muted_categories": ("cart",)}, {"muted_categories": ("browse",)}),
]


def send_after(*words: dict[str, Any], critical: bool = False) -> list[str]:
    """Return the codes of the rules that a send breaks which is decided after words of the shopper."""
    log = LogByHand()
    for number, word in enumerate(words):
        log.prefer(**{"at": NOW - 100 + number} | word)
    log.send("next", NOW, critical=critical)
    return [code for _, code in log.violations]


@pytest.mark.parametrize(("code", "withheld", "granted"), WITHHELD)
def test_a_grant_acts_only_where_its_date_is_later(
    code: str, withheld: dict[str, Any], granted: dict[str, Any]
) -> None:
    assert send_after(withheld) == [code]
    assert send_after(withheld, granted) == []
    for late in (NOW - 100, NOW - 101):
        assert send_after(withheld, granted | {"stated_at": late}) == [code], "equal dates: what withholds wins"
    assert send_after(granted, withheld) == [code]
    assert send_after(granted, withheld | {"stated_at": NOW - HOUR}) == [code], "acts on arrival whatever its date"


@pytest.mark.parametrize(("code", "withheld", "granted"), WITHHELD)
def test_a_grant_that_is_repeated_does_not_undo_a_later_withdrawal(
    code: str, withheld: dict[str, Any], granted: dict[str, Any]
) -> None:
    repeated = granted | {"stated_at": NOW - 200}
    assert send_after(repeated, withheld, repeated) == [code]


def test_a_withdrawal_that_comes_late_holds_no_grant_back_that_is_dated_after_it() -> None:
    withheld, granted = {"consent": {"push": False}, "stated_at": NOW - 300}, {"consent": {"push": True}}
    assert send_after(withheld, granted | {"stated_at": NOW - 299}) == []


@pytest.mark.parametrize("kind", ["opt_out", "complaint"])
def test_a_withdrawal_that_is_dated_ahead_acts_on_arrival_and_is_dated_then(kind: str) -> None:
    log = LogByHand()
    log.report(kind, "of-another", NOW - 10, occurred_at=NOW + HOUR)
    log.send("next", NOW - 9)
    assert log.violations == [("next", "no_consent")]
    log.prefer(NOW - 8, consent={"push": True})
    log.send("granted", NOW - 7)
    assert log.violations == [("next", "no_consent")], "the grant is later than the arrival of the withdrawal"
    log.report(kind, "of-another", NOW - 6)
    log.prefer(NOW - 5, consent={"push": True}, stated_at=NOW - 8)
    log.send("held-back", NOW - 4)
    assert log.violations == [("next", "no_consent"), ("held-back", "no_consent")]


@pytest.mark.parametrize("critical", [False, True])
def test_the_subscription_is_every_channel_and_lifts_only_itself(critical: bool) -> None:
    left = {"subscribed": False}
    assert send_after(left, critical=critical) == ["no_consent"]
    assert send_after(left, {"consent": {"push": True}}, critical=critical) == ["no_consent"]
    assert send_after({"consent": {"push": False}}, left, {"subscribed": True}, critical=critical) == ["no_consent"]


def test_the_end_of_the_subscription_voids_what_lies_ahead_on_every_channel() -> None:
    log = LogByHand()
    for channel in ("push", "email", "sms"):
        log.send(channel, NOW, channel=channel, delay_s=3_600)
    log.send("due", NOW)
    log.prefer(NOW, subscribed=False)
    assert log.places == {"due"}


AFTER_AN_ERASURE: list[tuple[list[dict[str, Any]], bool]] = [
    ([], False),
    ([{"locale": "en"}], False),
    ([{"max_per_week": 3, "quiet_hours": None, "subscribed": True}], False),
    ([{"consent": {"push": None}}], False),
    ([{"consent": {"email": True}}], False),
    ([{"consent": {"push": True}, "stated_at": NOW - 200}], False),
    ([{"consent": {"push": True}, "at": NOW - 100}], False),
    ([{"consent": {"push": True}}], True),
    ([{"consent": {"push": True}}, {"locale": "en"}], True),
]


@pytest.mark.parametrize(("words", "opens"), AFTER_AN_ERASURE)
def test_only_a_later_grant_by_name_opens_a_channel_after_an_erasure(words: list[dict[str, Any]], opens: bool) -> None:
    log = LogByHand()
    log.erase(NOW - 100)
    for number, word in enumerate(words):
        log.prefer(**{"at": NOW - 50 + number} | word)
    log.send("next", NOW)
    assert log.violations == ([] if opens else [("next", "no_consent")])


def bounce_and_send(**changes: Any) -> LogByHand:
    """Return a log in which a send by push bounces for good, and another one is sent by e-mail."""
    log = LogByHand()
    log.send("first", NOW - HOUR)
    log.report("bounce", "first", NOW - HOUR + 1, **{"permanent": True} | changes)
    log.send("by-another-channel", NOW - 100, channel="email")
    return log


def test_a_send_to_an_address_that_bounced_for_good_is_found() -> None:
    log = bounce_and_send()
    log.send("next", NOW)
    assert log.violations == [("next", "unreachable")]
    passing = bounce_and_send(permanent=False)
    passing.send("next", NOW)
    assert passing.violations == []


def test_a_bounce_for_good_holds_back_the_grants_that_are_not_later() -> None:
    for stated_at, codes in ((NOW - HOUR, [("next", "unreachable")]), (NOW - HOUR + 2, [])):
        log = bounce_and_send()
        log.prefer(NOW - 50, reachable={"push": True}, stated_at=stated_at)
        log.send("next", NOW)
        assert log.violations == codes


def test_a_late_bounce_for_good_says_that_the_channel_reaches_nobody() -> None:
    log = bounce_and_send(occurred_at=NOW - HOUR + WINDOW_S)
    assert log.places == {"first", "by-another-channel"}, "a bounce after the window changes no reservation"
    log.send("next", NOW)
    assert log.violations == [("next", "unreachable")]
