"""The queue before the batches: order within a list, turns between lists, room for singles, a bound."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decision_service.errors import Unavailable
from decision_service.pipeline.item import Item
from decision_service.pipeline.queue import Queue
from decision_service.schemas.requests import DecideBody, TriggerBody


def item(name: str) -> Item:
    body = DecideBody(event_id=name, shopper_id="s", triggers=[TriggerBody(type="wishlist")])
    return Item(body, 0.0, 0, on_end=lambda _: None)


def items(name: str, size: int) -> list[Item]:
    return [item(f"{name}-{number}") for number in range(size)]


def names(batch: list[Item]) -> list[str]:
    return [str(one.event_id) for one in batch]


def begin(_: Item) -> bool:
    return True


def take_all(queue: Queue) -> list[list[Item]]:
    """Take batch after batch, each after the last one has ended."""
    batches: list[list[Item]] = []
    while queue:
        batches.append(queue.take(begin))
        for one in batches[-1]:
            queue.end(one)
    return batches


@given(sizes=st.lists(st.integers(1, 30), max_size=8), most=st.integers(2, 16))
def test_each_item_is_taken_once_and_a_list_in_its_order(sizes: list[int], most: int) -> None:
    queue = Queue(most_in_batch=most)
    calls = [items(str(number), size) for number, size in enumerate(sizes)]
    for call in calls:
        queue.add(call)
    assert len(queue) == sum(sizes)
    batches = take_all(queue)
    assert all(0 < len(batch) <= most for batch in batches)
    order = defaultdict(list)
    for one in [one for batch in batches for one in batch]:
        order[str(one.event_id).partition("-")[0]].append(one)
    assert [order[str(number)] for number in range(len(calls))] == calls


def test_a_list_ends_however_many_singles_wait() -> None:
    queue = Queue(most_in_batch=8)
    queue.add(items("list", 5))
    taken: list[str] = []
    for turn in range(5):
        for number in range(8):
            queue.add([item(f"single-{turn}-{number}")])
        batch = queue.take(begin)
        assert len(batch) == 8
        taken += [name for name in names(batch) if name.startswith("list")]
        for one in batch:
            queue.end(one)
    assert taken == names(items("list", 5))


def test_singles_go_first_and_lists_fill_a_quarter_at_most_beside_them() -> None:
    queue = Queue(most_in_batch=8)
    queue.add(items("list", 100))
    queue.add(items("single", 1))
    batch = queue.take(begin)
    assert names(batch) == ["single-0", "list-0", "list-1"]
    for _ in range(20):
        queue.add(items("later", 1))
    assert names(queue.take(begin)) == ["later-0"] * 8


def test_lists_get_short_batches_until_no_single_has_come_for_some_batches() -> None:
    queue = Queue(most_in_batch=8)
    queue.add(items("list", 100))
    queue.add(items("single", 1))
    sizes = [len(batch) for batch in take_all(queue)]
    assert sizes[:6] == [3, 2, 2, 2, 2, 8]


def test_a_single_does_not_wait_for_a_list_under_way() -> None:
    queue = Queue(most_in_batch=8)
    queue.add(items("list", 100))
    first = queue.take(begin)
    queue.add(items("single", 1))
    assert names(queue.take(begin)) == ["single-0"]
    for one in first[:-1]:
        queue.end(one)
    assert queue.take(begin) == [], "one item of the list is under way"
    queue.end(first[-1])
    assert names(queue.take(begin))[0] == "list-8"


def test_lists_take_turns() -> None:
    queue = Queue(most_in_batch=4)
    queue.add(items("one", 10))
    queue.add(items("two", 6))
    lists = ["".join(sorted({name.partition("-")[0] for name in names(batch)})) for batch in take_all(queue)]
    assert lists == ["one", "two", "one", "onetwo"]


def test_what_may_not_begin_stays_and_keeps_what_is_behind_it_in_its_list() -> None:
    queue = Queue()
    queue.add(items("list", 3))
    queue.add([item("busy")])
    queue.add([item("free")])
    assert names(queue.take(lambda one: one.event_id not in ("busy", "list-1"))) == ["free", "list-0"]
    assert len(queue) == 3


def test_a_call_that_finds_no_room_is_refused() -> None:
    queue = Queue(most_waiting=10)
    queue.add(items("list", 8))
    queue.check_room(2)
    with pytest.raises(Unavailable, match="too many"):
        queue.check_room(3)
