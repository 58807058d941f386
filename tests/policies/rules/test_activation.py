from __future__ import annotations

from typing import Any

import msgspec
import pytest

from policies.catalogue.document import Catalogue
from policies.catalogue.rulebook import Rulebook
from policies.records.quiet_hours import QuietHours
from policies.records.reasons import Reason
from policies.records.rows import DecisionRow
from policies.rules.activation import TOO_EARLY, Refusal, refusal, withheld
from policies.shopper.state import Send, ShopperState
from tests.factories import DAY_S, NOW, small_document, trigger
from tests.policies.rules.test_budget import decision
from tests.policies.rules.test_rules import rulebook

ROW = msgspec.structs.replace(decision(1, 1), channel="push", category="browse", cost=0.0)
OWN = Send(event_id="e-1", send_at=NOW + 3_600, message="hint", channel="push", category="browse")


OTHER = Send(event_id="other", send_at=NOW, message="hint", channel="push", category="browse")


def reason_of(row: DecisionRow, state: ShopperState, book: Rulebook, now: float) -> Reason | None:
    refused = refusal(row, state, book, now)
    return None if refused is None else Reason[refused.reason]


def with_own(**changes: object) -> ShopperState:
    return ShopperState(**changes).with_send(OWN)  # type: ignore[arg-type]


def without_hint() -> Rulebook:
    document = small_document()
    del document["messages"]["hint"]
    del document["triggers"]["wishlist"]
    return Rulebook.of(Catalogue.from_document(document), 1)


def without_push(**changes: Any) -> Rulebook:
    document = small_document(**changes)
    del document["channels"]["push"]
    for message in document["messages"].values():
        message["templates"] = {"email": message["templates"]["email"]}
    return Rulebook.of(Catalogue.from_document(document), 1)


def test_a_send_may_leave_when_nothing_has_changed() -> None:
    assert refusal(ROW, with_own(), rulebook(caps=[{"max": 1, "window_s": 86_400}]), NOW + 3_600) is None


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (with_own(consent={"push": False}), Reason.no_consent),
        (with_own(reachable={"push": False}), Reason.unreachable),
        (with_own(muted_categories=("browse",)), Reason.preference),
        (with_own(quiet_hours=QuietHours(17 * 60, 19 * 60)), Reason.preference),
        (
            with_own().with_send(
                Send(event_id="other", send_at=NOW, message="hint", channel="push", category="browse")
            ),
            Reason.cap_global,
        ),
        (ShopperState(), Reason.no_consent),
        (ShopperState(erased=True), Reason.no_consent),
    ],
)
def test_what_stands_against_it_is_named(state: ShopperState, reason: Reason) -> None:
    assert reason_of(ROW, state, rulebook(caps=[{"max": 1, "window_s": 86_400}]), NOW + 3_600) is reason


def test_the_time_zone_of_the_request_holds_at_the_gate_too() -> None:
    evening = with_own(quiet_hours=QuietHours(22 * 60, 24 * 60))  # the send leaves at 18:00 UTC, 22:00 in Dubai
    assert reason_of(ROW, evening, rulebook(), NOW + 3_600) is None
    row = msgspec.structs.replace(ROW, context={"time_zone": "Asia/Dubai"})
    assert reason_of(row, evening, rulebook(), NOW + 3_600) is Reason.preference


def test_one_asked_early_is_judged_at_that_moment() -> None:
    state = with_own(quiet_hours=QuietHours(17 * 60, 17 * 60 + 30))
    assert refusal(ROW, state, rulebook(), NOW + 60) is TOO_EARLY
    assert refusal(ROW, state, rulebook(), NOW + 1_800) is None


@pytest.mark.parametrize(
    ("state", "document"),
    [
        (with_own(quiet_hours=QuietHours(16 * 60, 20 * 60)), {}),
        (with_own(max_per_week=1).with_send(OTHER), {}),
        (with_own().with_send(OTHER), {"caps": [{"max": 1, "window_s": 86_400}]}),
        (with_own().with_send(OTHER), {"caps": [{"max": 1, "calendar": "day"}]}),
        (with_own().with_send(OTHER), {"categories": {"browse": {"caps": [{"max": 1, "window_s": 86_400}]}}}),
        (with_own().with_send(OTHER), {"min_gap_s": 600}),
        (with_own().with_send(OTHER), {"suppression": [{"after": "browse", "blocks": "browse", "window_s": 600}]}),
    ],
)
def test_before_the_send_time_rules_that_end_by_themselves_say_too_early(
    state: ShopperState, document: dict[str, Any]
) -> None:
    book = rulebook(**document)
    assert refusal(ROW, state, book, NOW + 60) is TOO_EARLY
    lost = msgspec.structs.replace(state, consent={"push": False})
    assert refusal(ROW, lost, book, NOW + 60) == Refusal("no_consent")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"consent": {"push": False}}, "no_consent"),
        ({"reachable": {"push": False}}, "unreachable"),
        ({"muted_categories": ("browse",)}, "preference"),
        ({"max_per_week": 0}, "preference"),
        ({"did": {"purchase": NOW + 1}}, "superseded"),
        ({"did_by_outcome": {"purchase": NOW + 1}}, "superseded"),
    ],
)
def test_before_the_send_time_what_does_not_end_by_itself_stands(changes: dict[str, Any], reason: str) -> None:
    row = msgspec.structs.replace(ROW, triggers=(trigger(ends_on=("purchase",)),))
    assert refusal(row, with_own(**changes), rulebook(), NOW + 60) == Refusal(reason)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"consent": {"push": False}}, Reason.no_consent),
        ({"reachable": {"push": False}}, Reason.unreachable),
        ({"muted_categories": ("browse",)}, Reason.preference),
        ({"max_per_week": 0}, Reason.preference),
        ({"quiet_hours": QuietHours(0, 1439)}, None),
    ],
)
def test_of_a_send_that_has_left_only_what_the_shopper_withholds_counts(
    changes: dict[str, Any], reason: Reason | None
) -> None:
    book = rulebook(caps=[{"max": 1, "window_s": 86_400}])
    state = with_own(**changes).with_send(OTHER)
    assert withheld(ROW, state, book) is reason
    assert withheld(ROW, state, without_hint()) is reason, "the catalogue does not offer the message any more"
    assert withheld(ROW, state, without_push()) is reason, "the catalogue does not have the channel any more"
    critical = msgspec.structs.replace(ROW, triggers=(trigger("wishlist", critical=True),))
    assert withheld(critical, state, book) is (None if reason is Reason.preference else reason)


def test_of_a_send_that_has_left_the_default_of_the_catalogue_counts_while_the_catalogue_has_the_channel() -> None:
    only_email = {"defaults": {"consent": {"email": True}}}
    assert withheld(ROW, with_own(), rulebook(**only_email)) is Reason.no_consent
    assert withheld(ROW, with_own(), without_push(**only_email)) is None
    assert withheld(ROW, with_own(erased=True), without_push(**only_email)) is Reason.no_consent


def test_one_asked_late_is_judged_now() -> None:
    state = with_own(quiet_hours=QuietHours(18 * 60 + 30, 20 * 60))
    assert refusal(ROW, state, rulebook(), NOW + 3_600) is None
    assert reason_of(ROW, state, rulebook(), NOW + 3_600 + 1_800) is Reason.preference


@pytest.mark.parametrize("deferred", [True, False])
def test_one_asked_an_hour_after_its_time_has_expired_whether_it_waited_or_not(deferred: bool) -> None:
    state = ShopperState().with_send(msgspec.structs.replace(OWN, deferred=deferred))
    assert refusal(ROW, state, rulebook(), NOW + 7_200) is None
    assert reason_of(ROW, state, rulebook(), NOW + 7_200.5) is Reason.expired


def test_one_whose_trigger_has_expired_is_not_sent() -> None:
    row = msgspec.structs.replace(ROW, triggers=(trigger(expires_at=NOW + 3_700),))
    assert refusal(row, with_own(), rulebook(), NOW + 3_700) is None
    assert reason_of(row, with_own(), rulebook(), NOW + 3_701) is Reason.expired


def test_a_critical_one_is_asked_for_consent_and_reach_only() -> None:
    row = msgspec.structs.replace(ROW, triggers=(trigger(critical=True, expires_at=NOW + DAY_S),))
    book = rulebook(caps=[{"max": 1, "window_s": 86_400}])
    crowded = with_own().with_send(
        Send(event_id="other", send_at=NOW, message="hint", channel="push", category="browse")
    )
    assert refusal(row, crowded, book, NOW + 3_600) is None
    assert reason_of(row, with_own(consent={"push": False}), book, NOW + 3_600) is Reason.no_consent


def test_a_message_that_the_catalogue_lost_is_not_sent() -> None:
    assert reason_of(ROW, with_own(), without_hint(), NOW + 3_600) is Reason.no_content


@pytest.mark.parametrize("critical", [False, True])
def test_a_message_that_lost_its_channel_or_its_trigger_is_not_sent(critical: bool) -> None:
    row = msgspec.structs.replace(ROW, triggers=(trigger("wishlist", critical=critical),))
    messages = small_document()["messages"]
    templates = {"email": messages["hint"]["templates"]["email"]}
    without_channel = rulebook(messages=messages | {"hint": messages["hint"] | {"templates": templates}})
    answers = messages | {
        "hint": messages["hint"] | {"triggers": ["cart_abandoned"]},
        "reminder": messages["reminder"] | {"triggers": ["wishlist"]},
    }
    assert refusal(row, with_own(), rulebook(), NOW + 3_600) is None
    assert reason_of(row, with_own(), without_channel, NOW + 3_600) is Reason.no_content
    assert reason_of(row, with_own(), rulebook(messages=answers), NOW + 3_600) is Reason.no_content


def test_a_decision_that_sent_nothing_has_no_gate() -> None:
    with pytest.raises(ValueError, match="sent nothing"):
        refusal(msgspec.structs.replace(ROW, send_at=None), with_own(), rulebook(), NOW)
