"""Which rows of the log count, and with which reward: the table of the design."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from decision_service.commands.erasure import AnonymousRows
from decision_service.evaluation import log_decisions
from decision_service.evaluation.log_decisions import CRITICAL, EVALUATED, NOT_EVALUATED, YOUNG, LogDecisions
from decision_service.log.reading import read_rows
from decision_service.projection.erased_shoppers import ErasedShoppers
from decision_service.state.shopper_keys import ShopperKeys
from offline_eval.errors import NoData
from offline_eval.logs.decisions import HOLD
from offline_eval.logs.service_rows import decode_decision
from offline_eval.logs.tables.log import LogEntry
from policies.catalogue.document import Catalogue
from policies.catalogue.rulebook import Rulebook
from policies.decide import decide
from policies.decision_row import decision_row
from policies.models.policy import Policy
from policies.models.rule import rule_policy
from policies.models.uniform import uniform_policy
from policies.records.erasure import anonymous
from policies.records.request import Request
from policies.records.rows import ActivationRow, CancellationRow, ClockRow, DecisionRow, PreferencesRow
from policies.shopper.state import NEW_SHOPPER as NEW
from tests.decision_service.evaluation.small_log import SmallLog
from tests.factories import DAY_S, NOW, small_document, trigger


@pytest.fixture
def small(tmp_path: Path) -> Iterator[SmallLog]:
    log = SmallLog(tmp_path)
    yield log
    log.log.close()


def read(small: SmallLog) -> dict[str, LogEntry]:
    return {entry.row.event_id: entry for entry in LogDecisions(small.log)}


def reward(entry: LogEntry) -> float:
    assert entry.decision is not None
    return entry.decision.reward


SENDS: Policy = rule_policy(epsilon=0.0)
"""Sends the first message on the first channel at once."""


def send(small: SmallLog, number: int, **changes: object) -> DecisionRow:
    row = small.decide(number, SENDS, **changes)
    assert row.message is not None
    return row


def test_a_delivered_send_has_the_reward_of_all_its_outcomes(small: SmallLog) -> None:
    row = send(small, 1)
    small.outcome(row)
    small.outcome(row, "conversion", value=10.0)
    small.outcome(send(small, 2), "opt_out")
    small.clock()
    # After the window: stored and learned as a correction, so the reward knows it too.
    entries = read(small)
    weights = small.rulebook.catalogue.reward
    assert reward(entries["e-1"]) == pytest.approx(weights.click + weights.margin * 10.0)
    assert reward(entries["e-2"]) == pytest.approx(-weights.consent_value)
    assert all(entry.role == EVALUATED and entry.delivered for entry in entries.values())


def test_an_order_without_a_click_has_the_catalogues_weight(tmp_path: Path) -> None:
    small = SmallLog(tmp_path, small_document(reward={"view_through": 0.25}))
    small.outcome(send(small, 1), "conversion", value=10.0)
    clicked = send(small, 2)
    small.outcome(clicked, "conversion", value=10.0)
    small.outcome(clicked, "click", after=2.0)
    small.clock()
    entries, weights = read(small), small.rulebook.catalogue.reward
    assert reward(entries["e-1"]) == pytest.approx(0.25 * weights.margin * 10.0)
    assert reward(entries["e-2"]) == pytest.approx(weights.click + weights.margin * 10.0)
    small.log.close()


def test_a_late_outcome_counts(small: SmallLog) -> None:
    row = send(small, 1)
    small.clock(NOW + 2 * DAY_S)
    small.outcome(row, "click", after=3 * DAY_S)
    small.clock()
    assert reward(read(small)["e-1"]) == pytest.approx(small.rulebook.catalogue.reward.click)


def test_a_drawn_hold_counts_with_reward_0(small: SmallLog) -> None:
    number = next(n for n in range(100) if small.decide(n, uniform_policy()).message is None)
    small.clock()
    entry = read(small)[f"e-{number}"]
    assert entry.decision is not None
    assert (entry.role, entry.decision.action, entry.decision.reward) == (EVALUATED, HOLD, 0.0)
    assert entry.decision.propensity == pytest.approx(1 / 9)


def test_what_was_drawn_and_did_not_leave_counts_as_drawn_with_reward_0(small: SmallLog) -> None:
    send(small, 1, send_at=None, window_ends_at=None, hold_reason="lost_race")
    row = send(small, 2)
    small.append(CancellationRow(at=row.at, event_id="e-2", shopper_id=row.shopper_id))
    send(small, 3, deferred=True)
    row = send(small, 4, deferred=True)
    small.append(ActivationRow(at=row.at, event_id="e-4", shopper_id=row.shopper_id, deliver=False))
    small.outcome(send(small, 5), "bounce")
    later = send(small, 6, shopper_id="s-w", send_at=NOW + 9_000.0, window_ends_at=NOW + 9_000.0 + 14_400.0)
    small.append(PreferencesRow(at=NOW + 10.0, shopper_id="s-w", consent={later.channel or "": False}))
    row = send(small, 7, deferred=True)
    small.append(ActivationRow(at=row.at, event_id="e-7", shopper_id=row.shopper_id, deliver=True))
    small.outcome(row)
    small.clock()
    entries = read(small)
    for number in range(1, 7):
        entry = entries[f"e-{number}"]
        assert (entry.role, entry.delivered, reward(entry)) == (EVALUATED, False, 0.0), number
        assert entry.decision is not None
        assert entry.decision.action != HOLD
    assert entries["e-7"].delivered
    assert reward(entries["e-7"]) > 0


def test_without_an_eligible_send_every_target_holds_with_weight_1(small: SmallLog) -> None:
    small.decide(1, triggers=(trigger(expires_at=NOW - 5.0),))
    small.clock()
    entry = read(small)["e-1"]
    assert entry.decision is not None
    assert (entry.row.hold_reason, entry.role) == ("no_eligible_action", EVALUATED)
    assert (list(entry.decision.actions), entry.decision.propensity, entry.decision.reward) == ([HOLD], 1.0, 0.0)


def test_degraded_and_held_out_do_not_count_and_critical_stand_apart(small: SmallLog) -> None:
    small.write_degraded(1)
    small.decide(2, SENDS, arm="holdout", hold_reason="holdout", send_at=None, window_ends_at=None)
    send(small, 3, triggers=(trigger(critical=True, expires_at=NOW + 1e7),))
    small.decide(4, Policy("rule", rule_policy().model, mode="fallback"))
    small.clock()
    roles = {name: entry.role for name, entry in read(small).items()}
    assert roles == {"e-1": NOT_EVALUATED, "e-2": NOT_EVALUATED, "e-3": CRITICAL, "e-4": EVALUATED}


def test_what_the_fallback_sent_is_evaluated_with_its_reward(small: SmallLog) -> None:
    small.outcome(small.decide(1, Policy("rule", SENDS.model, epsilon=0.0, mode="fallback")), "click")
    small.clock()
    entry = read(small)["e-1"]
    assert (entry.role, entry.delivered) == (EVALUATED, True)
    assert reward(entry) == pytest.approx(small.rulebook.catalogue.reward.click)


def test_decisions_come_in_order_and_not_before_every_eligible_send_could_have_earned(small: SmallLog) -> None:
    """The longest delay is an hour, an activation may take another, and the longest window is a day: 26 hours."""
    for number in range(20):
        small.decide(number, uniform_policy())
    small.clock(NOW + 26 * 3_600.0 + 9.0)
    decisions = LogDecisions(small.log)
    assert [entry.row.event_id for entry in decisions] == [f"e-{number}" for number in range(10)]
    assert decisions.counts[YOUNG] == 10


def test_a_deferred_send_that_is_activated_after_its_window_still_counts(tmp_path: Path) -> None:
    windows = {channel: {"attribution_window_s": 600} for channel in ("push", "email")}
    small = SmallLog(tmp_path, small_document(delays_s=[0], channels=windows))
    row = send(small, 1, deferred=True)
    small.append(ClockRow(at=row.at + 700))
    small.append(ActivationRow(row.at + 1_800, row.event_id, row.shopper_id, deliver=True))
    small.outcome(row, after=1_900)
    small.clock()
    entry = read(small)["e-1"]
    small.log.close()
    assert entry.delivered
    assert reward(entry) == pytest.approx(small.rulebook.catalogue.reward.click)


def test_each_send_is_read_with_the_trigger_that_it_answers(small: SmallLog) -> None:
    both = (trigger("wishlist", expires_at=NOW + 1e7), trigger("cart_abandoned", expires_at=NOW + 1e7))
    rows = [small.decide(number, uniform_policy(), triggers=both) for number in range(40)]
    small.clock()
    for row, entry in zip(rows, read(small).values(), strict=True):
        assert entry.decision is not None
        policy_inputs = entry.decision.policy_inputs
        assert policy_inputs is not None
        # hint answers the first trigger that allows it, the wishlist; reminder only the cart.
        space = small.rulebook.space
        names = [space.messages[space.message_of[n]] for n in policy_inputs.numbers[:-1]]
        assert policy_inputs.trigger_of.tolist() == [1 if name == "reminder" else 0 for name in names] + [-1]
        assert policy_inputs.trigger_of[entry.decision.drawn] == (
            -1 if row.drawn_trigger is None else row.drawn_trigger
        )
        np.testing.assert_array_equal(entry.decision.probabilities, np.full(9, 1 / 9))


def test_erasure_changes_neither_what_a_send_answers_nor_the_labels() -> None:
    """Erasure takes the attributes that fill the templates: judged without them, no send had content at all."""
    document = small_document()
    for message in document["messages"].values():
        message["templates"] = {
            channel: {"en": {"title": "T", "body": "{{ product }}"}} for channel in document["channels"]
        }
    rulebook = Rulebook.of(Catalogue.from_document(document), 1)
    wish = trigger("wishlist", priority=5, expires_at=NOW + 1e7, attributes={"product": "Shoe"})
    cart = trigger("cart_abandoned", priority=2, expires_at=NOW + 1e7, attributes={"product": "Hat"})
    drawn = set()
    for number in range(30):
        row = decision_row(
            decide(Request(f"e-{number}", "s-1", (wish, cart), NOW, {}), NEW, rulebook, uniform_policy(), b"seed")
        )
        before, after = (decode_decision(item, rulebook, 0.0) for item in (row, anonymous(row, "erased:1")))
        assert before.policy_inputs is not None
        assert after.policy_inputs is not None
        assert before.policy_inputs.trigger_of.tolist() == after.policy_inputs.trigger_of.tolist() == [1] * 8 + [-1]
        assert before.labels == after.labels
        assert after.labels["trigger"] == "cart_abandoned"
        drawn.add(after.action)
    assert HOLD in drawn


def test_without_any_send_the_label_names_the_most_urgent_trigger(small: SmallLog) -> None:
    late = (trigger("wishlist", priority=5, expires_at=NOW - 5.0), trigger(expires_at=NOW - 5.0))
    small.decide(1, triggers=late)
    small.clock()
    entry = read(small)["e-1"]
    assert entry.decision is not None
    assert entry.decision.labels["trigger"] == "cart_abandoned"


def test_an_empty_log_has_nothing_to_evaluate(small: SmallLog) -> None:
    small.flush()
    with pytest.raises(NoData, match="the log holds no decision"):
        list(LogDecisions(small.log))


def test_a_withdrawal_that_an_erasure_renames_while_the_log_is_read_is_still_one(
    small: SmallLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    shopper_keys, later = ShopperKeys(b"salt"), 100_000
    small.log.store_fact("salt", "salt")
    send(small, 1)
    row = send(small, later, shopper_id="s-2", send_at=NOW + later + 600.0, window_ends_at=NOW + later + 4_000.0)
    small.append(PreferencesRow(row.at + 60, "s-2", {str(row.channel): False}))
    small.flush()
    # One batch goes up to the send that is withdrawn.
    monkeypatch.setattr(log_decisions, "read_rows", partial(read_rows, batch=3))
    reading = iter(LogDecisions(small.log, ErasedShoppers.stored(small.log).key_of))
    assert next(reading).delivered
    small.log.rewrite("s-2", AnonymousRows(shopper_keys.key("s-2"), row.at + 1_000))
    small.clock()
    (withdrawn,) = reading
    assert (withdrawn.row.event_id, withdrawn.delivered) == (row.event_id, False)
