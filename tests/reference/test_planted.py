"""The audit can fail: it finds every kind of violation that is planted in a clean log."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest

from policies.models.rule import rule_policy
from policies.records.quiet_hours import QuietHours, QuietSpan
from policies.records.rows import (
    ActivationRow,
    CancellationRow,
    CatalogueRow,
    ClockRow,
    DecisionRow,
    ErasureRow,
    OutcomeRow,
    PreferencesRow,
    Row,
    TriggerRecord,
    pack,
    unpack,
)
from tests.factories import DAY_S, NOW, small_document
from tests.reference.auditor import Auditor, Violation, audit
from tests.reference.rules import RULES
from tests.reference.shop import Shop

WITHOUT_RULES = small_document()


def make_shop(epsilon: float = 0.0) -> Shop:
    """Return a shop without rules that sends the reminder by push at once: always, or mostly if there is a floor."""
    document = copy.deepcopy(WITHOUT_RULES)
    document["delays_s"] = [0]
    document["channels"]["push"]["cost"] = 0.5
    return Shop(document, rule_policy(epsilon))


def send_at(shop: Shop, *times: float, shopper_id: str = "s-1") -> Shop:
    for number, at in enumerate(times):
        event_id = f"{shopper_id}-{number}"
        row = shop.decide(shopper_id, [shop.trigger("cart_abandoned", at)], at, event_id=event_id)
        assert (row.message, row.channel, row.send_at) == ("reminder", "push", at)
    return shop


def audit_under(shop: Shop, **rules: Any) -> list[tuple[str, str]]:
    """Return the violations of the shop's log if its catalogue had these rules."""
    assert audit(shop.log).violations == [], "the log is clean without the rule"
    first = shop.rows[0]
    assert isinstance(first, CatalogueRow)
    document = merge(first.document, rules)
    rows = [CatalogueRow(first.at, first.version, document), *shop.rows[1:]]
    return codes_of(audit(enumerate(rows)))


def merge(document: Any, changes: Any) -> Any:
    if isinstance(document, dict) and isinstance(changes, dict):
        return document | {name: merge(document.get(name), value) for name, value in changes.items()}
    return changes


def codes_of(auditor: Auditor) -> list[tuple[str, str]]:
    return [(violation.event_id, violation.code) for violation in auditor.violations]


HOUR = 3_600.0
ONE_IN_A_DAY = [{"max": 1, "window_s": 86_400}]


TOO_MANY: list[tuple[Any, ...]] = [
    ("cap_global", {"caps": ONE_IN_A_DAY}, DAY_S - 1),
    ("cap_channel", {"channels": {"push": {"caps": ONE_IN_A_DAY}}}, DAY_S - 1),
    ("cap_category", {"categories": {"cart": {"caps": ONE_IN_A_DAY}}}, DAY_S - 1),
    ("cap_message", {"messages": {"reminder": {"caps": ONE_IN_A_DAY}}}, DAY_S - 1),
    ("cap_global", {"caps": [{"max": 1, "calendar": "day"}]}, 6 * HOUR),  # 17:00 and 23:00
    ("cap_global", {"caps": [{"max": 1, "calendar": "week"}]}, DAY_S),  # Saturday and Sunday
    ("cap_global", {"caps": [{"max": 1, "calendar": "month"}]}, 9 * DAY_S),  # 21 and 30 November
    ("cap_global", {"caps": [{"max": 1, "window_s": 400 * 86_400}]}, 400 * DAY_S - 1),
    ("cooldown", {"messages": {"reminder": {"cooldown_s": 400 * 86_400}}}, 400 * DAY_S - 1),
    ("min_gap", {"min_gap_s": 3_600}, HOUR - 1),
    ("cooldown", {"messages": {"reminder": {"cooldown_s": 3_600}}}, HOUR - 1),
    ("suppression_window", {"suppression": [{"after": "cart", "blocks": "cart", "window_s": 3_600}]}, HOUR - 1),
    ("budget", {"channels": {"push": {"daily_budget": 0.9}}}, HOUR),
]


@pytest.mark.parametrize(("code", "rules", "apart_s"), TOO_MANY)
def test_two_sends_too_many_are_violationsand_those_just_far_enough_are_not(
    code: str, rules: dict[str, Any], apart_s: float
) -> None:
    assert audit_under(send_at(make_shop(), NOW, NOW + apart_s), **rules) == [("s-1-1", code)]
    far = {"cap_global": apart_s + DAY_S, "budget": DAY_S}.get(code, apart_s + 1)
    assert audit_under(send_at(make_shop(), NOW, NOW + far), **rules) == []


def test_rules_look_both_ways_whichever_was_decided_first() -> None:
    assert audit_under(send_at(make_shop(), NOW + 60, NOW), min_gap_s=61) == [("s-1-1", "min_gap")]
    assert audit_under(send_at(make_shop(), NOW + 60, NOW), min_gap_s=60) == []
    assert audit_under(send_at(make_shop(), NOW + 200, NOW, NOW + 100), caps=[{"max": 2, "window_s": 201}]) == [
        ("s-1-2", "cap_global")
    ]


def test_a_calendar_day_is_the_shoppers_own() -> None:
    shop = make_shop()
    shop.prefer("s-1", NOW, time_zone="Europe/Madrid")  # 18:00 there
    send_at(shop, NOW, NOW + 5.5 * HOUR)
    assert audit_under(shop, caps=[{"max": 1, "calendar": "day"}]) == [("s-1-1", "cap_global")]
    after_midnight = make_shop()
    after_midnight.prefer("s-1", NOW, time_zone="Europe/Madrid")
    assert audit_under(send_at(after_midnight, NOW, NOW + 6 * HOUR), caps=[{"max": 1, "calendar": "day"}]) == []


def test_suppression_has_a_direction() -> None:
    shop = send_at(make_shop(), NOW)
    hint = [shop.trigger("wishlist", NOW - 60)]
    shop.decide("s-1", hint, NOW - 60, event_id="before")
    shop.decide("s-1", [shop.trigger("wishlist", NOW + 60)], NOW + 60, event_id="after")
    rule_of = {"after": "cart", "blocks": "browse", "window_s": 300}
    assert audit_under(shop, suppression=[rule_of]) == [("after", "suppression_window")]


ON_SUNDAYS = {"from": "00:00", "to": "24:00", "days": ["sun"]}

ALONE: list[tuple[Any, ...]] = [
    ("quiet_hours", {"channels": {"push": {"quiet_hours": {"from": "16:00", "to": "17:01"}}}}),
    ("quiet_hours", {"channels": {"push": {"quiet_hours": {"from": "00:00", "to": "24:00", "days": ["sat"]}}}}),
    ("quiet_hours", {"channels": {"push": {"quiet_hours": {"from": "22:00", "to": "18:00", "days": ["fri"]}}}}),
    ("quiet_hours", {"channels": {"push": {"quiet_hours": [ON_SUNDAYS, {"from": "17:00", "to": "24:00"}]}}}),
    ("no_consent", {"defaults": {"consent": {"email": True}}}),
    ("no_content", {"messages": {"reminder": {"templates": {"push": {"en": {"body": "{{ product }}"}}}}}}),
    ("no_content", {"messages": {"reminder": {"templates": {"push": {"en": {"title": "\u200b", "body": "B"}}}}}}),
]


@pytest.mark.parametrize(("code", "rules"), ALONE)
def test_one_send_against_a_rule_is_found(code: str, rules: dict[str, Any]) -> None:
    assert audit_under(send_at(make_shop(), NOW), **rules) == [("s-1-0", code)]


@pytest.mark.parametrize(
    "quiet", [ON_SUNDAYS, {"from": "22:00", "to": "18:00", "days": ["thu", "sat"]}, [ON_SUNDAYS, ON_SUNDAYS], []]
)
def test_a_send_beside_the_quiet_hours_is_no_violation(quiet: Any) -> None:
    assert audit_under(send_at(make_shop(), NOW), channels={"push": {"quiet_hours": quiet}}) == []


def test_quiet_hours_are_those_of_the_shoppers_zone_at_the_send_time() -> None:
    quiet = {"channels": {"push": {"quiet_hours": {"from": "22:00", "to": "07:00"}}}}
    assert audit_under(send_at(make_shop(), NOW), **quiet) == []
    tokyo = make_shop()
    tokyo.prefer("s-1", NOW, time_zone="Asia/Tokyo")
    assert audit_under(send_at(tokyo, NOW), **quiet) == [("s-1-0", "quiet_hours")]


AGAINST_PREFERENCES: list[tuple[Any, ...]] = [
    ("no_consent", {"consent": {"push": False}}),
    ("unreachable", {"reachable": {"push": False}}),
    ("preference", {"muted_categories": ("cart",)}),
    ("preference", {"max_per_week": 0}),
    ("preference", {"quiet_hours": QuietHours(1_020, 1_021)}),
    ("preference", {"quiet_hours": QuietHours(0, 1_440, (5,))}),
    ("preference", {"quiet_hours": QuietHours(0, 1_440, (6,), (QuietSpan(1_320, 1_080, (4,)),))}),
]


@pytest.mark.parametrize(("code", "wish"), AGAINST_PREFERENCES)
def test_a_send_against_the_shoppers_preferences_is_found(code: str, wish: dict[str, Any]) -> None:
    rows = send_at(make_shop(), NOW).rows
    rows.insert(1, PreferencesRow(NOW - 2, "s-1", **wish))
    assert codes_of(audit(enumerate(rows))) == [("s-1-0", code)]
    rows.insert(
        2,
        PreferencesRow(
            at=NOW - 1,
            shopper_id="s-1",
            consent={"push": True},
            time_zone=None,
            locale=None,
            reachable={"push": True},
            muted_categories=(),
            max_per_week=None,
            quiet_hours=None,
        ),
    )
    assert codes_of(audit(enumerate(rows))) == []


def test_more_than_the_shoppers_own_weekly_maximum_is_found() -> None:
    rows = send_at(make_shop(), NOW, NOW + 7 * DAY_S - 1).rows
    rows.insert(1, PreferencesRow(NOW, "s-1", max_per_week=1))
    assert codes_of(audit(enumerate(rows))) == [("s-1-1", "preference")]


def test_an_opt_out_binds_the_next_decision() -> None:
    shop = send_at(make_shop(), NOW, NOW + 60)
    shop.rows.insert(
        2,
        OutcomeRow(at=NOW + 1, event_id="s-1-0", type="opt_out", occurred_at=NOW + 1, shopper_id="s-1", channel="push"),
    )
    assert codes_of(audit(shop.log)) == [("s-1-1", "no_consent")]


def change_decision(shop: Shop, change: Callable[[DecisionRow], DecisionRow], event_id: str = "s-1-0") -> list[Row]:
    return [change(row) if isinstance(row, DecisionRow) and row.event_id == event_id else row for row in shop.rows]


def replacing(**changes: Any) -> Callable[[DecisionRow], DecisionRow]:
    return lambda row: msgspec.structs.replace(row, **changes)


def with_probabilities(row: DecisionRow, change: Callable[[Any], Any]) -> DecisionRow:
    p = change(unpack(row.probabilities, np.float64).copy())
    return msgspec.structs.replace(row, probabilities=pack(np.asarray(p, dtype=np.float64)))


def without_hold(row: DecisionRow) -> DecisionRow:
    return with_probabilities(replacing(hold_eligible=False)(row), lambda p: [*p[:-2], p[-2] + p[-1]])


def draw_against_a_cap(row: DecisionRow) -> DecisionRow:
    return with_verdict(with_probabilities(row, lambda p: [*p[:-2], p[-2] + p[-1]]), 14)


def with_verdict(row: DecisionRow, verdict: int) -> DecisionRow:
    verdicts = unpack(row.verdicts, np.uint8).copy()
    verdicts[row.drawn] = verdict
    return msgspec.structs.replace(row, verdicts=pack(verdicts))


def expiring(row: DecisionRow) -> DecisionRow:
    (asked,) = row.triggers
    late = TriggerRecord(asked.type, asked.priority, row.at - 1)
    return msgspec.structs.replace(row, triggers=(late,))


def critical(row: DecisionRow) -> DecisionRow:
    (asked,) = row.triggers
    return msgspec.structs.replace(row, triggers=(msgspec.structs.replace(asked, critical=True),))


FORGED: list[tuple[Any, ...]] = [
    ("expired", expiring),
    ("holdout", replacing(arm="holdout")),
    ("propensity", replacing(propensity=0.5)),
    ("propensity", replacing(propensity=1.0)),
    ("distribution", lambda row: with_probabilities(row, lambda p: p * 1.01)),
    ("distribution", lambda row: with_probabilities(row, lambda p: [2.0, -1.0, *p[2:]])),
    ("distribution", lambda row: with_probabilities(row, lambda p: p[:-1])),
    ("distribution", lambda row: with_verdict(row, 14)),
    ("drawn_not_eligible", draw_against_a_cap),
    ("hold_withheld", without_hold),
    ("hold_offered", critical),
    ("mislabelled", replacing(channel="email")),
    ("mislabelled", replacing(category="browse")),
    ("send_time", replacing(send_at=NOW + 1)),
    ("cost", replacing(cost=0.0)),
    ("held_and_sent", replacing(hold_reason="lost_race")),
    ("not_drawn", replacing(drawn=None)),
]


@pytest.mark.parametrize(("code", "change"), FORGED)
def test_a_row_that_contradicts_itself_or_its_trigger_is_found(
    code: str, change: Callable[[DecisionRow], DecisionRow]
) -> None:
    shop = send_at(make_shop(epsilon=0.3), NOW)
    assert codes_of(audit(shop.log)) == []
    codes = [violation.code for violation in audit(enumerate(change_decision(shop, change))).violations]
    assert code in codes


def test_a_decision_logged_twice_is_found() -> None:
    shop = send_at(make_shop(), NOW)
    assert audit(enumerate([*shop.rows, shop.rows[-1]])).violations == [Violation(2, "s-1-0", "duplicate")]


def test_a_shopper_who_was_held_out_stays_so() -> None:
    document = copy.deepcopy(WITHOUT_RULES) | {"arms": {"holdout": 0.5}}
    shop = Shop(document, rule_policy(epsilon=0.0), b"1")
    names = [f"s-{number}" for number in range(20)]
    for name in names:
        for _ in range(2):
            shop.decide(name, [shop.trigger("cart_abandoned", NOW)], NOW)
    assert audit(shop.log).violations == []
    held = [row for row in shop.decisions.values() if row.arm == "holdout"]
    assert 0 < len(held) < 40
    sent = shop.sent[0]
    forged = msgspec.structs.replace(sent, event_id="forged", shopper_id=held[0].shopper_id)
    assert codes_of(audit(enumerate([*shop.rows, forged]))) == [("forged", "holdout")]


# -- reservations ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "row",
    [
        CancellationRow(NOW, "s-1-0", "s-1"),
        ActivationRow(NOW, "s-1-0", "s-1", deliver=False, reason="quiet_hours"),
        OutcomeRow(at=NOW, event_id="s-1-0", type="bounce", occurred_at=NOW, shopper_id="s-1", channel="push"),
    ],
)
def test_a_released_reservation_no_longer_counts(row: Row) -> None:
    shop = send_at(make_shop(), NOW, NOW + 60)
    assert audit_under(shop, min_gap_s=3_600) == [("s-1-1", "min_gap")]
    shop.rows.insert(2, row)
    assert audit_under(shop, min_gap_s=3_600) == []
    assert {reservation.event_id for reservation in audit(shop.log).reservations(NOW)["s-1"]} == {"s-1-1"}


@pytest.mark.parametrize(
    "row",
    [
        ActivationRow(NOW + 60, "s-1-0", "s-1", deliver=False, reason="expired"),
        OutcomeRow(at=NOW + 60, event_id="s-1-0", type="bounce", occurred_at=NOW, shopper_id="s-1", channel="push"),
    ],
)
def test_a_reservation_that_counted_at_the_end_of_its_window_stays(row: Row) -> None:
    shop = make_shop()
    ends_at = send_at(shop, NOW).sent[0].window_ends_at or 0.0
    rows = [*shop.rows, ClockRow(ends_at), row]  # out of order: the log's time is what counts
    assert {reservation.event_id for reservation in audit(enumerate(rows)).reservations(ends_at)["s-1"]} == {"s-1-0"}
    rows[-2] = ClockRow(ends_at - 1)
    assert audit(enumerate(rows)).reservations(ends_at) == {}


def test_a_withdrawal_of_consent_releases_later_sends_alone() -> None:
    shop = send_at(make_shop(), NOW, NOW + 60)
    shop.rows += [PreferencesRow(NOW + 30, "s-1", {"push": False}), PreferencesRow(NOW + 30, "s-1", {"push": True})]
    assert {reservation.event_id for reservation in audit(shop.log).reservations(NOW)["s-1"]} == {"s-1-0"}


def test_a_deferred_reservation_expires_an_hour_after_its_send_time_and_not_before() -> None:
    def waiting(later: float) -> Shop:
        shop = make_shop()
        shop.decide("s-1", [shop.trigger("cart_abandoned", NOW)], NOW, event_id="waits", deferred=True)
        return send_at(shop, NOW + later)

    assert audit_under(waiting(HOUR), min_gap_s=7_200) == [("s-1-0", "min_gap")]
    assert audit_under(waiting(HOUR + 1), min_gap_s=7_200) == []


def test_a_critical_send_has_no_reservation_but_its_cost_counts() -> None:
    shop = make_shop()
    shop.decide("s-1", [shop.trigger("cart_abandoned", NOW, critical=True)], NOW, event_id="urgent")
    send_at(shop, NOW + 60)
    assert audit_under(shop, min_gap_s=3_600) == []
    assert audit_under(shop, channels={"push": {"daily_budget": 0.9}}) == [("s-1-0", "budget")]
    assert "urgent" not in {reservation.event_id for reservation in audit(shop.log).reservations(NOW)["s-1"]}


# -- activations ----------------------------------------------------------------------------------


def activate(shop: Shop, at: float) -> Shop:
    shop.rows.append(ActivationRow(at, "s-1-0", "s-1", deliver=True))
    return shop


def test_an_activation_against_the_rules_is_found() -> None:
    quiet = {"channels": {"push": {"quiet_hours": {"from": "17:30", "to": "18:00"}}}}
    assert audit_under(activate(send_at(make_shop(), NOW), NOW + HOUR / 2), **quiet) == [
        ("s-1-0", "activated_against_quiet_hours")
    ]
    muted = send_at(make_shop(), NOW)
    muted.prefer("s-1", NOW + 1, muted_categories=("cart",))
    assert codes_of(audit(activate(muted, NOW + 2).log)) == [("s-1-0", "activated_against_preference")]


@pytest.mark.parametrize("lost", [{"triggers": ["wishlist"]}, {"templates": {"email": {"en": {"body": "B"}}}}])
def test_an_activation_of_a_send_that_the_catalogue_no_longer_offers_is_found(lost: dict[str, Any]) -> None:
    shop = send_at(make_shop(), NOW)
    first = shop.rows[0]
    assert isinstance(first, CatalogueRow)
    reminder = first.document["messages"]["reminder"] | lost
    changed = first.document | {"messages": first.document["messages"] | {"reminder": reminder}}
    shop.rows.append(CatalogueRow(NOW + 1, 2, changed))
    assert codes_of(audit(activate(shop, NOW + 2).log)) == [("s-1-0", "activated_against_no_content")]


def test_an_activation_of_a_cancelled_send_is_found() -> None:
    shop = send_at(make_shop(), NOW)
    shop.cancel("s-1-0", NOW)
    assert codes_of(audit(activate(shop, NOW).log)) == [("s-1-0", "activated_without_a_reservation")]


@pytest.mark.parametrize("deferred", [True, False])
def test_an_activation_an_hour_after_the_send_time_is_found(deferred: bool) -> None:
    def late(by: float) -> list[tuple[str, str]]:
        shop = make_shop()
        shop.decide("s-1", [shop.trigger("cart_abandoned", NOW)], NOW, event_id="s-1-0", deferred=deferred)
        return codes_of(audit(activate(shop, NOW + HOUR + by).log))

    assert late(1) == [("s-1-0", "activated_too_late")]
    assert late(0) == []


def test_a_send_that_was_activated_late_is_judged_by_the_time_of_its_activation() -> None:
    def after(activated_at: float, **rules: Any) -> list[tuple[str, str]]:
        shop = activate(send_at(make_shop(), NOW), activated_at)
        shop.decide("s-1", [shop.trigger("cart_abandoned", NOW + HOUR)], NOW + HOUR, event_id="next")
        return audit_under(shop, **rules)

    assert after(NOW, min_gap_s=3_600) == []
    assert after(NOW + 3_000, min_gap_s=3_600) == [("next", "min_gap")]
    assert after(NOW + 3_000, min_gap_s=600) == []


def test_a_cost_is_that_of_the_day_on_which_the_send_left() -> None:
    midnight = NOW + 7 * HOUR

    def next_day(activated_at: float) -> list[tuple[str, str]]:
        shop = activate(send_at(make_shop(), midnight - 60), activated_at)
        shop.decide("s-1", [shop.trigger("cart_abandoned", midnight + HOUR)], midnight + HOUR, event_id="next")
        return audit_under(shop, channels={"push": {"daily_budget": 0.9}})

    assert next_day(midnight - 1) == []
    assert next_day(midnight) == [("next", "budget")]


def test_concurrent_decisions_are_judged_by_costs_that_they_have_surely_seen() -> None:
    def costly(*between: Row) -> list[Violation]:
        shop = make_shop()
        shop.decide("s-1", [shop.trigger("cart_abandoned", NOW, critical=True)], NOW, event_id="urgent")
        shop.rows += between
        rows = send_at(shop, NOW + 60).rows
        catalogue = rows[0]
        assert isinstance(catalogue, CatalogueRow)
        document = merge(catalogue.document, {"channels": {"push": {"daily_budget": 0.9}}})
        return audit(enumerate([CatalogueRow(0.0, 1, document), *rows[1:]]), concurrent=True).violations

    assert costly() == []  # the critical one may have come second
    assert costly(ClockRow(NOW)) == [Violation(3, "s-1-0", "budget")]


# -- erasure --------------------------------------------------------------------------------------


def test_an_erased_shopper_is_sent_nothing_until_preferences_are_put() -> None:
    erasure = ErasureRow(NOW, "erased:1", "key of s-1")
    rows = send_at(make_shop(), NOW, NOW + 60).rows
    rows.insert(1, erasure)
    violations = audit(enumerate(rows), key_of="key of {}".format).violations
    assert [(one.event_id, one.code) for one in violations] == [("s-1-0", "no_consent"), ("s-1-1", "no_consent")]
    rows.insert(2, PreferencesRow(NOW + 1, "s-1", {"push": True}))
    assert audit(enumerate(rows), key_of="key of {}".format).violations == []


def test_facts_that_an_erasure_removes_are_not_held_against_the_log() -> None:
    rows = send_at(make_shop(), NOW, NOW + 60, shopper_id="erased:1").rows
    catalogue = rows[0]
    assert isinstance(catalogue, CatalogueRow)
    quiet = {"channels": {"push": {"quiet_hours": {"from": "17:00", "to": "18:00"}}}, "min_gap_s": 61}
    rows = [CatalogueRow(0.0, 1, merge(catalogue.document, quiet)), *rows[1:]]
    assert len(audit(enumerate(rows)).violations) == 3
    rows.append(ErasureRow(NOW + 60, "erased:1", "key"))
    assert [violation.code for violation in audit(enumerate(rows)).violations] == ["min_gap"]
    assert audit(enumerate(rows)).reservations(NOW) == {}


def test_an_erased_shoppers_activation_is_judged_by_the_facts_left_in_the_rows() -> None:
    def activate_late(**rules: Any) -> list[str]:
        rows = send_at(make_shop(), NOW, NOW + 2 * HOUR, shopper_id="erased:1").rows
        catalogue = rows[0]
        assert isinstance(catalogue, CatalogueRow)
        rows = [CatalogueRow(0.0, 1, merge(catalogue.document, rules)), *rows[1:]]
        rows.insert(3, ActivationRow(NOW + HOUR, "erased:1-0", "erased:1", deliver=True))
        rows.append(ErasureRow(NOW + 3 * HOUR, "erased:1", "key"))
        return [violation.code for violation in audit(enumerate(rows)).violations]

    quiet = {"channels": {"push": {"quiet_hours": {"from": "17:30", "to": "18:30"}}}}
    assert activate_late(**quiet) == [], "the zone that the quiet hours were judged in is gone"
    assert activate_late(min_gap_s=5_400) == ["activated_against_min_gap"]


def test_every_rule_was_planted() -> None:
    planted = {code for code, *_ in (*TOO_MANY, *ALONE, *AGAINST_PREFERENCES, *FORGED)}
    unplanted = RULES.keys() - planted
    assert unplanted == {"excluded_by_caller"}, "what the caller excludes is not in the log"
