"""The earliest time of another decision: the rules find no send just before it, and one at it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from policies.records.quiet_hours import QuietHours
from policies.records.reasons import Reason
from policies.records.request import Exclusion
from policies.records.rows import TriggerRecord
from policies.rules.arbitration import arbitrate
from policies.rules.next_possible import next_possible_at
from policies.rules.situation import NOTHING_ELSE
from policies.shopper.state import NEW_SHOPPER, Send, ShopperState
from tests.factories import DAY_S, NOW, request, small_document, trigger
from tests.policies.rules.test_rules import rulebook
from tests.reference.draw import joint_actions
from tests.reference.test_rules import World, worlds
from tests.strategies import CHANNELS, QUARTER_S, RULES

HOUR_S = 3_600.0
TICK_S = 1e-6


def at_another_time(world: World, now: float) -> World:
    """The same request, decided at another time; what it is about happened when it did."""
    return replace(world, request=msgspec.structs.replace(world.request, now=now))


def has_send(world: World, now: float) -> bool:
    later = at_another_time(world, now)
    return len(arbitrate(later.request, later.state, later.rulebook, later.surroundings).sends) > 0


def has_send_by_the_text(world: World, now: float) -> bool:
    later = at_another_time(world, now)
    return any(
        later.by_the_text(trigger, action) == "eligible"
        for trigger in later.request.triggers
        for action in joint_actions(later.document)
    )


ENDING = RULES[RULES.index("max_per_week") : RULES.index("own_quiet_hours") + 1] + RULES[RULES.index("quiet_hours") :]


@st.composite
def crowded_worlds(draw: st.DrawFn) -> World:
    """Worlds in which few joint actions are left, so that all of them are often denied for a while."""
    world = draw(worlds(draw(st.frozensets(st.sampled_from(ENDING), min_size=1, max_size=4)), most_triggers=2))
    kept = draw(st.sampled_from(CHANNELS))
    exclude = tuple(Exclusion(channel=channel) for channel in CHANNELS if channel != kept)
    state = msgspec.structs.replace(world.state, max_per_week=draw(st.sampled_from((world.state.max_per_week, 1, 2))))
    return replace(world, request=msgspec.structs.replace(world.request, exclude=exclude), state=state)


def looks(world: World, end: float) -> Iterator[float]:
    """Times before an end: quarters of an hour, on which most things change, and just before the end."""
    now = world.request.now
    quarters = int((end - now) // QUARTER_S) + 1
    yield from (now + number * QUARTER_S for number in range(0, quarters, max(1, quarters // 40)))
    yield from (end - back for back in (2 * TICK_S, 1.0, 61.0))


@settings(max_examples=40, deadline=None)
@given(st.one_of(worlds(most_triggers=2), crowded_worlds(), crowded_worlds()), st.floats(0.0, 1.0, exclude_max=True))
def test_the_rules_find_no_send_before_it_and_one_at_it(world: World, share: float) -> None:
    earliest = next_possible_at(world.request, world.state, world.rulebook, world.surroundings)
    now, expires_at = world.request.now, max(trigger.expires_at for trigger in world.request.triggers)
    event("never" if earliest is None else "at once" if earliest == now else "later")
    end = expires_at + 1.0 if earliest is None else earliest
    assert not [at for at in looks(world, end) if now <= at < end and has_send(world, at)]
    if now < end:
        assert not has_send_by_the_text(world, min(now + share * (end - now), end - 2 * TICK_S))
    if earliest is not None:
        assert earliest <= expires_at
        assert has_send_by_the_text(world, earliest)


def test_a_send_at_the_very_expiry_is_found() -> None:
    state = ShopperState(quiet_hours=QuietHours(16 * 60, 20 * 60))
    assert in_hours(state, trigger(expires_at=NOW + 3 * HOUR_S)) == 3.0
    assert in_hours(state, trigger(expires_at=NOW + 3 * HOUR_S - 1)) is None
    assert in_hours(NEW_SHOPPER, trigger(expires_at=NOW)) == 0.0


def send(hours: float, **changes: Any) -> Send:
    values: dict[str, Any] = {"event_id": f"at {hours}", "message": "hint", "channel": "push", "category": "browse"}
    return Send(send_at=NOW + hours * HOUR_S, **values | changes)


def in_hours(state: ShopperState, asked: TriggerRecord | None = None, **document: Any) -> float | None:
    """How many hours from now a request has a send again, at 17:00 UTC."""
    book = rulebook(delays_s=[0], **document)
    earliest = next_possible_at(request(asked or trigger()), state, book, NOTHING_ELSE)
    return None if earliest is None else (earliest - NOW) / HOUR_S


@pytest.mark.parametrize(
    ("state", "document", "hours"),
    [
        (NEW_SHOPPER, {}, 0.0),
        (ShopperState(quiet_hours=QuietHours(16 * 60, 20 * 60)), {}, 3.0),
        (ShopperState(sends=(send(-1),)), {"min_gap_s": 7_200}, 1.0),
        (ShopperState(sends=(send(-2), send(-1))), {"caps": [{"max": 2, "window_s": 86_400}]}, 22.0),
        (ShopperState(sends=(send(-1),)), {"caps": [{"max": 1, "calendar": "day"}]}, 7.0),
        (ShopperState(sends=(send(-1),)), {"caps": [{"max": 1, "calendar": "week"}]}, 31.0),
        (ShopperState(sends=(send(-1),), max_per_week=1), {}, 167.0),
        (ShopperState(sends=(send(-24 * 3), send(1))), {"caps": [{"max": 1, "window_s": 4 * 86_400}]}, 97.0),
        (ShopperState(sends=(send(-0.5, deferred=True),)), {"min_gap_s": 86_400}, 0.5 + TICK_S / HOUR_S),
        (ShopperState(consent={"push": False, "email": False}), {}, None),
        (ShopperState(max_per_week=0), {}, None),
        (ShopperState(muted_categories=("cart", "browse")), {}, None),
    ],
)
def test_when_a_request_has_a_send_again(state: ShopperState, document: dict[str, Any], hours: float | None) -> None:
    assert in_hours(state, **document) == (None if hours is None else pytest.approx(hours, abs=1e-9))


def test_a_month_ends_at_the_shoppers_midnight() -> None:
    state = ShopperState(sends=(send(-1),), time_zone="Europe/Madrid")
    asked = trigger(expires_at=NOW + 30 * DAY_S)
    december = (1_796_079_600.0 - NOW) / HOUR_S  # 2026-12-01T00:00:00+01:00
    assert in_hours(state, asked, caps=[{"max": 1, "calendar": "month"}]) == pytest.approx(december)
    assert in_hours(state, caps=[{"max": 1, "calendar": "month"}]) is None, "the trigger expires before"


def test_what_ended_the_trigger_ends_it_for_good() -> None:
    asked = trigger(ends_on=("purchase",))
    quiet = QuietHours(16 * 60, 20 * 60)
    assert in_hours(ShopperState(did={"purchase": NOW + 1}, quiet_hours=quiet), asked) is None
    assert in_hours(ShopperState(did={"purchase": NOW}, quiet_hours=quiet), asked) == 3.0


def test_a_message_with_delays_of_its_own_is_free_only_after_them() -> None:
    document = small_document()
    for message in document["messages"].values():
        message["delays_s"] = [3_600]
    book = rulebook(messages=document["messages"])
    state = ShopperState(sends=(send(0.0),))
    assert Reason.eligible not in arbitrate(request(), state, rulebook(min_gap_s=7_200), NOTHING_ELSE).verdicts
    gap = rulebook(messages=document["messages"], min_gap_s=7_200)
    assert next_possible_at(request(), state, gap, NOTHING_ELSE) == NOW + 3_600
    assert next_possible_at(request(), NEW_SHOPPER, book, NOTHING_ELSE) == NOW


def test_a_crowd_of_sends_ahead_is_gone_when_one_of_them_has_left() -> None:
    crowd = tuple(send(number, event_id=f"e-{number:03}") for number in range(1, 258))
    assert in_hours(ShopperState(sends=crowd), trigger(expires_at=NOW + 30 * DAY_S)) == 2.0
