"""The audit can fail: every kind of violation, planted in a log that was clean, is found where it stands."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest

from policies.models.rule import rule_policy
from policies.records.rows import (
    ActivationRow,
    CancellationRow,
    CatalogueRow,
    ClockRow,
    DecisionRow,
    ErasureRow,
    OutcomeRow,
    PreferencesRow,
    QuietHours,
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


def shop(epsilon: float = 0.0) -> Shop:
    """A shop without rules that sends the reminder by push at once: always, or with another policy's floor mostly."""
    document = copy.deepcopy(WITHOUT_RULES)
    document["delays_s"] = [0]
    document["channels"]["push"]["cost"] = 0.5
    return Shop(document, rule_policy(epsilon))


def sends(own: Shop, *times: float, shopper_id: str = "s-1") -> Shop:
    for number, at in enumerate(times):
        event_id = f"{shopper_id}-{number}"
        row = own.decide(shopper_id, [own.trigger("cart_abandoned", at)], at, event_id=event_id)
        assert (row.message, row.channel, row.send_at) == ("reminder", "push", at)
    return own


def found(own: Shop, **rules: Any) -> list[tuple[str, str]]:
    """Audit the shop's log as if it had been under these rules."""
    assert audit(own.log).violations == [], "the log is clean without the rule"
    first = own.rows[0]
    assert isinstance(first, CatalogueRow)
    document = merged(first.document, rules)
    rows = [CatalogueRow(first.at, first.version, document), *own.rows[1:]]
    return named(audit(enumerate(rows)))


def merged(document: Any, changes: Any) -> Any:
    if isinstance(document, dict) and isinstance(changes, dict):
        return document | {name: merged(document.get(name), value) for name, value in changes.items()}
    return changes


def named(auditor: Auditor) -> list[tuple[str, str]]:
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
    ("min_gap", {"min_gap_s": 3_600}, HOUR - 1),
    ("cooldown", {"messages": {"reminder": {"cooldown_s": 3_600}}}, HOUR - 1),
    ("suppression_window", {"suppression": [{"after": "cart", "blocks": "cart", "window_s": 3_600}]}, HOUR - 1),
    ("budget", {"channels": {"push": {"daily_budget": 0.9}}}, HOUR),
]


@pytest.mark.parametrize(("code", "rules", "apart_s"), TOO_MANY)
def test_two_sends_too_many_are_found_and_those_just_far_enough_are_not(
    code: str, rules: dict[str, Any], apart_s: float
) -> None:
    assert found(sends(shop(), NOW, NOW + apart_s), **rules) == [("s-1-1", code)]
    far = {"cap_global": 2 * DAY_S, "budget": DAY_S}.get(code, apart_s + 1)
    assert found(sends(shop(), NOW, NOW + far), **rules) == []


def test_rules_look_both_ways_whichever_was_decided_first() -> None:
    assert found(sends(shop(), NOW + 60, NOW), min_gap_s=61) == [("s-1-1", "min_gap")]
    assert found(sends(shop(), NOW + 60, NOW), min_gap_s=60) == []
    assert found(sends(shop(), NOW + 200, NOW, NOW + 100), caps=[{"max": 2, "window_s": 201}]) == [
        ("s-1-2", "cap_global")
    ]


def test_a_calendar_day_is_the_shoppers_own() -> None:
    own = shop()
    own.prefer("s-1", NOW, time_zone="Europe/Madrid")  # 18:00 there
    sends(own, NOW, NOW + 5.5 * HOUR)
    assert found(own, caps=[{"max": 1, "calendar": "day"}]) == [("s-1-1", "cap_global")]
    after_midnight = shop()
    after_midnight.prefer("s-1", NOW, time_zone="Europe/Madrid")
    assert found(sends(after_midnight, NOW, NOW + 6 * HOUR), caps=[{"max": 1, "calendar": "day"}]) == []


def test_suppression_has_a_direction() -> None:
    own = sends(shop(), NOW)
    hint = [own.trigger("wishlist", NOW - 60)]
    own.decide("s-1", hint, NOW - 60, event_id="before")
    own.decide("s-1", [own.trigger("wishlist", NOW + 60)], NOW + 60, event_id="after")
    rule_of = {"after": "cart", "blocks": "browse", "window_s": 300}
    assert found(own, suppression=[rule_of]) == [("after", "suppression_window")]


ALONE: list[tuple[Any, ...]] = [
    ("quiet_hours", {"channels": {"push": {"quiet_hours": {"from": "16:00", "to": "17:01"}}}}),
    ("no_consent", {"defaults": {"consent": {"email": True}}}),
    ("no_content", {"messages": {"reminder": {"templates": {"push": {"en": {"body": "{{ product }}"}}}}}}),
]


@pytest.mark.parametrize(("code", "rules"), ALONE)
def test_one_send_against_a_rule_is_found(code: str, rules: dict[str, Any]) -> None:
    assert found(sends(shop(), NOW), **rules) == [("s-1-0", code)]


def test_quiet_hours_are_those_of_the_shoppers_zone_at_the_send_time() -> None:
    quiet = {"channels": {"push": {"quiet_hours": {"from": "22:00", "to": "07:00"}}}}
    assert found(sends(shop(), NOW), **quiet) == []
    tokyo = shop()
    tokyo.prefer("s-1", NOW, time_zone="Asia/Tokyo")
    assert found(sends(tokyo, NOW), **quiet) == [("s-1-0", "quiet_hours")]


AGAINST_WISHES: list[tuple[Any, ...]] = [
    ("no_consent", {"consent": {"push": False}}),
    ("unreachable", {"reachable": {"push": False}}),
    ("preference", {"muted_categories": ("cart",)}),
    ("preference", {"max_per_week": 0}),
    ("preference", {"quiet_hours": QuietHours(1_020, 1_021)}),
]


@pytest.mark.parametrize(("code", "wish"), AGAINST_WISHES)
def test_a_send_against_the_shoppers_wishes_is_found(code: str, wish: dict[str, Any]) -> None:
    rows = sends(shop(), NOW).rows
    rows.insert(1, PreferencesRow(NOW - 1, "s-1", **wish))
    assert named(audit(enumerate(rows))) == [("s-1-0", code)]
    rows.insert(2, PreferencesRow(NOW - 1, "s-1", {"push": True}, None, None, {"push": True}, (), None, None))
    assert named(audit(enumerate(rows))) == []


def test_more_than_the_shoppers_own_weekly_maximum_is_found() -> None:
    rows = sends(shop(), NOW, NOW + 7 * DAY_S - 1).rows
    rows.insert(1, PreferencesRow(NOW, "s-1", max_per_week=1))
    assert named(audit(enumerate(rows))) == [("s-1-1", "preference")]


def test_an_opt_out_binds_the_next_decision() -> None:
    own = sends(shop(), NOW, NOW + 60)
    own.rows.insert(2, OutcomeRow(NOW + 1, "s-1-0", "opt_out", NOW + 1, shopper_id="s-1", channel="push"))
    assert named(audit(own.log)) == [("s-1-1", "no_consent")]


def changed(own: Shop, change: Callable[[DecisionRow], DecisionRow], event_id: str = "s-1-0") -> list[Row]:
    return [change(row) if isinstance(row, DecisionRow) and row.event_id == event_id else row for row in own.rows]


def replacing(**changes: Any) -> Callable[[DecisionRow], DecisionRow]:
    return lambda row: msgspec.structs.replace(row, **changes)


def with_probabilities(row: DecisionRow, change: Callable[[Any], Any]) -> DecisionRow:
    p = change(unpack(row.probabilities, np.float64).copy())
    return msgspec.structs.replace(row, probabilities=pack(np.asarray(p, dtype=np.float64)))


def without_hold(row: DecisionRow) -> DecisionRow:
    return with_probabilities(replacing(hold_eligible=False)(row), lambda p: [*p[:-2], p[-2] + p[-1]])


def drawn_against_a_cap(row: DecisionRow) -> DecisionRow:
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
    ("drawn_not_eligible", drawn_against_a_cap),
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
    own = sends(shop(epsilon=0.3), NOW)
    assert named(audit(own.log)) == []
    codes = [violation.code for violation in audit(enumerate(changed(own, change))).violations]
    assert code in codes


def test_a_decision_logged_twice_is_found() -> None:
    own = sends(shop(), NOW)
    assert audit(enumerate([*own.rows, own.rows[-1]])).violations == [Violation(2, "s-1-0", "duplicate")]


def test_a_shopper_who_was_held_out_stays_so() -> None:
    document = copy.deepcopy(WITHOUT_RULES) | {"arms": {"holdout": 0.5}}
    own = Shop(document, rule_policy(epsilon=0.0), b"1")
    names = [f"s-{number}" for number in range(20)]
    for name in names:
        for _ in range(2):
            own.decide(name, [own.trigger("cart_abandoned", NOW)], NOW)
    assert audit(own.log).violations == []
    held = [row for row in own.decisions.values() if row.arm == "holdout"]
    assert 0 < len(held) < 40
    sent = own.sent[0]
    forged = msgspec.structs.replace(sent, event_id="forged", shopper_id=held[0].shopper_id)
    assert named(audit(enumerate([*own.rows, forged]))) == [("forged", "holdout")]


# -- places ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "row",
    [
        CancellationRow(NOW, "s-1-0", "s-1"),
        ActivationRow(NOW, "s-1-0", "s-1", deliver=False, reason="quiet_hours"),
        OutcomeRow(NOW, "s-1-0", "bounce", NOW, shopper_id="s-1", channel="push"),
    ],
)
def test_a_place_that_was_given_back_is_free(row: Row) -> None:
    own = sends(shop(), NOW, NOW + 60)
    assert found(own, min_gap_s=3_600) == [("s-1-1", "min_gap")]
    own.rows.insert(2, row)
    assert found(own, min_gap_s=3_600) == []
    assert {place.event_id for place in audit(own.log).places(NOW)["s-1"]} == {"s-1-1"}


@pytest.mark.parametrize(
    "row",
    [
        ActivationRow(NOW + 60, "s-1-0", "s-1", deliver=False, reason="expired"),
        OutcomeRow(NOW + 60, "s-1-0", "bounce", NOW, shopper_id="s-1", channel="push"),
    ],
)
def test_a_place_that_counted_by_the_end_of_its_window_stays(row: Row) -> None:
    own = shop()
    ends_at = sends(own, NOW).sent[0].window_ends_at or 0.0
    rows = [*own.rows, ClockRow(ends_at), row]  # out of order: the log's time is what counts
    assert {place.event_id for place in audit(enumerate(rows)).places(ends_at)["s-1"]} == {"s-1-0"}
    rows[-2] = ClockRow(ends_at - 1)
    assert audit(enumerate(rows)).places(ends_at) == {}


def test_a_withdrawal_gives_back_what_lies_ahead_and_nothing_else() -> None:
    own = sends(shop(), NOW, NOW + 60)
    own.rows += [PreferencesRow(NOW + 30, "s-1", {"push": False}), PreferencesRow(NOW + 30, "s-1", {"push": True})]
    assert {place.event_id for place in audit(own.log).places(NOW)["s-1"]} == {"s-1-0"}


def test_a_deferred_place_is_free_an_hour_after_its_send_time_and_not_before() -> None:
    def waiting(later: float) -> Shop:
        own = shop()
        own.decide("s-1", [own.trigger("cart_abandoned", NOW)], NOW, event_id="waits", deferred=True)
        return sends(own, NOW + later)

    assert found(waiting(HOUR), min_gap_s=7_200) == [("s-1-0", "min_gap")]
    assert found(waiting(HOUR + 1), min_gap_s=7_200) == []


def test_a_critical_send_takes_no_place_but_its_cost_counts() -> None:
    own = shop()
    own.decide("s-1", [own.trigger("cart_abandoned", NOW, critical=True)], NOW, event_id="urgent")
    sends(own, NOW + 60)
    assert found(own, min_gap_s=3_600) == []
    assert found(own, channels={"push": {"daily_budget": 0.9}}) == [("s-1-0", "budget")]
    assert "urgent" not in {place.event_id for place in audit(own.log).places(NOW)["s-1"]}


# -- the gate -------------------------------------------------------------------------------------


def activated(own: Shop, at: float) -> Shop:
    own.rows.append(ActivationRow(at, "s-1-0", "s-1", deliver=True))
    return own


def test_an_activation_against_the_rules_is_found() -> None:
    quiet = {"channels": {"push": {"quiet_hours": {"from": "17:30", "to": "18:00"}}}}
    assert found(activated(sends(shop(), NOW), NOW + HOUR / 2), **quiet) == [("s-1-0", "activated_against_quiet_hours")]
    muted = sends(shop(), NOW)
    muted.prefer("s-1", NOW + 1, muted_categories=("cart",))
    assert named(audit(activated(muted, NOW + 2).log)) == [("s-1-0", "activated_against_preference")]


@pytest.mark.parametrize("lost", [{"triggers": ["wishlist"]}, {"templates": {"email": {"en": {"body": "B"}}}}])
def test_an_activation_of_what_the_catalogue_no_longer_offers_is_found(lost: dict[str, Any]) -> None:
    own = sends(shop(), NOW)
    first = own.rows[0]
    assert isinstance(first, CatalogueRow)
    reminder = first.document["messages"]["reminder"] | lost
    changed = first.document | {"messages": first.document["messages"] | {"reminder": reminder}}
    own.rows.append(CatalogueRow(NOW + 1, 2, changed))
    assert named(audit(activated(own, NOW + 2).log)) == [("s-1-0", "activated_against_no_content")]


def test_an_activation_of_what_is_gone_is_found() -> None:
    own = sends(shop(), NOW)
    own.cancel("s-1-0", NOW)
    assert named(audit(activated(own, NOW).log)) == [("s-1-0", "activated_without_a_place")]


@pytest.mark.parametrize("deferred", [True, False])
def test_an_activation_an_hour_after_the_send_time_is_found(deferred: bool) -> None:
    def late(by: float) -> list[tuple[str, str]]:
        own = shop()
        own.decide("s-1", [own.trigger("cart_abandoned", NOW)], NOW, event_id="s-1-0", deferred=deferred)
        return named(audit(activated(own, NOW + HOUR + by).log))

    assert late(1) == [("s-1-0", "activated_too_late")]
    assert late(0) == []


def test_what_was_activated_late_is_judged_by_when_it_left() -> None:
    def after(activated_at: float, **rules: Any) -> list[tuple[str, str]]:
        own = activated(sends(shop(), NOW), activated_at)
        own.decide("s-1", [own.trigger("cart_abandoned", NOW + HOUR)], NOW + HOUR, event_id="next")
        return found(own, **rules)

    assert after(NOW, min_gap_s=3_600) == []
    assert after(NOW + 3_000, min_gap_s=3_600) == [("next", "min_gap")]
    assert after(NOW + 3_000, min_gap_s=600) == []


def test_a_cost_is_that_of_the_day_on_which_the_send_left() -> None:
    midnight = NOW + 7 * HOUR

    def next_day(activated_at: float) -> list[tuple[str, str]]:
        own = activated(sends(shop(), midnight - 60), activated_at)
        own.decide("s-1", [own.trigger("cart_abandoned", midnight + HOUR)], midnight + HOUR, event_id="next")
        return found(own, channels={"push": {"daily_budget": 0.9}})

    assert next_day(midnight - 1) == []
    assert next_day(midnight) == [("next", "budget")]


def test_what_ran_side_by_side_is_judged_by_what_was_sure() -> None:
    def costly(*between: Row) -> list[Violation]:
        own = shop()
        own.decide("s-1", [own.trigger("cart_abandoned", NOW, critical=True)], NOW, event_id="urgent")
        own.rows += between
        rows = sends(own, NOW + 60).rows
        catalogue = rows[0]
        assert isinstance(catalogue, CatalogueRow)
        document = merged(catalogue.document, {"channels": {"push": {"daily_budget": 0.9}}})
        return audit(enumerate([CatalogueRow(0.0, 1, document), *rows[1:]]), concurrent=True).violations

    assert costly() == []  # the critical one may have come second
    assert costly(ClockRow(NOW)) == [Violation(3, "s-1-0", "budget")]


# -- erasure --------------------------------------------------------------------------------------


def test_an_erased_shopper_is_sent_nothing_until_preferences_are_put() -> None:
    erasure = ErasureRow(NOW, "erased:1", "key of s-1")
    rows = sends(shop(), NOW, NOW + 60).rows
    rows.insert(1, erasure)
    found_ = audit(enumerate(rows), key_of="key of {}".format).violations
    assert [(each.event_id, each.code) for each in found_] == [("s-1-0", "no_consent"), ("s-1-1", "no_consent")]
    rows.insert(2, PreferencesRow(NOW, "s-1", {"push": True}))
    assert audit(enumerate(rows), key_of="key of {}".format).violations == []


def test_what_erasure_takes_away_is_not_held_against_the_log() -> None:
    rows = sends(shop(), NOW, NOW + 60, shopper_id="erased:1").rows
    catalogue = rows[0]
    assert isinstance(catalogue, CatalogueRow)
    quiet = {"channels": {"push": {"quiet_hours": {"from": "17:00", "to": "18:00"}}}, "min_gap_s": 61}
    rows = [CatalogueRow(0.0, 1, merged(catalogue.document, quiet)), *rows[1:]]
    assert len(audit(enumerate(rows)).violations) == 3
    rows.append(ErasureRow(NOW + 60, "erased:1", "key"))
    assert [each.code for each in audit(enumerate(rows)).violations] == ["min_gap"]
    assert audit(enumerate(rows)).places(NOW) == {}


def test_an_erased_shoppers_activation_is_judged_by_what_the_rows_still_say() -> None:
    def activated_late(**rules: Any) -> list[str]:
        rows = sends(shop(), NOW, NOW + 2 * HOUR, shopper_id="erased:1").rows
        catalogue = rows[0]
        assert isinstance(catalogue, CatalogueRow)
        rows = [CatalogueRow(0.0, 1, merged(catalogue.document, rules)), *rows[1:]]
        rows.insert(3, ActivationRow(NOW + HOUR, "erased:1-0", "erased:1", deliver=True))
        rows.append(ErasureRow(NOW + 3 * HOUR, "erased:1", "key"))
        return [each.code for each in audit(enumerate(rows)).violations]

    quiet = {"channels": {"push": {"quiet_hours": {"from": "17:30", "to": "18:30"}}}}
    assert activated_late(**quiet) == [], "the zone that the quiet hours were judged in is gone"
    assert activated_late(min_gap_s=5_400) == ["activated_against_min_gap"]


def test_every_rule_was_planted() -> None:
    planted = {code for code, *_ in (*TOO_MANY, *ALONE, *AGAINST_WISHES, *FORGED)}
    unplanted = {rule.__name__ for rule in RULES} - planted
    assert unplanted == {"excluded_by_caller"}, "what the caller excludes is not in the log"
