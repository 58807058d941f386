"""Clocks that run ahead for a while, and are corrected: every fold of such a log comes to the same result."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Sequence
from typing import Any

import msgspec
from hypothesis import event, given, settings
from hypothesis import strategies as st

from decision_service.evaluation.log_decisions import YOUNG, LogDecisions
from decision_service.learning.registry.sql import SqlRegistry
from decision_service.log.base import MOST_LEAD_S, Appended, NewRow, StoredRow
from decision_service.log.condition import AppendCondition
from decision_service.log.reading import find_events
from decision_service.log.row_times import late_row_time
from decision_service.log.sql import SqlLog
from decision_service.projection.expected_states import ExpectedStates
from decision_service.queries.inspector import Inspector
from decision_service.queries.report.report import ReportCells
from decision_service.queries.report.span import Span
from decision_service.state.shopper_keys import ShopperKeys
from policies.learning.attribution import Attribution
from policies.learning.fold import Learning
from policies.learning.interactions import Interaction
from policies.models.learned import LEARNING
from policies.models.uniform import uniform_policy
from policies.records.rows import (
    ActivationRow,
    CancellationRow,
    CatalogueRow,
    ClockCorrectionRow,
    ClockRow,
    DecisionRow,
    OutcomeRow,
    Row,
    ShopperRow,
)
from policies.shopper.fold import fold
from tests.factories import DAY_S, NOW
from tests.reference.auditor import audit
from tests.reference.shop import Shop
from tests.reference.test_histories import reservations_of_the_log, two_categories

HOUR_S = 3_600.0
SHOPPERS = ("s-1", "s-2", "s-3")
LEADS_S = (60.0, 5.5 * HOUR_S, 3 * DAY_S, 40 * DAY_S)
"""How far a clock is ahead: within what is allowed, a zone, some days, more than anything looks back on."""

STEPS = {"decide": 8, "clock": 2, "prefer": 1, "click": 3, "bounce": 1, "gate": 2, "cancel": 1}


class Clock:
    """A clock that can be set."""

    def __init__(self) -> None:
        self.true_time, self.lead_s = NOW, 0.0

    def __call__(self) -> float:
        return self.true_time + self.lead_s


class LoggedShop(Shop):
    """A shop that writes its rows into a log of the wall clock, as the commands of the service do."""

    def __init__(self, directory: str, document: dict[str, Any], seed: int) -> None:
        super().__init__(document, uniform_policy(), seed=b"%d" % seed)
        self.clock = Clock()
        self.log_file = SqlLog.open(f"sqlite:///{directory}/decisions.sqlite", self.clock)
        self.log_file.store_fact("clock", "wall")
        self.log_file.append([NewRow(CatalogueRow(NOW, 1, self.rulebook.catalogue.to_document()), "catalogue\x1f1")])

    def write(self, row: Row, **condition: Any) -> bool:
        """Append a row, fold what the log has of it, and return whether it was written."""
        (result,) = self.log_file.append([NewRow(row, condition=AppendCondition(**condition))])
        if not isinstance(result, Appended):
            return False
        (stored,) = self.log_file.read(result.position - 1, 1)
        if isinstance(stored.row, ShopperRow):
            assert stored.row.shopper_id is not None
            self.rows.append(stored.row)
            self.states[stored.row.shopper_id] = fold(self.states[stored.row.shopper_id], stored.row)
        return True

    def _append(self, row: ShopperRow) -> None:
        match row:
            case CancellationRow():
                self.write(row, watermark_below=self.decisions[row.event_id].window_ends_at)
            case ActivationRow(deliver=False) | OutcomeRow(type="bounce"):
                self._write_in_time(row)
            case DecisionRow():
                assert self.write(row)
            case _:
                self.write(row)

    def _write_in_time(self, row: ActivationRow | OutcomeRow) -> None:
        """Date a row that takes back a send whose window may be over, until the log takes it."""
        written, decision = False, self.decisions[row.event_id]
        while not written:
            time = late_row_time(row.at, decision.window_ends_at, self.log_file.head().watermark)
            if isinstance(row, ActivationRow) and decision.deferred:
                time = time._replace(at=row.at, watermark_below=float("inf"), watermark_from=float("-inf"))
            bounds = {"watermark_below": time.watermark_below, "watermark_from": time.watermark_from}
            written = self.write(msgspec.structs.replace(row, at=time.at), **bounds)

    @property
    def stored(self) -> list[StoredRow]:
        return self.log_file.read(0, 100_000)


def live(shop: LoggedShop, seed: int, steps: int) -> None:
    """Let a random history happen while the clock leaps ahead and is set right, again and again."""
    chance = random.Random(seed)
    for _ in range(steps):
        shop.clock.true_time += chance.choice((1.0, 60.0, 900.0, 2 * HOUR_S))
        shop.clock.lead_s = chance.choice(LEADS_S) if chance.random() < 0.15 else 0.0
        now, shopper_id = shop.clock(), chance.choice(SHOPPERS)
        sent = [row for row in shop.sent if row.shopper_id == shopper_id]
        what = chance.choices(list(STEPS), list(STEPS.values()))[0] if shop.decisions else "decide"
        if what == "decide":
            kinds = chance.choice((("left",), ("dropped",), ("left", "dropped")))
            asked = [shop.trigger(kind, now) for kind in kinds]
            event_id = f"e-{len(shop.decisions)}"
            shop.decide(shopper_id, asked, now, deferred=chance.random() < 0.3, event_id=event_id)
        elif what == "clock":
            shop.write(ClockRow(now))
        elif what == "prefer":
            shop.prefer(shopper_id, now, consent={"push": chance.random() < 0.7})
        elif sent and what in ("click", "bounce"):
            shop.record_outcome(chance.choice(sent).event_id, what, now)
        elif sent:
            asked_before = {row.event_id for row in shop.rows if isinstance(row, ActivationRow | CancellationRow)}
            event_id = chance.choice(sent).event_id
            if event_id not in asked_before:
                shop.activate(event_id, now) if what == "gate" else shop.cancel(event_id, now)
    shop.clock.lead_s, shop.clock.true_time = 0.0, shop.clock.true_time + 900 * DAY_S
    shop.write(ClockRow(shop.clock()))


def attribute(shop: LoggedShop) -> dict[str, tuple[int, Interaction]]:
    """Return what is learned from each send first, with the position at which it is learned."""
    attribution = Attribution(lambda event_ids: find_events(shop.log_file, event_ids))
    learned: dict[str, tuple[int, Interaction]] = {}
    for stored in shop.stored:
        for interaction in attribution.advance(stored.position, stored.row):
            learned.setdefault(interaction.event_id, (stored.position, interaction))
        assert attribution.watermark == stored.watermark
    assert attribution.open_windows == 0
    return learned


def learn(shop: LoggedShop, interrupt_every: int) -> Learning:
    def rows_of(event_ids: Sequence[str]) -> dict[str, list[tuple[int, Row]]]:
        return find_events(shop.log_file, event_ids)

    learning = Learning(rows_of, LEARNING.make_learner)
    for stored in shop.stored:
        learning.fold(stored.position, stored.row)
        if stored.position % interrupt_every == 0:
            learning = Learning.from_bytes(learning.to_bytes(), rows_of, LEARNING.make_learner)
    return learning


def check_watermarks(shop: LoggedShop) -> None:
    watermark = float("-inf")
    for stored in shop.stored:
        watermark = stored.at if isinstance(stored.row, ClockCorrectionRow) else max(watermark, stored.at)
        assert stored.watermark == watermark


def check_folds(shop: LoggedShop, directory: str) -> None:
    """Check that projection, verification, learner, inspector, evaluation, report and audit agree."""
    learned, log = attribute(shop), shop.log_file
    assert learn(shop, 10_000).to_bytes() == learn(shop, 7).to_bytes()
    assert learn(shop, 10_000).learned == len(learned)

    entries = LogDecisions(log)
    assert {entry.row.event_id for entry in entries if entry.delivered} == set(learned)
    assert entries.counts[YOUNG] == 0
    assert sum(entries.counts.values()) == len(shop.decisions)

    inspector, now = Inspector(log, SqlRegistry.open(f"sqlite:///{directory}/models.sqlite")), shop.clock()
    answers = {event_id: inspector._explain(event_id, now) for event_id in shop.decisions}
    closed = {name: answer["learned"].get("closed_at_position") for name, answer in answers.items()}
    assert {name: at for name, at in closed.items() if at is not None} == {
        name: position for name, (position, _) in learned.items()
    }

    keys = ShopperKeys(b"salt")
    expected, cells = ExpectedStates(log, keys), ReportCells(Span(), None, keys.key)
    expected.fold_up_to(log.head().position)
    assert {key: state for key, state in expected.states.items() if state.seen_at is not None} == {
        keys.key(name): state for name, state in shop.states.items() if state.seen_at is not None
    }
    for stored in shop.stored:
        cells.add(stored.position, stored.row)
    delivered = sum(answer["status"] in ("sent", "scheduled") for answer in answers.values())
    assert cells.answer(now).total.delivered == delivered

    auditor = audit([(stored.position, stored.row) for stored in shop.stored])
    assert auditor.violations == []
    assert reservations_of_the_log(shop, auditor) == {
        shopper_id: places
        for shopper_id, state in shop.states.items()
        if (
            places := {
                (send.event_id, send.send_at, send.message, send.channel, send.deferred)
                for send in state.sends
                if not send.critical and not send.has_expired(shop.now)
            }
        )
    }


@settings(max_examples=12)
@given(st.integers(0, 10**6), st.integers(5, 40))
def test_every_fold_of_a_log_with_leads_comes_to_the_same(seed: int, steps: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        shop = LoggedShop(directory, two_categories(caps=[{"max": 4, "window_s": 86_400}]), seed)
        live(shop, seed, steps)
        event(f"{sum(row.kind == 'clock_correction' for row in shop.stored)} corrections")
        check_watermarks(shop)
        check_folds(shop, directory)
        shop.log_file.close()


@settings(max_examples=10)
@given(st.integers(0, 10**6), st.integers(1, 20))
def test_no_row_is_judged_by_a_time_far_ahead_of_the_clock(seed: int, steps: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        shop = LoggedShop(directory, two_categories(), seed)
        live(shop, seed, steps)
        for lead_s in (0.0, *LEADS_S, 50 * 365 * DAY_S):
            shop.clock.lead_s = lead_s
            shop.write(ClockRow(shop.clock()))
        shop.clock.lead_s = 0.0
        shop.write(ClockRow(shop.clock()))
        assert shop.log_file.head().watermark <= shop.clock() + MOST_LEAD_S
        shop.log_file.close()
