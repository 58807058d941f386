"""The life of a send: what the table says, and that everything which counts sends agrees with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decision_service.log.row_times import at_watermark, late_row_time
from decision_service.queries.report.report import ReportCells
from decision_service.queries.report.span import Span
from policies.learning.attribution import Attribution
from policies.records.erasure import anonymous, erasure
from policies.records.outcomes import OUTCOME_TYPES, TAKING_BACK
from policies.records.rows import (
    SHOPPER_ROWS,
    ActivationRow,
    CancellationRow,
    ClockRow,
    DecisionRow,
    ErasureRow,
    OutcomeRow,
    PreferencesRow,
    Row,
)
from policies.records.withholding import withheld_paths
from policies.sends.concerns import concerns_all_sends
from policies.sends.facts import DecidedSend
from policies.sends.life import status_of, stop_of
from policies.sends.status import (
    BOUNCED,
    CANCELLED,
    ERASED,
    EXPIRED,
    REFUSED,
    SCHEDULED,
    SUPERSEDED,
    WITHDRAWN,
    SendStatus,
    StatusChange,
)
from policies.sends.status import SENT as SENT_STATUS
from policies.sends.transitions import change_of
from policies.shopper.fold import fold
from policies.shopper.state import NEW_SHOPPER, ShopperState
from tests.decision_service.queries.report.logs import (
    EVENTS,
    HOURS,
    catalogue,
    channels,
    decisions,
    happenings,
    key_of,
    logs,
)
from tests.factories import (
    NOW,
    WINDOW_S,
    activation_row,
    cancellation_row,
    erasure_row,
    event_row,
    hold_row,
    outcome_row,
    preferences_row,
    refusal_row,
    send_row,
    trigger,
)

SENT = send_row("e-1")
WAITING = send_row("e-1", deferred=True)
AHEAD = send_row("e-1", delay_s=3_600)
CART = send_row("e-1", delay_s=3_600, triggers=(trigger(occurred_at=NOW - 60, ends_on=("purchase",)),))
LEFT = msgspec.structs.replace(DecidedSend.of(CART), left_at=NOW + 30, send_at=NOW + 30)
SOON, TOO_LATE, AFTER_WINDOW = NOW + 60, NOW + 3_601, NOW + WINDOW_S

# -- the table ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "when_waiting", "when_activated"),
    [
        (activation_row(at=SOON), SCHEDULED, SCHEDULED),
        (activation_row(at=AFTER_WINDOW), SCHEDULED, SCHEDULED),
        (refusal_row(at=SOON), REFUSED, REFUSED),
        (refusal_row(at=AFTER_WINDOW), REFUSED, None),
        (refusal_row(at=TOO_LATE, reason="expired"), EXPIRED, EXPIRED),
        (refusal_row(at=SOON, reason="expired"), REFUSED, REFUSED),
        (refusal_row(at=AFTER_WINDOW, reason="expired"), EXPIRED, None),
        (refusal_row("other", at=SOON), None, None),
        (cancellation_row(at=SOON), CANCELLED, CANCELLED),
        (cancellation_row(at=AFTER_WINDOW), CANCELLED, None),
        (cancellation_row("other", at=SOON), None, None),
        (outcome_row("bounce", at=SOON), BOUNCED, BOUNCED),
        (outcome_row("bounce", at=AFTER_WINDOW), None, None),
        (outcome_row("bounce", at=SOON, occurred_at=AFTER_WINDOW), None, None),
        (outcome_row("bounce", "other", at=SOON), None, None),
        (outcome_row("click", at=SOON), None, None),
        (preferences_row(at=SOON, consent={"push": False}), None, None),
        (event_row("purchase", at=SOON), None, None),
        (ClockRow(AFTER_WINDOW), None, None),
    ],
)
def test_what_a_row_makes_of_a_send(
    row: Row, when_waiting: SendStatus | None, when_activated: SendStatus | None
) -> None:
    for decision, expected in ((WAITING, when_waiting), (SENT, when_activated)):
        change = change_of(DecidedSend.of(decision), row)
        assert (None if change is None else change.status) == expected


@pytest.mark.parametrize(
    ("row", "status", "reason"),
    [
        (preferences_row(consent={"push": False}), WITHDRAWN, "preferences"),
        (outcome_row("opt_out", "other"), WITHDRAWN, "opt_out"),
        (outcome_row("complaint", "other"), WITHDRAWN, "complaint"),
        (erasure_row("e-1"), ERASED, "erasure"),
    ],
)
def test_a_withdrawal_takes_back_only_what_lies_ahead(row: Row, status: SendStatus, reason: str) -> None:
    assert change_of(DecidedSend.of(AHEAD), row) == StatusChange(status, NOW, reason)
    assert change_of(DecidedSend.of(SENT), row) is None
    assert change_of(LEFT, row) is None


@pytest.mark.parametrize(
    "row",
    [
        preferences_row(consent={"push": True, "email": False}),
        outcome_row("opt_out", "other", channel="email"),
        outcome_row("opt_out", "e-1"),
        erasure_row("other"),
    ],
)
def test_a_withdrawal_takes_back_no_other_send(row: Row) -> None:
    assert change_of(DecidedSend.of(AHEAD), row) is None


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (event_row("purchase", at=SOON), "purchase"),
        (event_row("purchase", at=SOON, occurred_at=NOW - 59), "purchase"),
        (event_row("purchase", at=SOON, occurred_at=NOW - 60), None),
        (event_row("purchase", at=NOW + 3_600), None),
        (event_row("session", at=SOON), None),
        (outcome_row("conversion", at=SOON), "purchase"),
        (outcome_row("conversion", "other", at=SOON, channel=None), "purchase"),
        (outcome_row("click", at=SOON), None),
    ],
)
def test_an_event_after_the_trigger_takes_back_what_lies_ahead(row: Row, reason: str | None) -> None:
    change = change_of(DecidedSend.of(CART), row)
    assert change == (None if reason is None else StatusChange(SUPERSEDED, row.at, reason))
    assert change_of(DecidedSend.of(AHEAD), row) is None, "nothing ends its trigger"
    assert change_of(LEFT, row) is None


@pytest.mark.parametrize(
    ("row", "status"),
    [
        (cancellation_row(at=SOON), CANCELLED),
        (outcome_row("bounce", at=SOON), BOUNCED),
        (preferences_row(at=SOON, consent={"push": False}), None),
        (outcome_row("opt_out", "other", at=SOON), None),
        (erasure_row("e-1", at=SOON), None),
        (event_row("purchase", at=SOON), None),
    ],
)
def test_what_the_gate_let_leave_keeps_its_place_unless_the_row_is_about_the_send(
    row: Row, status: SendStatus | None
) -> None:
    rows = [(2, activation_row(at=NOW, left_at=NOW)), (3, row)]
    assert status_of(CART, rows, SOON).status == (status or SENT_STATUS)
    assert stop_of(CART, rows) is not None


def test_a_send_leaves_when_the_gate_lets_it_leave_also_before_its_send_time() -> None:
    assert status_of(AHEAD, [(2, activation_row(at=SOON, left_at=SOON))], SOON) == StatusChange(SENT_STATUS, SOON)
    of_an_earlier_version = status_of(AHEAD, [(2, activation_row(at=SOON))], SOON)
    assert of_an_earlier_version == StatusChange(SCHEDULED, NOW + 3_600)


def test_what_took_a_send_back_first_has_the_say() -> None:
    rows: list[tuple[int, Row]] = [(2, cancellation_row(at=SOON)), (3, outcome_row("bounce", at=SOON))]
    assert status_of(AHEAD, rows, SOON) == StatusChange(CANCELLED, SOON, None, 2)


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([], None),
        ([activation_row()], None),
        ([refusal_row(reason="cap_global")], None),
        ([cancellation_row()], "cancelled"),
        ([outcome_row("bounce")], "bounced"),
        ([outcome_row("bounce", at=AFTER_WINDOW)], "bounced"),
        ([outcome_row("opt_out")], "no_consent"),
        ([outcome_row("complaint", "other")], "no_consent"),
        ([outcome_row("opt_out", "other", channel="email")], None),
        ([preferences_row(consent={"push": False})], "no_consent"),
        ([preferences_row(at=AFTER_WINDOW, consent={"push": False})], "no_consent"),
        ([erasure_row("e-1")], "erased"),
        ([event_row("purchase")], "superseded"),
        ([event_row("purchase", occurred_at=NOW - 60)], None),
        ([outcome_row("conversion")], "superseded"),
        ([outcome_row("bounce"), preferences_row(consent={"push": False})], "bounced"),
    ],
)
def test_the_gate_says_why_a_send_may_not_leave_any_more(rows: list[Row], reason: str | None) -> None:
    for first in ([], [activation_row(left_at=NOW)]):
        assert stop_of(CART, list(enumerate([*first, *rows], start=2))) == reason


def test_a_hold_is_held() -> None:
    change = status_of(hold_row(reason="lost_race"), [], NOW)
    assert (change.status.name, change.reason) == ("held", "lost_race")


@pytest.mark.parametrize("kind", OUTCOME_TYPES)
def test_the_table_of_outcomes_says_which_types_take_a_send_back(kind: str) -> None:
    change = change_of(DecidedSend.of(SENT), outcome_row(kind, at=SOON))
    assert (change is not None) is OUTCOME_TYPES[kind].takes_send_back


# -- everything that counts sends agrees --------------------------------------------------------------


@st.composite
def lives(draw: st.DrawFn) -> list[Row]:
    """Rows in the order of their times: a few sends, most of them some hours ahead, and what happens to them."""
    known = [draw(decisions(event_id).filter(lambda row: row.is_delivered)) for event_id in EVENTS[:4]]
    later = [draw(happenings(known)) for _ in range(draw(st.integers(0, 12)))]
    return [catalogue(), *sorted([*known, *later], key=lambda row: row.at)]


def as_the_service_logs(rows: Sequence[Row]) -> list[Row]:
    """Leave out what the service refuses, and give the other rows the times and shoppers that it would."""
    log: list[Row] = []
    watermark = float("-inf")
    decisions: dict[str, DecisionRow] = {}
    activated: set[str] = set()
    for row in rows:
        if isinstance(row, ActivationRow | CancellationRow | OutcomeRow) and row.event_id in decisions:
            decision = decisions[row.event_id]
            row = msgspec.structs.replace(row, shopper_id=decision.shopper_id)
            ends_at = decision.window_ends_at
            if isinstance(row, ActivationRow):
                if row.event_id in activated:
                    continue
                activated.add(row.event_id)
            if isinstance(row, CancellationRow) and (ends_at is None or max(watermark, row.at) >= ends_at):
                continue
            is_refusal = isinstance(row, ActivationRow) and not row.deliver and not decision.deferred
            if is_refusal or (isinstance(row, OutcomeRow) and row.type in TAKING_BACK):
                row = msgspec.structs.replace(row, at=late_row_time(row.at, ends_at, watermark)[0])
        watermark = max(watermark, row.at)
        if isinstance(row, ErasureRow):
            row = erase(row, log, decisions)
        log.append(at_watermark(row, watermark))
        if isinstance(row, DecisionRow):
            decisions[row.event_id] = row
    return log


def erase(row: ErasureRow, log: list[Row], decisions: dict[str, DecisionRow]) -> ErasureRow:
    """Rewrite the rows of the shopper under a new pseudonym, and list the decisions whose windows have not ended."""
    shopper_id, pseudonym = row.key.removeprefix("key of "), f"erased:{len(log)}"
    for number, earlier in enumerate(log):
        if isinstance(earlier, SHOPPER_ROWS) and earlier.shopper_id == shopper_id:
            log[number] = anonymous(earlier, pseudonym)
            if isinstance(earlier, DecisionRow):
                decisions[earlier.event_id] = msgspec.structs.replace(earlier, shopper_id=pseudonym)
    of_shopper = [decision for decision in decisions.values() if decision.shopper_id == pseudonym]
    return erasure(of_shopper, row.at, pseudonym, row.key)


def known_statuses(log: Sequence[Row], now: float) -> dict[str, SendStatus]:
    """What inspector and timeline show of each send."""

    def later(decided_at: int, decision: DecisionRow) -> Iterator[tuple[int, Row]]:
        for position, row in enumerate(log, start=1):
            of_shopper = isinstance(row, ErasureRow) or getattr(row, "shopper_id", None) == decision.shopper_id
            is_own = getattr(row, "event_id", None) == decision.event_id
            if position > decided_at and (is_own or (concerns_all_sends(row) and of_shopper)):
                yield position, row

    return {
        row.event_id: status_of(row, later(position, row), now).status
        for position, row in enumerate(log, start=1)
        if isinstance(row, DecisionRow) and row.is_delivered
    }


def learned_sends(log: Sequence[Row]) -> set[str]:
    def rows_of(event_ids: Sequence[str]) -> dict[str, list[tuple[int, Row]]]:
        rows = list(enumerate(log, start=1))
        return {name: [(at, row) for at, row in rows if getattr(row, "event_id", None) == name] for name in event_ids}

    attribution = Attribution(rows_of)
    return {
        interaction.event_id
        for position, row in enumerate(log, start=1)
        for interaction in attribution.advance(position, row)
    }


def states(log: Sequence[Row]) -> dict[str, ShopperState]:
    folded: dict[str, ShopperState] = {}
    for row in log:
        if isinstance(row, SHOPPER_ROWS) and row.shopper_id is not None:
            folded[row.shopper_id] = fold(folded.get(row.shopper_id, NEW_SHOPPER), row)
    return folded


@settings(max_examples=200)
@given(st.one_of(lives(), logs()))
def test_state_learning_and_report_count_the_same_sends(rows: list[Row]) -> None:
    log = [*as_the_service_logs(rows), ClockRow(99 * HOURS)]
    for until, now in ((len(log) - 1, max(row.at for row in log[:-1])), (len(log), 99 * HOURS)):
        known = known_statuses(log[:until], now)
        report = ReportCells(Span(), lambda row: row.event_id, key_of)
        for position, row in enumerate(log[:until], start=1):
            report.add(position, row)
        shown = {cell.group: cell for cell in report.answer(now).rows}
        for event_id, status in known.items():
            assert shown[event_id].delivered == status.counts_as_sent
            assert shown[event_id].undelivered == ({} if status.counts_as_sent else {status.name: 1})
        places = {
            send.event_id for state in states(log[:until]).values() for send in state.sends if not send.has_expired(now)
        }
        erased = {row.shopper_id for row in log if isinstance(row, ErasureRow)}
        for row in log[:until]:
            if isinstance(row, DecisionRow) and row.is_delivered and row.shopper_id not in erased:
                assert (row.event_id in places) == known[row.event_id].holds_place
    assert learned_sends(log) == {event_id for event_id, status in known.items() if status.is_learned}


@given(logs(), channels)
def test_a_claim_on_consent_is_settled_by_the_rows_that_withdraw_it(rows: list[Row], channel: str) -> None:
    for row in rows:
        if isinstance(row, OutcomeRow | PreferencesRow | ErasureRow) and row.shopper_id is not None:
            state = fold(NEW_SHOPPER, row)
            withdrawn = state.erased or state.consent.get(channel) is False
            assert bool({"consent", f"consent.{channel}"} & {*withheld_paths(row)}) == withdrawn
