"""The learning fold: windows close by rows, each interaction is learned once, restarts change nothing."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.catalogue.document import Catalogue, Reward
from policies.catalogue.rulebook import Rulebook
from policies.learning.attribution import Attribution
from policies.learning.fold import Learning, MakeLearner
from policies.learning.interactions import Interaction
from policies.learning.model_learner import ModelMismatch
from policies.learning.reward import reward_of
from policies.learning.windows import NOT_SENT_KEPT_S
from policies.models.bayes.learner import BayesLearner
from policies.models.bayes.snapshot import BayesSnapshot
from policies.models.compiled import ModelSnapshot
from policies.models.learned import LEARNING
from policies.models.registry import POLICIES
from policies.records.erasure import anonymous
from policies.records.rows import (
    CatalogueRow,
    ClockRow,
    DecisionRow,
    PolicyRecord,
    Row,
    Scalar,
)
from tests.factories import (
    NOW,
    WINDOW_S,
    activation_row,
    cancellation_row,
    erasure_row,
    outcome_row,
    preferences_row,
    refusal_row,
    send_row,
    small_document,
    trigger,
)

LEARNERS: dict[str, MakeLearner] = {
    name: factory.learning.make_learner for name, factory in POLICIES.items() if factory.learning is not None
}
learners = pytest.mark.parametrize("make_learner", LEARNERS.values(), ids=LEARNERS.keys())


class Rows:
    """A log in memory."""

    def __init__(self, reward: dict[str, float] | None = None) -> None:
        catalogue = Catalogue.from_document(small_document(reward=reward or {}))
        self.rows: list[Row] = [CatalogueRow(0.0, 1, catalogue.to_document())]

    def rows_of(self, event_ids: Sequence[str]) -> dict[str, list[tuple[int, Row]]]:
        rows: dict[str, list[tuple[int, Row]]] = {}
        for position, row in enumerate(self.rows, 1):
            event_id = getattr(row, "event_id", None)
            if event_id is not None and event_id in event_ids:
                rows.setdefault(event_id, []).append((position, row))
        return rows

    def send(self, event_id: str = "e-1", *, shopper: str = "s-1", deferred: bool = False, **changes: Any) -> None:
        """Log a send; what is not a field of the row is part of the context."""
        channel = changes.pop("channel", "push")
        at, delay_s = changes.pop("at", NOW), changes.pop("delay_s", 0)
        row = send_row(
            event_id,
            at=at,
            delay_s=delay_s,
            shopper_id=shopper,
            channel=channel,
            context={"segment": "loyal", "local_hour": 9.0, **changes},
            propensity=0.5,
            p_out=0.0025,
            window_ends_at=at + delay_s + {"push": WINDOW_S, "email": 86_400.0}[channel],
            deferred=deferred,
        )
        self.rows.append(row)

    def outcome(self, kind: str = "click", event_id: str = "e-1", **changes: Any) -> None:
        self.rows.append(outcome_row(kind, event_id, **changes))

    def clock(self, at: float) -> None:
        self.rows.append(ClockRow(at))

    def interactions(self) -> list[Interaction]:
        attribution = Attribution(self.rows_of)
        return [
            interaction
            for position, row in enumerate(self.rows, 1)
            for interaction in attribution.advance(position, row)
        ]


@pytest.fixture
def rows() -> Rows:
    return Rows()


def test_nothing_is_learned_before_the_window_closes(rows: Rows) -> None:
    rows.send()
    rows.outcome()
    rows.clock(NOW + WINDOW_S - 1)
    assert rows.interactions() == []
    rows.clock(NOW + WINDOW_S)
    (learned,) = rows.interactions()
    assert learned.result.is_positive
    assert learned.context["trigger"] == "cart_abandoned"


def test_an_ignored_send_is_learned_too(rows: Rows) -> None:
    rows.send()
    rows.clock(NOW + WINDOW_S)
    (learned,) = rows.interactions()
    assert not learned.result.is_positive


def test_windows_close_in_the_order_of_their_ends_then_positions(rows: Rows) -> None:
    rows.send("late", delay_s=3_600)
    rows.send("first")
    rows.send("second")
    rows.clock(NOW + 10 * WINDOW_S)
    assert [interaction.event_id for interaction in rows.interactions()] == ["first", "second", "late"]


def test_an_outcome_dated_at_the_end_is_late_and_corrects(rows: Rows) -> None:
    rows.send()
    rows.outcome(at=NOW, occurred_at=NOW + WINDOW_S)
    rows.clock(NOW + WINDOW_S)
    first, correction = rows.interactions()
    assert not first.result.is_positive
    assert correction.result.is_positive
    assert correction.before == first.result


def test_an_outcome_logged_after_the_closing_is_one_more_step(rows: Rows) -> None:
    rows.send()
    rows.clock(NOW + WINDOW_S)
    rows.outcome(at=NOW + 2 * WINDOW_S, occurred_at=NOW + 60)
    first, correction = rows.interactions()
    assert (first.result.is_positive, correction.result.is_positive) == (False, True)


def test_the_row_that_closes_a_window_is_not_in_it(rows: Rows) -> None:
    rows.send()
    rows.outcome(at=NOW + WINDOW_S, occurred_at=NOW + 60)
    first, correction = rows.interactions()
    assert (first.result.is_positive, correction.result.is_positive) == (False, True)


def test_a_late_outcome_that_changes_no_reward_teaches_nothing(rows: Rows) -> None:
    rows.send()
    rows.outcome()
    rows.clock(NOW + WINDOW_S)
    rows.outcome("delivered", at=NOW + 2 * WINDOW_S)
    rows.outcome("click", at=NOW + 2 * WINDOW_S)
    assert len(rows.interactions()) == 1


def test_outcomes_before_their_decision_are_joined(rows: Rows) -> None:
    rows.outcome("click", shopper_id=None, channel=None)
    rows.send()
    rows.clock(NOW + WINDOW_S)
    (learned,) = rows.interactions()
    assert learned.result.is_positive


def test_click_then_purchase_then_opt_out_all_count(rows: Rows) -> None:
    rows.send()
    rows.outcome("click")
    rows.outcome("conversion", value=50.0)
    rows.outcome("conversion", value=10.0)
    rows.outcome("opt_out")
    rows.clock(NOW + WINDOW_S)
    (learned,) = rows.interactions()
    assert learned.result.gain == pytest.approx(0.1 + 0.3 * 60)
    assert learned.result.opted_out
    assert learned.result.reward == pytest.approx(0.1 + 18 - 4)


@pytest.mark.parametrize("kind", ["bounce"])
def test_what_bounced_is_not_learned(rows: Rows, kind: str) -> None:
    rows.send()
    rows.outcome(kind)
    rows.outcome("click")
    rows.clock(NOW + WINDOW_S)
    rows.outcome("click", at=NOW + 2 * WINDOW_S)
    assert rows.interactions() == []


def test_a_late_bounce_is_only_reported(rows: Rows) -> None:
    rows.send()
    rows.clock(NOW + WINDOW_S)
    rows.outcome("bounce", at=NOW + 2 * WINDOW_S)
    assert len(rows.interactions()) == 1


def test_a_bounce_dated_after_the_window_is_late_even_while_it_is_open(rows: Rows) -> None:
    rows.send()
    rows.outcome("bounce", at=NOW + 60, occurred_at=NOW + WINDOW_S)
    rows.clock(NOW + WINDOW_S)
    assert len(rows.interactions()) == 1


def test_a_refusal_after_the_window_takes_nothing_back_and_is_corrected_still(rows: Rows) -> None:
    rows.send()
    rows.clock(NOW + WINDOW_S)
    rows.rows.append(refusal_row(at=NOW + WINDOW_S, reason="expired"))
    rows.outcome("click", at=NOW + 2 * WINDOW_S)
    assert [interaction.result.is_positive for interaction in rows.interactions()] == [False, True]


def test_sends_voided_by_a_withdrawal_are_not_learned(rows: Rows) -> None:
    rows.send("out")
    rows.send("ahead", delay_s=3_600)
    rows.send("elsewhere", delay_s=3_600, channel="email")
    rows.send("another", delay_s=3_600, shopper="s-2")
    rows.outcome("opt_out", "out", at=NOW + 60)
    rows.clock(NOW + 100 * WINDOW_S)
    assert {interaction.event_id for interaction in rows.interactions()} == {"out", "elsewhere", "another"}


def test_a_withdrawal_by_preferences_voids_only_what_is_ahead(rows: Rows) -> None:
    rows.send("sent")
    rows.send("ahead", delay_s=3_600)
    rows.rows.append(preferences_row(at=NOW + 60, consent={"push": False}))
    rows.clock(NOW + 100 * WINDOW_S)
    assert {interaction.event_id for interaction in rows.interactions()} == {"sent"}


def test_a_decision_behind_the_watermark_closes_with_its_own_row(rows: Rows) -> None:
    rows.clock(NOW + 10 * WINDOW_S)
    rows.send()
    assert [interaction.event_id for interaction in rows.interactions()] == ["e-1"]


def test_what_the_fallback_sent_is_attributed_and_teaches_nothing_not_even_late(rows: Rows) -> None:
    rows.send()
    rows.rows[-1] = msgspec.structs.replace(rows.rows[-1], policy=PolicyRecord("rule", 0, "fallback"))
    rows.clock(NOW + WINDOW_S)
    rows.outcome(at=NOW + 2 * WINDOW_S, occurred_at=NOW)
    assert [interaction.result.is_positive for interaction in rows.interactions()] == [False, True]
    for make_learner in LEARNERS.values():
        learning = Learning(rows.rows_of, make_learner)
        assert [learning.fold(position, row) for position, row in enumerate(rows.rows, 1)] == [[]] * len(rows.rows)
        assert learning.learned == 0
        assert learning.learner.to_bytes() == make_learner(None).to_bytes()


def test_all_negative_rewards_survive() -> None:
    complaint = outcome_row("complaint")
    result = reward_of([complaint, complaint], Reward(), cost=0.5)
    assert result.reward == -12.5
    assert reward_of([complaint], Reward(max=10.0), cost=0.5).reward == -10.0
    assert not result.is_positive


@given(st.lists(st.floats(0.0, 1e9), max_size=5), st.floats(0.01, 1e3))
def test_no_order_gains_more_than_a_reward_can_be(values: list[float], most: float) -> None:
    orders = [outcome_row("conversion", value=value) for value in values]
    result = reward_of(orders, Reward(max=most), cost=0.0)
    assert result.reward == result.gain <= most


def test_one_huge_order_makes_no_message_worth_more_than_any_reward() -> None:
    rows = Rows()
    for number in range(20):
        rows.send(f"e-{number}")
        rows.outcome("conversion", f"e-{number}", value=1e6 if number == 0 else 50.0)
    rows.clock(NOW + WINDOW_S)
    learning = fold_all(rows, LEARNING.make_learner)
    assert max(ModelSnapshot.from_bytes(learning.publish()).worth.values()) <= Reward().max


def random_log(seed: int, length: int = 400) -> Rows:
    chance, rows, now = random.Random(seed), Rows(), NOW
    for number in range(length):
        now += chance.random() * 1_800
        what = chance.random()
        some = f"e-{chance.randrange(number + 1)}"
        shopper = f"s-{chance.randrange(20)}"
        if what < 0.5:
            device = chance.choice(["mobile", "desktop"])
            rows.send(f"e-{number}", at=now, delay_s=chance.choice([0, 3_600]), shopper=shopper, device=device)
        elif what < 0.9:
            kind = chance.choice(["click", "click", "conversion", "opt_out", "bounce", "delivered", "complaint"])
            past = now - chance.random() * 20_000
            rows.outcome(kind, some, at=now, occurred_at=past, value=20.0, shopper_id=shopper)
        elif what < 0.95:
            rows.rows.append(preferences_row(at=now, shopper_id=shopper, consent={"push": chance.random() < 0.5}))
        else:
            rows.clock(now + chance.random() * 10_000)
    rows.clock(now + 100_000)
    return rows


def fold_all(rows: Rows, make_learner: MakeLearner) -> Learning:
    learning = Learning(rows.rows_of, make_learner)
    for position, row in enumerate(rows.rows, 1):
        learning.fold(position, row)
    return learning


@learners
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_fold_that_was_interrupted_gives_the_same_bytes(seed: int, make_learner: MakeLearner) -> None:
    rows = random_log(seed)
    whole, parted = Learning(rows.rows_of, make_learner), Learning(rows.rows_of, make_learner)
    for position, row in enumerate(rows.rows, 1):
        whole.fold(position, row)
        parted.fold(position, row)
        if position % 37 == 0:
            parted = Learning.from_bytes(parted.to_bytes(), rows.rows_of, make_learner)
    assert whole.learned > 50
    assert parted.to_bytes() == whole.to_bytes()
    assert parted.publish() == whole.publish()


@pytest.mark.parametrize("batch", [1, 7, 50])
def test_a_fold_looks_up_only_what_it_announced(batch: int) -> None:
    rows = random_log(4)
    asked: set[str] = set()

    def find(event_ids: Sequence[str]) -> dict[str, list[tuple[int, Row]]]:
        asked.update(event_ids)
        return rows.rows_of(event_ids)

    attribution = Attribution(find)
    for first in range(0, len(rows.rows), batch):
        asked.clear()
        announced = attribution.find_lookups(rows.rows[first : first + batch])
        for position, row in enumerate(rows.rows[first : first + batch], first + 1):
            attribution.advance(position, row)
        assert asked <= announced


def test_every_position_is_folded_exactly_once() -> None:
    learning = Learning(lambda event_ids: {}, LEARNING.make_learner)
    learning.fold(1, ClockRow(NOW))
    for position in (1, 3):
        with pytest.raises(ValueError, match="the next position is 2"):
            learning.fold(position, ClockRow(NOW))


def test_a_correction_takes_back_what_it_corrects() -> None:
    rows = Rows()
    rows.send()
    rows.outcome("conversion", value=10.0)
    rows.clock(NOW + WINDOW_S)
    rows.outcome("conversion", at=NOW + 2 * WINDOW_S, value=20.0)
    together = Rows()
    together.send()
    together.outcome("conversion", value=30.0)
    together.clock(NOW + WINDOW_S)
    corrected, once = (fold_all(log, LEARNING.make_learner) for log in (rows, together))
    assert corrected.learned == once.learned == 1
    worths = [ModelSnapshot.from_bytes(learning.publish()).worth for learning in (corrected, once)]
    assert worths[0] == pytest.approx(worths[1])
    values = [
        BayesSnapshot.from_bytes(fold_all(log, BayesLearner).publish()).order_value.value("hint", 10.0)
        for log in (rows, together)
    ]
    assert values[0] == pytest.approx(values[1])


def test_a_deferred_send_teaches_only_once_it_was_activated(rows: Rows) -> None:
    rows.send("activated", deferred=True)
    rows.send("forgotten", deferred=True)
    rows.rows.append(activation_row("activated", at=NOW + 60))
    rows.outcome("click", "forgotten", at=NOW + 90)
    rows.clock(NOW + WINDOW_S)
    rows.outcome("click", "forgotten", at=NOW + 2 * WINDOW_S)
    assert [interaction.event_id for interaction in rows.interactions()] == ["activated"]


def test_an_activation_after_the_window_closes_it_at_once(rows: Rows) -> None:
    rows.send(deferred=True)
    rows.clock(NOW + 2 * WINDOW_S)
    rows.rows.append(activation_row("e-1", at=NOW + 60))
    (learned,) = rows.interactions()
    assert learned.event_id == "e-1"


@pytest.mark.parametrize(
    "row",
    [
        refusal_row(at=NOW + 60),
        cancellation_row("e-1", at=NOW + 60, shopper_id="s-1"),
    ],
)
def test_what_was_taken_back_teaches_nothing_not_even_late(rows: Rows, row: Row) -> None:
    rows.send()
    rows.rows.append(row)
    rows.clock(NOW + WINDOW_S)
    rows.outcome("click", at=NOW + 2 * WINDOW_S)
    rows.outcome("click", at=NOW + NOT_SENT_KEPT_S + 2 * WINDOW_S)
    assert rows.interactions() == []


def test_those_never_activated_are_named_after_an_hour(rows: Rows) -> None:
    rows.send(deferred=True)
    attribution = Attribution(rows.rows_of)
    for position, row in enumerate([*rows.rows, ClockRow(NOW + 3_600)], 1):
        attribution.advance(position, row)
    assert attribution.never_activated() == []
    attribution.advance(99, ClockRow(NOW + 3_600.5))
    assert [window.event_id for window in attribution.never_activated()] == ["e-1"]


def test_an_erasure_voids_what_lies_ahead_and_learns_from_what_has_left(rows: Rows) -> None:
    rows.send("ahead", delay_s=3_600)
    rows.send("left")
    rows.rows.append(erasure_row("ahead", "left", at=NOW + 60))
    rows.clock(NOW + 10 * WINDOW_S)
    assert [interaction.event_id for interaction in rows.interactions()] == ["left"]


attribute_values = st.one_of(st.sampled_from(["", "shoes"]), st.text(max_size=3), st.integers(), st.booleans())


@given(st.dictionaries(st.sampled_from(["category", "product"]), attribute_values))
def test_an_erased_decision_teaches_the_same(attributes: dict[str, Scalar]) -> None:
    def interactions_of(erased: bool) -> list[Interaction]:
        rows = Rows()
        rows.send()
        decision = rows.rows.pop()
        assert isinstance(decision, DecisionRow)
        decision = msgspec.structs.replace(decision, triggers=(trigger(attributes=attributes),))
        rows.rows.append(anonymous(decision, "erased:1") if erased else decision)
        rows.clock(NOW + WINDOW_S)
        return rows.interactions()

    assert interactions_of(erased=True) == interactions_of(erased=False) != []


@learners
def test_a_fold_taken_up_in_the_middle_goes_on_to_the_same_bytes(rows: Rows, make_learner: MakeLearner) -> None:
    rows.send("e-1", deferred=True)
    rows.send("e-2", shopper="s-2")
    rows.rows.append(activation_row("e-1", at=NOW + 60))
    rows.rows.append(cancellation_row("e-2", at=NOW + 60, shopper_id="s-2"))
    rows.rows.append(erasure_row("e-1", at=NOW + 70))
    rows.clock(NOW + WINDOW_S)
    whole = fold_all(rows, make_learner)
    for cut in range(len(rows.rows)):
        first = Learning(rows.rows_of, make_learner)
        for position, row in enumerate(rows.rows[:cut], 1):
            first.fold(position, row)
        second = Learning.from_bytes(first.to_bytes(), rows.rows_of, make_learner)
        for position, row in enumerate(rows.rows[cut:], cut + 1):
            second.fold(position, row)
        assert second.to_bytes() == whole.to_bytes()


def test_what_another_kind_of_learner_saved_is_not_continued_and_both_kinds_are_named(rows: Rows) -> None:
    saved = fold_all(rows, BayesLearner).to_bytes()
    with pytest.raises(ValueError, match="of the learner 'bayes', and this is the learner 'two_heads'"):
        Learning.from_bytes(saved, rows.rows_of, LEARNING.make_learner)
    assert Learning.from_bytes(saved, rows.rows_of, BayesLearner).to_bytes() == saved


@pytest.mark.parametrize("learns", [name for name, factory in POLICIES.items() if factory.learns])
def test_a_model_of_another_kind_is_not_served_and_both_kinds_are_named(learns: str) -> None:
    book = Rulebook.of(Catalogue.from_document(small_document()), 1)
    for name, make_learner in LEARNERS.items():
        payload, learning = make_learner(None).publish(Reward()), POLICIES[learns].learning
        assert learning is not None
        kinds = make_learner(None).kind, learning.make_learner(None).kind
        if kinds[0] == kinds[1]:
            assert learning.make_version(payload, book, 3).record == PolicyRecord(learns, 3, "online"), name
        else:
            with pytest.raises(ModelMismatch, match=f"of the kind {kinds[0]!r}, here it is {kinds[1]!r}"):
                learning.make_version(payload, book, 3)
