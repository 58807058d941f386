"""The rules against the reference rules, which are written from the text of the contract, action by action."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from policies.catalogue.document import LONGEST_WINDOW_S, Catalogue
from policies.catalogue.rulebook import Rulebook
from policies.records.reasons import Reason
from policies.records.request import Exclusion, Request
from policies.records.rows import Context, DecisionRow, TriggerRecord
from policies.rules.activation import refusal
from policies.rules.arbitration import NO_TRIGGER, arbitrate
from policies.rules.rule import Rule
from policies.rules.rules import RULES
from policies.rules.situation import Situation, Surroundings
from policies.rules.verdicts import VerdictTable
from policies.shopper.state import Send, ShopperState
from tests.factories import decision_row
from tests.reference.draw import joint_actions
from tests.reference.preferences import Preferences, QuietSpan
from tests.reference.rules import ASKED_AGAIN, OF_CRITICAL, Case, find_broken_rules
from tests.reference.rules import RULES as RULES_OF_THE_TEXT
from tests.reference.shopper import Reservation
from tests.strategies import (
    CATEGORIES,
    CHANNELS,
    MESSAGES,
    QUARTER_S,
    catalogues,
    moments,
    quiet_spans,
    rule_sets,
    single_caps,
    states,
    suppressions,
    windows_s,
)
from tests.strategies import RULES as RULES_OF_WORLDS

CONTEXTS: tuple[Context, ...] = (
    {},
    {"locale": "es-ES"},
    {"locale": "es_MX-x-shop"},
    {"locale": "fr"},
    {"time_zone": "Asia/Kolkata"},
)


@dataclass(frozen=True)
class World:
    """Everything that a decision rests on."""

    document: dict[str, Any]
    request: Request
    state: ShopperState
    surroundings: Surroundings

    @cached_property
    def rulebook(self) -> Rulebook:
        return Rulebook.of(Catalogue.from_document(self.document), 1)

    def verdicts(self, trigger: TriggerRecord) -> list[str]:
        return [Reason(verdict).name for verdict in RULES.judge(self.situation(trigger))]

    def situation(self, trigger: TriggerRecord) -> Situation:
        return RULES.situation_of(self.request, trigger, self.state, self.rulebook, self.surroundings)

    def by_the_text(self, trigger: TriggerRecord, action: tuple[str, str, int]) -> str:
        """Judge one send by the words of the contract."""
        if trigger.type not in self.document["messages"][action[0]]["triggers"]:
            return "not_a_candidate"
        return next(iter(find_broken_rules(self.case(trigger, action))), "eligible")

    def case(self, trigger: TriggerRecord, action: tuple[str, str, int]) -> Case:
        message, channel, delay_s = action
        send_at = self.request.now + delay_s
        return Case(
            document=self.document,
            preferences=preferences_of(self.state),
            reservations=counting_reservations(self.state, self.request),
            trigger=trigger,
            message=message,
            channel=channel,
            delay_s=delay_s,
            send_at=send_at,
            locale=self.request.context.get("locale"),
            time_zone=self.request.context.get("time_zone"),
            spent=Decimal(self.surroundings.spent.get((channel, int(send_at // 86_400)), 0)) / 1_000_000,
            held_out=self.surroundings.held_out,
            exclude=[
                {"message": pattern.message, "channel": pattern.channel, "delay_s": pattern.delay_s}
                for pattern in self.request.exclude
            ],
        )


def preferences_of(state: ShopperState) -> Preferences:
    quiet = state.quiet_hours
    return Preferences(
        consent=state.consent,
        reachable=state.reachable,
        muted=state.muted_categories,
        max_per_week=state.max_per_week,
        quiet=() if quiet is None else tuple(map(QuietSpan.of, quiet.spans)),
        time_zone=state.time_zone,
        locale=state.locale,
        subscribed=state.subscribed is not False,
        erased_at=0.0 if state.erased else None,
    )


def counting_reservations(state: ShopperState, request: Request) -> list[Reservation]:
    reservations = [
        Reservation(
            send.event_id, send.send_at, send.message, send.channel, send.category, send.critical, send.deferred
        )
        for send in state.sends
    ]
    return [
        one
        for one in reservations
        if not one.critical and one.event_id != request.event_id and not one.has_expired(request.now)
    ]


attributes: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    (
        {},
        {"product": "Runner"},
        {"product": "\u200b"},
        {"product": True, "express": True},
        {"express": False, "product": 7},
    )
)
triggers = st.tuples(
    st.sampled_from(("left", "left", "dropped", "urgent")),
    st.integers(1, 2),
    st.sampled_from((200, 200, 200, 200, 200, 16, 4, 0, -1)),
    st.sampled_from((False, False, False, True)),
    attributes,
)
exclusions = st.builds(
    Exclusion,
    st.sampled_from((None, *MESSAGES, "unknown")),
    st.sampled_from((None, *CHANNELS)),
    st.sampled_from((None, 0, 3_600)),
)


@st.composite
def worlds(draw: st.DrawFn, on: frozenset[str] | None = None, most_triggers: int = 1) -> World:
    on, now = draw(rule_sets) if on is None else on, draw(moments)
    document = draw(catalogues(on))
    asked = [
        TriggerRecord(kind, priority, now + quarters * QUARTER_S, critical, filled)
        for kind, priority, quarters, critical, filled in draw(st.lists(triggers, min_size=1, max_size=most_triggers))
    ]
    context = draw(st.sampled_from(CONTEXTS))
    exclude = (draw(exclusions),) if draw(st.integers(0, 4)) == 0 else ()
    request = Request("own", "s-1", tuple(asked), now, context, exclude)
    spent = {
        (channel, int(now // 86_400) + ahead): draw(st.integers(0, 8)) * 5_000
        for channel in CHANNELS
        for ahead in (0, 1)
    }
    held_out = draw(st.integers(0, 9)) == 0
    return World(document, request, draw(states(now, on)), Surroundings(spent, held_out))


def assert_judged_by_the_text(world: World) -> None:
    (trigger,) = world.request.triggers
    by_the_text = [world.by_the_text(trigger, action) for action in joint_actions(world.document)]
    for reason in set(by_the_text):
        event(reason)
    assert world.verdicts(trigger) == by_the_text


@settings(max_examples=60)
@given(worlds())
def test_every_verdict_is_the_first_reason_that_the_text_gives(world: World) -> None:
    assert_judged_by_the_text(world)


@pytest.mark.parametrize("rule", RULES_OF_WORLDS)
def test_every_rule_alone_is_judged_as_the_text_says(rule: str) -> None:
    @settings(max_examples=40)
    @given(worlds(frozenset({rule})))
    def compare(world: World) -> None:
        assert_judged_by_the_text(world)

    compare()


@settings(max_examples=60)
@given(worlds())
def test_every_rule_looks_back_as_far_as_it_says(world: World) -> None:
    """A rule that sees every send that the state keeps denies nothing more than one that sees what it asks for."""

    def ranks_of(rule: Rule[Any], reach_s: float) -> list[int]:
        table = VerdictTable(world.rulebook.space, len(situation.send_times))
        rule.write(table, 0, rule.denies(msgspec.structs.replace(situation, reach_s=reach_s)))
        ranks: list[int] = table.ranks().ravel().tolist()
        return ranks

    situation = world.situation(world.request.triggers[0])
    for rule in RULES.rules:
        reach_s = rule.looks_back_s(world.rulebook.catalogue)
        assert ranks_of(rule, reach_s) == ranks_of(rule, LONGEST_WINDOW_S), rule.reason


@settings(max_examples=60)
@given(worlds(most_triggers=3))
def test_the_eligible_set_is_the_one_that_the_text_gives(world: World) -> None:
    eligibility = arbitrate(world.request, world.state, world.rulebook, world.surroundings)
    asked, actions = world.request.triggers, joint_actions(world.document)
    reasons = [[world.by_the_text(trigger, action) for action in actions] for trigger in asked]
    left = [position for position, codes in enumerate(reasons) if "eligible" in codes]
    heard = most_urgent(asked, left)
    for number in range(len(actions)):
        by_trigger = [codes[number] for codes in reasons]
        answers = [position for position in heard if by_trigger[position] == "eligible"]
        verdict = Reason(eligibility.verdicts[number]).name
        if answers:
            assert (verdict, eligibility.trigger_of[number]) == ("eligible", answers[0])
        else:
            assert eligibility.trigger_of[number] == NO_TRIGGER
            assert verdict == "outranked" if "eligible" in by_trigger else verdict in by_trigger
    eligible = {int(number) for number in eligibility.sends}
    assert eligible == {int(number) for number in np.flatnonzero(eligibility.verdicts == 0)}
    assert eligibility.hold == (not any(asked[position].critical for position in left))


@settings(max_examples=60)
@given(worlds(), st.integers(0, 8), st.booleans(), st.data())
def test_the_gate_asks_what_the_text_says(world: World, quarters: int, deferred: bool, data: st.DataObject) -> None:
    """The gate judges now, without the send itself, and answers with the first reason.

    Before the send time it says that it is too early where only rules stand in the way that end by themselves.
    """
    (trigger,) = world.request.triggers
    action = data.draw(st.sampled_from(joint_actions(world.document)))
    now, send_at = world.request.now + quarters * QUARTER_S, world.request.now + action[2]
    category = MESSAGES[action[0]]
    reserved = Send(
        event_id=world.request.event_id,
        send_at=send_at,
        message=action[0],
        channel=action[1],
        category=category,
        critical=trigger.critical,
        deferred=deferred,
    )
    state = world.state.with_send(reserved)
    later = replace(world, request=msgspec.structs.replace(world.request, now=now), state=state)
    case = replace(later.case(trigger, action), send_at=now, held_out=False)
    asked = [code for code in find_broken_rules(case) if code in ASKED_AGAIN]
    if trigger.type not in world.document["messages"][action[0]]["triggers"]:
        asked = ["no_content"]  # decided under another catalogue
    expected = "expired" if now > send_at + 3_600 else next(iter(asked), None)
    preferences = case.preferences
    wants_none = case.category in preferences.muted or preferences.max_per_week == 0
    lasting = OF_CRITICAL | {"preference"} if wants_none else OF_CRITICAL
    if asked and now < send_at and lasting.isdisjoint(asked):
        expected = "too_early"
    refused = refusal(row_of(world.request, reserved, action), state, world.rulebook, now)
    event(str(expected))
    assert (refused.reason if refused is not None else None) == expected


def row_of(request: Request, send: Send, action: tuple[str, str, int]) -> DecisionRow:
    message, channel, delay_s = action
    return decision_row(
        at=request.now,
        event_id=request.event_id,
        shopper_id=request.shopper_id,
        triggers=request.triggers,
        context=dict(request.context),
        drawn_trigger=0,
        message=message,
        channel=channel,
        category=send.category,
        delay_s=delay_s,
        send_at=send.send_at,
        deferred=send.deferred,
    )


def most_urgent(asked: Sequence[TriggerRecord], left: Sequence[int]) -> list[int]:
    """Of the triggers that still have a candidate: the critical ones, else those of the lowest priority."""
    critical = [position for position in left if asked[position].critical]
    heard = critical or list(left)
    lowest = min((asked[position].priority for position in heard), default=None)
    return [position for position in heard if asked[position].priority == lowest]


@st.composite
def more_rules(draw: st.DrawFn) -> dict[str, Any]:
    """One more rule, as what it adds to a document."""
    channel, message = draw(st.sampled_from(CHANNELS)), draw(st.sampled_from(tuple(MESSAGES)))
    cap = [draw(single_caps)]
    return draw(
        st.sampled_from(
            (
                {"caps": cap},
                {"categories": {draw(st.sampled_from(CATEGORIES)): {"caps": cap}}},
                {"channels": {channel: {"caps": cap}}},
                {"channels": {channel: {"quiet_hours": draw(quiet_spans)}}},
                {"channels": {channel: {"daily_budget": 0.02}}},
                {"messages": {message: {"caps": cap}}},
                {"messages": {message: {"cooldown_s": draw(windows_s)}}},
                {"min_gap_s": draw(windows_s)},
                {"suppression": [draw(suppressions)]},
                {"defaults": {"consent": {channel: False}}},
            )
        )
    )


def add(document: Any, more: Any) -> Any:
    """Add rules where there are none: lists grow, other values only fill in."""
    if isinstance(document, dict) and "from" in document:
        return document
    if isinstance(document, dict) and isinstance(more, dict):
        return document | {key: add(document.get(key), value) for key, value in more.items()}
    if isinstance(more, list):
        return [*([] if document is None else document), *more]
    return more if document is None or more is False else document


@settings(max_examples=60)
@given(worlds(), more_rules())
def test_one_more_rule_never_enlarges_the_eligible_set(world: World, more: dict[str, Any]) -> None:
    before = arbitrate(world.request, world.state, world.rulebook, world.surroundings)
    stricter = World(add(world.document, more), world.request, world.state, world.surroundings)
    after = arbitrate(stricter.request, stricter.state, stricter.rulebook, stricter.surroundings)
    assert set(after.sends) <= set(before.sends)
    assert before.hold or world.request.triggers[0].critical
    assert after.hold or len(after.sends)


def test_the_evaluator_knows_every_reason_of_the_contract() -> None:
    named = list(RULES_OF_THE_TEXT)
    assert named == [*dict.fromkeys(rule.reason.name for rule in RULES.rules)]
    assert set(named) >= OF_CRITICAL
