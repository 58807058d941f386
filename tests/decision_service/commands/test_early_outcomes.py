"""What is said of a decision before it is known bears on its shopper as if it had been said right after it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decision_service.commands.early_outcomes import early_outcomes
from decision_service.log.row_times import late_row_time
from decision_service.queries.report.report import ReportCells, ReportTable
from decision_service.queries.report.span import Span
from policies.catalogue.document import Catalogue, Reward
from policies.catalogue.rulebook import Rulebook
from policies.learning.attribution import Attribution
from policies.learning.reward import RewardBreakdown, reward_of
from policies.records.outcomes import VALUED, OutcomeType
from policies.records.rows import SHOPPER_ROWS, ClockRow, DecisionRow, OutcomeRow, Row
from policies.shopper.fold import fold
from policies.shopper.state import NEW_SHOPPER, ShopperState
from tests.decision_service.queries.report.logs import (
    HOURS,
    OUTCOMES,
    catalogue,
    decision,
    decisions,
    hold,
    key_of,
    times,
)
from tests.factories import small_document

LATER = 99 * HOURS


def ending_rulebook() -> Rulebook:
    """A catalogue without former names in which a purchase ends the trigger of carts."""
    document = small_document()
    document["triggers"]["cart_abandoned"]["ends_on"] = ["purchase"]
    return Rulebook.of(Catalogue.from_stored(document), 1)


RULEBOOK = ending_rulebook()


@st.composite
def outcomes_before(draw: st.DrawFn) -> list[OutcomeRow]:
    repeated = draw(st.lists(st.tuples(times, st.sampled_from(OUTCOMES), times, st.booleans()), max_size=5))
    return [
        OutcomeRow(
            at=at,
            event_id="e-0",
            type=kind,
            occurred_at=date,
            value=10.0 if kind in VALUED else 0.0,
            permanent=permanent and kind == "bounce",
        )
        for at, kind, date, permanent in repeated
    ]


def watermark_after(*rows: Row) -> float:
    """The watermark after some rows."""
    return max(row.at for row in rows)


def joined_log(other: DecisionRow, early: Sequence[OutcomeRow], decided: DecisionRow) -> list[Row]:
    watermark = watermark_after(other, *early, decided)
    repeated = [new.row for new in early_outcomes(decided, RULEBOOK, early, watermark)]
    return [catalogue(), other, *early, decided, *repeated, ClockRow(LATER)]


def log_in_order(other: DecisionRow, early: Sequence[OutcomeRow], decided: DecisionRow) -> list[Row]:
    """The same as it would be logged had the decision come first, at the same watermark."""
    watermark = watermark_after(other, *early, decided)
    channel = decided.channel if decided.is_delivered else None
    repeated = [
        msgspec.structs.replace(
            row,
            at=late_row_time(decided.at, decided.window_ends_at, watermark)[0] if row.type == "bounce" else decided.at,
            shopper_id=decided.shopper_id,
            channel=channel,
        )
        for row in early
    ]
    return [catalogue(), other, ClockRow(watermark), decided, *repeated, ClockRow(LATER)]


def state(rows: Sequence[Row], shopper_id: str) -> ShopperState:
    folded = NEW_SHOPPER
    for row in rows:
        if isinstance(row, SHOPPER_ROWS) and row.shopper_id == shopper_id:
            folded = fold(folded, row)
    return folded


def report(rows: Sequence[Row]) -> ReportTable:
    tally = ReportCells(Span(), None, key_of)
    for position, row in enumerate(rows, start=1):
        tally.add(position, row)
    return tally.answer(LATER)


def learned_results(rows: Sequence[Row]) -> dict[str, RewardBreakdown]:
    """What is known in the end of interaction send that is learned from."""

    def rows_of(event_ids: Sequence[str]) -> dict[str, list[tuple[int, Row]]]:
        placed = list(enumerate(rows, start=1))
        return {name: [(at, row) for at, row in placed if getattr(row, "event_id", None) == name] for name in event_ids}

    attribution = Attribution(rows_of)
    interactions = [
        interaction for position, row in enumerate(rows, start=1) for interaction in attribution.advance(position, row)
    ]
    return {interaction.event_id: interaction.result for interaction in interactions}


@st.composite
def other_sends(draw: st.DrawFn) -> DecisionRow:
    """Another send; a purchase ends half of them."""
    send_at = draw(times)
    return decision(
        "other",
        channel=draw(st.sampled_from(["push", "email"])),
        drawn_trigger=draw(st.integers(0, 1)),
        send_at=send_at,
        window_ends_at=send_at + 4 * HOURS,
    )


def dates_of_withdrawals(folded: ShopperState) -> dict[str, float]:
    return {path: date for path, date in folded.withheld.items() if path.startswith("consent.")}


@given(outcomes_before(), decisions("e-0"), other_sends())
def test_early_outcomes_bear_as_if_their_decision_had_come_first(
    early: list[OutcomeRow], decided: DecisionRow, other: DecisionRow
) -> None:
    """Consent, places and budgets, the report, and what is learned; another send of the shopper is voided alike."""
    other = msgspec.structs.replace(other, shopper_id=decided.shopper_id)
    repeated, straight = joined_log(other, early, decided), log_in_order(other, early, decided)
    ours, theirs = state(repeated, decided.shopper_id), state(straight, decided.shopper_id)
    assert (ours.consent, ours.reachable) == (theirs.consent, theirs.reachable)
    assert dates_of_withdrawals(ours) == dates_of_withdrawals(theirs)
    assert ours.did_by_outcome == theirs.did_by_outcome
    assert [send.event_id for send in ours.sends] == [send.event_id for send in theirs.sends]
    assert report(repeated) == report(straight)
    assert learned_results(repeated) == learned_results(straight)


def outcome(kind: OutcomeType, occurred_at: float, **fields: Any) -> OutcomeRow:
    return OutcomeRow(at=30 * HOURS, event_id="e-0", type=kind, occurred_at=occurred_at, **fields)


def test_the_latest_date_of_several_early_withdrawals_counts() -> None:
    """Callers report in any order: a grant between the two dates does not undo the later withdrawal."""
    early = [outcome("opt_out", 25 * HOURS), outcome("opt_out", 21 * HOURS)]
    decided = decision("e-0", at=30 * HOURS, send_at=30 * HOURS, window_ends_at=34 * HOURS)
    (repeated,) = (new.row for new in early_outcomes(decided, RULEBOOK, early))
    assert isinstance(repeated, OutcomeRow)
    assert repeated.occurred_at == 25 * HOURS


def test_the_first_of_several_early_outcomes_takes_the_send_back() -> None:
    early = [outcome("bounce", 32 * HOURS), outcome("conversion", 31 * HOURS)]
    decided = decision("e-0", at=30 * HOURS, drawn_trigger=1, send_at=31 * HOURS, window_ends_at=35 * HOURS)
    assert report(joined_log(decision("other"), early, decided)).total.undelivered == {"bounced": 1}


@pytest.mark.parametrize(
    ("kinds", "end_of_other"),
    [(("opt_out", "conversion"), "voided"), (("conversion", "opt_out"), "superseded")],
)
def test_the_first_of_an_early_order_and_an_early_withdrawal_takes_the_other_send_back(
    kinds: tuple[OutcomeType, ...], end_of_other: str
) -> None:
    other = decision("other", drawn_trigger=1, send_at=40 * HOURS, window_ends_at=44 * HOURS)
    decided = decision("e-0", at=30 * HOURS, send_at=31 * HOURS, window_ends_at=35 * HOURS)
    early = [outcome(kind, 30 * HOURS) for kind in kinds]
    assert report(joined_log(other, early, decided)).total.undelivered == {end_of_other: 1}


def test_a_bounce_in_time_behind_a_late_one_is_the_first_that_takes_the_send_back() -> None:
    decided = decision("e-0", at=30 * HOURS, drawn_trigger=1, send_at=31 * HOURS, window_ends_at=35 * HOURS)
    early = [
        outcome("bounce", 36 * HOURS, permanent=True),
        outcome("conversion", 31 * HOURS),
        outcome("bounce", 32 * HOURS),
    ]
    rows = joined_log(decision("other"), early, decided), log_in_order(decision("other"), early, decided)
    assert [report(log).total.undelivered for log in rows] == [{"superseded": 1}] * 2


@pytest.mark.parametrize("is_hold", [False, True])
def test_an_early_order_ends_the_other_reminders_and_counts_once(is_hold: bool) -> None:
    """The shopper has bought: the other reminder does not leave, and the order is one order."""
    other = decision("other", drawn_trigger=1, send_at=40 * HOURS, window_ends_at=44 * HOURS)
    order = outcome("conversion", 30 * HOURS, value=60.0, feedback_id="order-1", dated=True)
    decided = decision("e-0", at=30 * HOURS, send_at=30 * HOURS, window_ends_at=34 * HOURS)
    decided = hold("e-0", "policy", at=30 * HOURS) if is_hold else decided
    rows = joined_log(other, [order], decided)
    folded = state(rows, "s-1")
    assert folded.did_by_outcome == {"purchase": 30 * HOURS}
    assert "other" not in [send.event_id for send in folded.sends]
    total = report(rows).total
    assert (total.conversions, total.revenue, total.undelivered) == (
        *((0, 0.0) if is_hold else (1, 60.0)),
        {"superseded": 1},
    )
    learned = {} if is_hold else {"e-0": reward_of([order], Reward(), cost=0.0).gain}
    assert {name: result.gain for name, result in learned_results(rows).items()} == learned


@given(outcomes_before(), decisions("e-0"))
def test_however_much_was_said_little_is_repeated(early: list[OutcomeRow], decided: DecisionRow) -> None:
    repeated = [new.row for new in early_outcomes(decided, RULEBOOK, [*early, *early])]
    said = {(row.type, row.permanent) for row in repeated if isinstance(row, OutcomeRow)}
    assert len(repeated) == len(said) <= 5


def test_an_order_that_can_end_nothing_is_not_repeated() -> None:
    catalogue_without_endings = Rulebook.of(Catalogue.from_stored(small_document()), 1)
    assert early_outcomes(decision("e-0"), catalogue_without_endings, [outcome("conversion", HOURS)]) == []
