"""The report's fold: equal to a naive recount of random logs, and to hand-made examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from math import inf
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from decision_service.queries.report.grouping import GROUPINGS, By
from decision_service.queries.report.report import ReportCells, ReportTable
from decision_service.queries.report.span import Span
from policies.catalogue.document import Catalogue
from policies.catalogue.rulebook import Rulebook
from policies.decide import Case, decide_many
from policies.decision_row import decision_row
from policies.models.uniform import uniform_policy
from policies.records.rows import (
    ActivationRow,
    CancellationRow,
    CatalogueRow,
    ClockRow,
    DecisionRow,
    ErasureRow,
    EventRow,
    OutcomeRow,
    PreferencesRow,
    Row,
)
from policies.sends.concerns import concerns_all_sends
from policies.sends.life import status_of
from policies.shopper.state import NEW_SHOPPER
from tests.decision_service.queries.report.logs import DEFAULTS, HOURS, catalogue, decision, hold, key_of, logs, times
from tests.factories import NOW, outcome_row, request, small_document


def make_report(rows: Sequence[Row], *, by: By | None = None, span: Span | None = None) -> ReportTable:
    tally = ReportCells(span or Span(), None if by is None else GROUPINGS[by], key_of)
    for position, row in enumerate(rows, start=1):
        tally.add(position, row)
    return tally.answer(max(row.at for row in rows))


# -- the naive recount: written from the words of the definitions, one question at a time ---------------


def why_it_stayed(rows: Sequence[Row], number: int, now: float) -> str | None:
    """Say what kept the send of the decision at a place in the log from leaving."""
    sent = rows[number]
    assert isinstance(sent, DecisionRow)
    assert sent.send_at is not None
    activated, send_at, gone = not sent.deferred, sent.send_at, False
    trigger = sent.triggers[sent.drawn_trigger or 0]
    for row in rows[number + 1 :]:
        mine = getattr(row, "event_id", None) == sent.event_id
        over = sent.window_ends_at is not None and row.at >= sent.window_ends_at
        counts_for_good = activated and over
        if isinstance(row, CancellationRow) and mine and not counts_for_good:
            return "cancelled"
        if isinstance(row, ActivationRow) and mine and (row.deliver or not counts_for_good):
            if not row.deliver:
                too_late = row.reason == "expired" and row.at - send_at > HOURS
                return "expired" if too_late else "refused"
            activated, gone = True, row.left_at is not None
            send_at = max(send_at, row.at) if row.left_at is None else row.left_at
        late = (
            isinstance(row, OutcomeRow) and sent.window_ends_at is not None and row.occurred_at >= sent.window_ends_at
        )
        if isinstance(row, OutcomeRow) and mine and row.type == "bounce" and not over and not late:
            return "bounced"
        ahead = not gone and row.at < send_at and not counts_for_good
        same = getattr(row, "shopper_id", None) == sent.shopper_id
        opted_out = isinstance(row, OutcomeRow) and row.type in ("opt_out", "complaint")
        if opted_out and not mine and same and ahead and getattr(row, "channel", None) == sent.channel:
            return "voided"
        refused = isinstance(row, PreferencesRow) and False in (row.consent.get(str(sent.channel)), row.subscribed)
        if refused and same and ahead:
            return "voided"
        if isinstance(row, ErasureRow) and ahead and sent.event_id in row.open_event_ids:
            return "voided"
        bought = isinstance(row, EventRow | OutcomeRow) and row.type in ("purchase", "conversion")
        bought_at = row.occurred_at if isinstance(row, EventRow | OutcomeRow) and bought else sent.at
        if same and ahead and trigger.ends_on and bought_at > sent.at:
            return "superseded"
    if not activated:
        return "expired" if now > sent.send_at + HOURS else "waiting"
    return None


def leaves_at(rows: Sequence[Row], sent: DecisionRow) -> float:
    """Return when a send leaves that nothing took back."""
    yes = [row for row in rows if isinstance(row, ActivationRow) and row.event_id == sent.event_id and row.deliver]
    send_at = sent.send_at or 0.0
    for row in yes:
        send_at = max(send_at, row.at) if row.left_at is None else row.left_at
    return send_at


def recount(rows: Sequence[Row], numbers: Sequence[int]) -> dict[str, Any]:
    """Count the decisions at some places of the log, each column by itself."""
    now = max(row.at for row in rows)
    decided = {number: row for number in numbers if isinstance(row := rows[number], DecisionRow)}
    sends = {number: row for number, row in decided.items() if row.send_at is not None}
    stayed = {number: why_it_stayed(rows, number, now) for number in sends}
    left = [row for number, row in sends.items() if stayed[number] is None]

    def outcomes_of(sent: DecisionRow, *types: str, machine: bool = False) -> list[OutcomeRow]:
        of_send = [row for row in rows if isinstance(row, OutcomeRow) and row.event_id == sent.event_id]
        return [row for row in of_send if row.type in types and row.machine == machine]

    def total(sent: DecisionRow, kind: str) -> float:
        return sum(outcome.value for outcome in outcomes_of(sent, kind))

    def revenue_of(sent: DecisionRow) -> float:
        return max(0.0, total(sent, "conversion") - total(sent, "refund"))

    clicked = [sent for sent in left if outcomes_of(sent, "click")]
    conversions = [outcome for sent in left for outcome in outcomes_of(sent, "conversion")]
    converted = [sent for sent in left if outcomes_of(sent, "conversion")]
    opted_out = [sent for sent in sends.values() if outcomes_of(sent, "opt_out", "complaint")]
    reasons = [row.hold_reason for row in decided.values() if row.send_at is None]
    kept = [why for why in stayed.values() if why is not None]
    unclicked = [sent for sent in left if sent not in clicked]
    revenue = sum(map(revenue_of, left))
    return {
        "decisions": len(decided),
        "sends": len(sends),
        "holds": {reason: reasons.count(reason) for reason in reasons},
        "delivered": len(left),
        "scheduled": sum(leaves_at(rows, sent) > now for sent in left),
        "undelivered": {why: kept.count(why) for why in kept},
        "clicks": len(clicked),
        "ctr": len(clicked) / len(left) if left else None,
        "conversions": len(conversions),
        "converted": len(converted),
        "conversion_rate": len(converted) / len(left) if left else None,
        "opt_outs": len(opted_out),
        "opt_outs_per_1000_sends": len(opted_out) / len(sends) * 1000 if sends else None,
        "revenue": pytest.approx(revenue),
        "revenue_per_notification": pytest.approx(revenue / len(left)) if left else None,
        "unclicked_conversions": sum(len(outcomes_of(sent, "conversion")) for sent in unclicked),
        "unclicked_revenue": pytest.approx(sum(map(revenue_of, unclicked))),
        "refunds": sum(len(outcomes_of(sent, "refund")) for sent in left),
        "refunded": pytest.approx(sum(total(sent, "refund") for sent in left)),
        "machine_opens": sum(bool(outcomes_of(sent, "open", machine=True)) for sent in left),
        "machine_clicks": sum(bool(outcomes_of(sent, "click", machine=True)) for sent in left),
    }


def group_of(row: DecisionRow, by: By) -> Any:
    moment = datetime.fromtimestamp(row.at, UTC)
    segment = row.context.get("segment")
    return {
        "channel": row.channel,
        "message": row.message,
        "category": row.category,
        "trigger": row.triggers[row.drawn_trigger if row.drawn_trigger is not None else 0].type,
        "segment": "3" if segment == 3 else segment,
        "arm": row.arm,
        "hour": moment.hour,
        "day": moment.strftime("%Y-%m-%d"),
    }[by]


def key_about(row: Row) -> str | None:
    """Return the key of the shopper whom a row is about, None when it is about none, or does not say about whom."""
    if isinstance(row, ErasureRow):
        return row.key
    shopper = getattr(row, "shopper_id", None)
    return None if shopper is None or shopper.startswith("erased:") else key_of(shopper)


def consenting(rows: Sequence[Row], key: str, channel: str, end: float) -> bool:
    default, consent, subscribed = DEFAULTS[channel], DEFAULTS[channel], True
    withdrawn_at = unsubscribed_at = latest = -inf
    for row in rows:
        if row.at >= end or key_about(row) != key:
            continue
        if isinstance(row, ErasureRow):
            default = consent = False
            withdrawn_at = latest = max(latest, row.at)
            subscribed, unsubscribed_at = True, -inf
        elif isinstance(row, PreferencesRow):
            latest = max(latest, row.at) if False in (*row.consent.values(), row.subscribed) else latest
            word = row.consent.get(channel, "nothing")
            if word is False:
                consent, withdrawn_at = False, max(withdrawn_at, row.at)
            elif word != "nothing" and row.at > withdrawn_at:
                consent = default if word is None else True
            if row.subscribed is False:
                subscribed, unsubscribed_at = False, max(unsubscribed_at, row.at)
            elif row.subscribed is not UNSET and row.at > unsubscribed_at:
                subscribed = True
        elif isinstance(row, OutcomeRow) and row.type in ("opt_out", "complaint") and row.channel is not None:
            date = min(row.occurred_at, row.at)
            latest = max(latest, date)
            if row.channel == channel:
                consent, withdrawn_at = False, max(withdrawn_at, date)
    return consent and subscribed


@given(
    rows=logs(),
    by=st.sampled_from(sorted(GROUPINGS)),
    start=st.none() | times,
    end=st.none() | times | st.just(0.0),
)
def test_a_report_equals_a_naive_recount(rows: list[Row], by: By, start: float | None, end: float | None) -> None:
    span = Span(float("-inf") if start is None else start, float("inf") if end is None else end)
    report = make_report(rows, by=by, span=span)
    within = [n for n, row in enumerate(rows) if isinstance(row, DecisionRow) and span.start <= row.at < span.end]
    assert as_dict(report.total) == recount(rows, within)
    groups = {group_of(row, by) for n in within if isinstance(row := rows[n], DecisionRow)}
    order = [cell.group for cell in report.rows]
    assert set(order) == groups
    assert order == [*sorted(groups - {None}), *([None] if None in groups else [])]
    for cell in report.rows:
        members = [n for n in within if isinstance(row := rows[n], DecisionRow) and group_of(row, by) == cell.group]
        assert {name: value for name, value in as_dict(cell).items() if name != "group"} == recount(rows, members)

    known = {key for row in rows if row.at < span.end and (key := key_about(row)) is not None}
    assert report.shoppers == len(known)
    has_catalogue = span.end > 0
    assert report.opt_in_rate == {
        channel: sum(consenting(rows, key, channel, span.end) for key in known) / len(known) if known else None
        for channel in DEFAULTS
        if has_catalogue
    }

    purchases = [row for row in rows if isinstance(row, EventRow) and row.type == "purchase"]
    bought = [row for row in purchases if span.start <= row.occurred_at < span.end]
    buyers = [row.shopper_id for row in bought]
    assert report.orders == len(bought)
    assert report.repeat_purchase_rate == (
        sum(buyers.count(buyer) > 1 for buyer in set(buyers)) / len(set(buyers)) if buyers else None
    )
    values = [float(row.attributes["value"]) for row in bought if "value" in row.attributes]
    assert report.average_order_value == (pytest.approx(sum(values) / len(values)) if values else None)


def as_dict(figures: Any) -> dict[str, Any]:
    return {name: getattr(figures, name) for name in figures.__struct_fields__}


def concerns(row: Row, send: DecisionRow) -> bool:
    """Say whether the life of a send may depend on a row: it names the send, or may be about all of its shopper's."""
    of_shopper = isinstance(row, ErasureRow) or getattr(row, "shopper_id", None) == send.shopper_id
    return getattr(row, "event_id", None) == send.event_id or (concerns_all_sends(row) and of_shopper)


@given(logs())
def test_the_status_of_a_send_is_what_the_recount_says(rows: list[Row]) -> None:
    now = max(row.at for row in rows)
    for number, row in enumerate(rows):
        if isinstance(row, DecisionRow) and row.send_at is not None:
            later = [
                (position, later_row)
                for position, later_row in enumerate(rows, start=1)
                if position > number + 1 and concerns(later_row, row)
            ]
            known = status_of(row, later, now)
            stayed = why_it_stayed(rows, number, now)
            assert known.status.name == (stayed or ("sent" if leaves_at(rows[number:], row) <= now else "scheduled"))
            assert known.status.counts_as_sent == (stayed is None)


@given(logs(), st.data())
def test_a_report_may_be_asked_for_again_after_more_rows(rows: list[Row], data: st.DataObject) -> None:
    tally, cut = ReportCells(Span(), GROUPINGS["channel"], key_of), data.draw(st.integers(0, len(rows)))
    for position, row in enumerate(rows[:cut], start=1):
        tally.add(position, row)
    tally.answer(0.0)
    for position, row in enumerate(rows[cut:], start=cut + 1):
        tally.add(position, row)
    assert tally.answer(max(row.at for row in rows)) == make_report(rows, by="channel")


def click(event_id: str, at: float = 3 * HOURS) -> OutcomeRow:
    return OutcomeRow(at=at, event_id=event_id, type="click", occurred_at=at, shopper_id="s-1", channel="push")


def test_what_did_not_leave_is_in_no_rate() -> None:
    rows: list[Row] = [
        catalogue(),
        decision("left"),
        decision("cancelled", deferred=False),
        decision("never activated", deferred=True),
        click("left"),
        click("cancelled"),
        click("never activated"),
        CancellationRow(2 * HOURS, "cancelled", "s-1"),
        OutcomeRow(
            at=4 * HOURS,
            event_id="left",
            type="conversion",
            occurred_at=4 * HOURS,
            value=59.9,
            shopper_id="s-1",
            channel="push",
        ),
        OutcomeRow(
            at=4 * HOURS,
            event_id="left",
            type="conversion",
            occurred_at=4 * HOURS,
            value=0.2,
            shopper_id="s-1",
            channel="push",
        ),
    ]
    total = make_report(rows).total
    assert (total.sends, total.delivered, total.clicks, total.ctr) == (3, 1, 1, 1.0)
    assert (total.conversions, total.converted, total.conversion_rate) == (2, 1, 1.0)
    assert total.revenue == 60.1
    assert total.revenue_per_notification == pytest.approx(60.1)
    assert total.undelivered == {"cancelled": 1, "expired": 1}


def test_an_outcome_that_came_before_its_decision_counts() -> None:
    early = OutcomeRow(at=HOURS, event_id="e", type="click", occurred_at=HOURS)
    assert make_report([catalogue(), early, decision("e")]).total.clicks == 1


def test_an_opt_out_is_of_the_send_it_answers_and_voids_the_others() -> None:
    opt_out = OutcomeRow(
        at=3 * HOURS, event_id="one", type="opt_out", occurred_at=3 * HOURS, shopper_id="s-1", channel="push"
    )
    rows: list[Row] = [catalogue(), decision("one"), decision("other", send_at=9 * HOURS), opt_out]
    report = make_report(rows)
    assert (report.total.opt_outs, report.total.opt_outs_per_1000_sends) == (1, 500.0)
    assert report.total.undelivered == {"voided": 1}
    assert report.opt_in_rate == {"push": 0.0, "email": 0.0}


def test_the_erased_consent_to_nothing_and_count_once_also_when_they_come_back() -> None:
    rows: list[Row] = [
        catalogue(),
        EventRow(at=HOURS, shopper_id="erased:1", type="session", occurred_at=HOURS),
        PreferencesRow(HOURS, "erased:1", {"push": True}),
        ErasureRow(2 * HOURS, "erased:1", key_of("s-1")),
    ]
    assert (make_report(rows).shoppers, make_report(rows).opt_in_rate["push"]) == (1, 0.0)
    back = [*rows, EventRow(at=3 * HOURS, shopper_id="s-1", type="session", occurred_at=3 * HOURS)]
    assert (make_report(back).shoppers, make_report(back).opt_in_rate["push"]) == (1, 0.0)
    silent = [*back, PreferencesRow(4 * HOURS, "s-1", locale="en")]
    assert (make_report(silent).shoppers, make_report(silent).opt_in_rate["push"]) == (1, 0.0)
    willing = [*silent, PreferencesRow(5 * HOURS, "s-1", {"push": True})]
    assert (make_report(willing).shoppers, make_report(willing).opt_in_rate["push"]) == (1, 1.0)


def test_holds_are_counted_by_reason_and_a_lost_race_under_what_was_drawn() -> None:
    report = make_report([catalogue(), hold("a", "lost_race"), hold("b", "policy")], by="channel")
    assert [(row.group, row.decisions, row.holds) for row in report.rows] == [
        ("push", 1, {"lost_race": 1}),
        (None, 1, {"policy": 1}),
    ]
    assert report.total.holds == {"lost_race": 1, "policy": 1}
    assert report.total.ctr is None


def test_the_report_says_what_the_sends_of_the_span_have_brought() -> None:
    """Nobody who was held has ordered, so every order is incremental."""
    policy = replace(uniform_policy(), hold_share=0.1)
    cases = [Case(request(event_id=f"e-{number}", now=NOW), NEW_SHOPPER) for number in range(1_500)]
    book = Rulebook.of(Catalogue.from_document(small_document(reward={"view_through": 0.5})), 1)
    decided = (decision_row(decision) for decision in decide_many(cases, book, policy, b"seed"))
    rows: list[Row] = [CatalogueRow(0.0, 1, book.catalogue.to_document())]
    rows += [msgspec.structs.replace(row, shopper_id=row.event_id) for row in decided]
    sent = [row for row in rows if isinstance(row, DecisionRow) and row.send_at is not None]
    for row in sent[:200]:
        order = {"at": row.send_at, "shopper_id": row.shopper_id, "value": 10.0}
        rows.append(outcome_row("conversion", row.event_id, **order))
    rows.append(ClockRow(NOW + 1e7))

    answer = make_report(rows).incrementality
    total, by_slot = answer.total, {(row.trigger, row.channel) for row in answer.rows}
    assert (total.verdict, total.attributed_orders, total.drawn_sends) == ("enough data", 200, len(sent))
    assert total.incremental_share is not None
    assert total.incremental_revenue is not None
    assert (total.incremental_share.value, total.incremental_revenue.value) == (1.0, 2_000.0)
    assert 0.5 < total.factor < 1.0
    assert by_slot == {("cart_abandoned", "push"), ("cart_abandoned", "email")}

    assert (answer.holdout.treated_shoppers, answer.holdout.held_out_shoppers) == (1_500, 0)
    assert answer.holdout.verdict == "not enough data yet"

    early = make_report(rows, span=Span(end=NOW)).incrementality
    assert (early.total.verdict, early.total.incremental_orders, early.rows) == ("not enough data yet", None, [])
    assert early.total.factor == 0.5
