"""dsjson: the same log, written in another way, gives the same values; what is no decision is told by name."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offline_eval import BadData, EvaluationError, Unreadable
from offline_eval.logs.decisions import LoggedDecision
from offline_eval.logs.dsjson.lines import CHECKPOINTS, DANGLING, NOT_ACTIVATED
from offline_eval.logs.dsjson.reading import read_dsjson
from offline_eval.logs.features import context_tokens
from offline_eval.targets import CallableTarget, UniformTarget
from tests.offline_eval.logs.dsjson.events import (
    CHANCE,
    CHOICE,
    Event,
    choose,
    make_events,
    pack,
    shuffle_actions,
    strip_names,
    values_of,
    weigh,
    write_events,
)

COUNT = 120
TRUSTING = ("dm", "switch-dr", "dr-os")
several = settings(max_examples=4, deadline=None)


@pytest.fixture(scope="module")
def events() -> list[Event]:
    return make_events(COUNT, seed=1)


@pytest.fixture(scope="module")
def clean(folder: Path, events: list[Event]) -> dict[str, float]:
    return values_of(write_events(folder / "clean.dsjson", events))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("events")


def check_alike(values: dict[str, float], clean: dict[str, float]) -> None:
    assert values == pytest.approx(clean, rel=1e-9)


def test_values_without_a_model_are_those_of_numpy(folder: Path, events: list[Event]) -> None:
    weights, rewards = [], []
    for event in events:
        chosen = event["_label_Action"] - 1
        weights.append(CHOICE[chosen] / event["_label_probability"])
        rewards.append(-event["_label_cost"])
    weight, reward = np.array(weights), np.array(rewards)
    values = values_of(write_events(folder / "a.dsjson", events))
    assert values["ipw"] == pytest.approx((weight * reward).mean())
    assert values["snipw"] == pytest.approx((weight * reward).sum() / weight.sum())


@several
@given(st.randoms(use_true_random=False), st.sampled_from([(), ("_tag",), ("_tag", "i")]))
def test_the_order_of_actions_moves_no_estimator(folder: Path, events: list[Event], random: Any, lost: Any) -> None:
    """Known by tag, by id, or by features alone."""
    plain = [strip_names(event, *lost) for event in events]
    shuffled = [shuffle_actions(event, random.sample(range(3), 3)) for event in plain]
    clean = values_of(write_events(folder / "clean.dsjson", plain))
    check_alike(values_of(write_events(folder / "shuffled.dsjson", shuffled)), clean)


@several
@given(st.lists(st.booleans(), min_size=COUNT, max_size=COUNT))
def test_a_list_of_objects_says_the_same_as_an_object(
    folder: Path, events: list[Event], clean: dict[str, float], listed: list[bool]
) -> None:
    """Split into one object per feature, as Personalizer may write it."""
    written = [
        {**event, "c": {**event["c"], "url": [{name: value} for name, value in event["c"]["url"].items()]}}
        if is_list
        else event
        for event, is_list in zip(events, listed, strict=True)
    ]
    path = write_events(folder / "listed.dsjson", written)
    check_alike(values_of(path), clean)
    assert [decision.context for decision in read_dsjson(path)] == [
        {"url.time": event["c"]["url"]["time"], "url.locale": "de"} for event in events
    ]


@several
@given(st.lists(st.sampled_from(["plain", "activated", "skipped and activated"]), min_size=COUNT, max_size=COUNT))
def test_a_deferred_decision_that_took_effect_counts(
    folder: Path, events: list[Event], clean: dict[str, float], kinds: list[str]
) -> None:
    activated = {"o": [{"v": 1.0}, {"EventId": "e", "ActionTaken": True}]}
    changes = {
        "plain": {},
        "activated": {"DeferredAction": True, **activated},
        "skipped and activated": {"_skipLearn": True, "DeferredAction": True, **activated},
    }
    written = [{**event, **changes[kind]} for event, kind in zip(events, kinds, strict=True)]
    check_alike(values_of(write_events(folder / "deferred.dsjson", written)), clean)


def scribble(decision: LoggedDecision) -> np.ndarray:
    """The target `choose`, which writes over all that it is given."""
    chosen = choose(decision)
    decision.probabilities[:] = chosen
    decision.context.clear()  # type: ignore[attr-defined]
    decision.labels.clear()  # type: ignore[attr-defined]
    return decision.probabilities


def test_a_policy_that_writes_over_what_it_is_given_moves_no_estimator(
    folder: Path, events: list[Event], clean: dict[str, float]
) -> None:
    path = write_events(folder / "clean.dsjson", events)
    check_alike(values_of(path, CallableTarget(scribble)), clean)


def as_mac(path: Path) -> Path:
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r"))
    return path


def with_bom(path: Path) -> Path:
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    return path


def with_other_lines(path: Path) -> Path:
    dangling = {"RewardValue": 1.0, "EventId": "x", "Observations": [{"v": 1.0, "EventId": "x"}]}
    waiting = {**json.loads(path.read_text().splitlines()[0]), "DeferredAction": True}
    lines = ["[CHECKPOINT INFO LINE]", *path.read_text().splitlines(), "", json.dumps(dangling), json.dumps(waiting)]
    path.write_text("\r\n".join(lines))
    return path


@pytest.mark.parametrize("change", [as_mac, with_bom, with_other_lines, pack], ids=lambda change: str(change.__name__))
def test_however_the_lines_are_written(
    folder: Path, events: list[Event], clean: dict[str, float], change: Callable[[Path], Path]
) -> None:
    check_alike(values_of(change(write_events(folder / "changed.dsjson", events))), clean)


def test_what_is_skipped_is_counted(folder: Path, events: list[Event]) -> None:
    skipped: Counter[str] = Counter()
    path = with_other_lines(write_events(folder / "a.dsjson", events))
    assert len(list(read_dsjson(path, skipped))) == len(events)
    assert skipped == {CHECKPOINTS: 1, DANGLING: 1, NOT_ACTIVATED: 1}


def test_where_actions_come_in_any_order_the_model_knows_them_by_name(folder: Path) -> None:
    """Told apart by place, these estimators missed the truth by a tenth."""
    random = np.random.default_rng(5)
    log = [strip_names(event, "_tag", "i") for event in make_events(3_000, seed=4)]
    shuffled = [shuffle_actions(event, random.permutation(3).tolist()) for event in log]
    truth = np.mean([CHOICE @ np.array(CHANCE[event["c"]["url"]["time"]]) for event in log])
    values = values_of(write_events(folder / "any.dsjson", shuffled))
    for name in TRUSTING:
        assert values[name] == pytest.approx(truth, abs=0.025), name


@pytest.mark.parametrize("name", ["locale", "purchases", "load_push", "segment", "recent_sends"])
def test_names_of_ours_are_features_like_others_in_a_log_of_others(
    events: list[Event], name: str, folder: Path
) -> None:
    """`locale`, `purchases` and `load_push` are no features in our own logs."""
    written = [{**event, "c": {**event["c"], "url": {}, name: event["c"]["url"]["time"]}} for event in events[:2]]
    for decision in read_dsjson(write_events(folder / "ours.dsjson", written)):
        assert context_tokens(decision) == [f"x_{name}_{decision.context[name]}"]


@pytest.mark.parametrize("shopper", [None, "", "nan", "NA", False])
def test_unknown_shoppers_are_shoppers_of_their_own(folder: Path, events: list[Event], shopper: object) -> None:
    path = write_events(folder / "a.dsjson", [{**event, "shopper": shopper} for event in events[:9]])
    assert [decision.shopper_id for decision in read_dsjson(path)] == [f"e-{number}" for number in range(9)]


def test_a_shopper_may_be_a_number(folder: Path, events: list[Event]) -> None:
    path = write_events(folder / "a.dsjson", [{**event, "shopper": 0} for event in events[:9]])
    assert {decision.shopper_id for decision in read_dsjson(path)} == {"0"}


def put(event: Event, path: str, value: Any) -> Event:
    head, _, rest = path.partition(".")
    return {**event, head: put(event.get(head, {}), rest, value) if rest else value}


def nest(depth: int) -> Any:
    node: Any = 1
    for _ in range(depth):
        node = {"a": node}
    return node


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("_label_cost", 10**400, "column _label_cost: is too large for a number"),
        ("c.url.x", 10**400, "column c.url.x: is too large for a number"),
        ("p", [0.5, 10**400, 0.5], "column p: is too large for a number"),
        ("c.url", nest(100), "column c: is nested deeper than 64 levels"),
        ("c.url", nest(900), "column"),
        ("c._multi", [{}], "column c._multi: has 1 actions, a has 3"),
        ("c._multi", [1, 2, 3], "column c._multi: is not a list of objects"),
        ("shopper", ["ann"], "column shopper: is \\['ann'\\], not a name"),
        ("_label_ca", {"action": 1.0}, "column _label_ca: is the label of a continuous action"),
        ("_outcomes", [{"_a": [1]}], "column _outcomes: is of conditional contextual bandits"),
    ],
)
def test_what_no_decision_holds_is_named_by_file_row_and_field(
    folder: Path, events: list[Event], field: str, value: Any, complaint: str
) -> None:
    path = write_events(folder / "bad.dsjson", [events[0], put(events[1], field, value)])
    with pytest.raises(BadData, match=f"bad.dsjson, row 2, {complaint}"):
        list(read_dsjson(path))


def test_slates_are_distinguished_from_slots(folder: Path, events: list[Event]) -> None:
    slate = {**events[0], "_outcomes": [], "c": {"_multi": [{"_slot_id": 0}] * 3, "_slots": []}}
    with pytest.raises(BadData, match="row 1, column _outcomes: is of slates"):
        list(read_dsjson(write_events(folder / "bad.dsjson", [slate])))


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (b'{"_label_cost": 0, "c": {"u": {"name": "Andr\xe9"}}}', "row 1, column c.u.name: is not in UTF-8"),
        (b'{"a": ' * 3_000 + b"1" + b"}" * 3_000, "row 1, column .all.: is nested too deeply"),
        (b"no JSON", "row 1, column .all.: is not a JSON object"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(folder: Path, line: bytes, complaint: str) -> None:
    path = folder / "bad.dsjson"
    path.write_bytes(line + b"\n")
    with pytest.raises(BadData, match=f"bad.dsjson, {complaint}"):
        list(read_dsjson(path))


awkward: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab_"), inner, max_size=2),
    max_leaves=4,
)
FIELDS = (
    *("_label_cost", "_label_probability", "_label_Action", "EventId", "Timestamp", "a", "p", "c", "shopper", "labels"),
    *("o", "DeferredAction", "pdrop", "c.url", "c._multi", "c.s", "_outcomes", "RewardValue"),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(FIELDS), awkward), min_size=1, max_size=2))
def test_no_event_ends_in_another_error(folder: Path, events: list[Event], changes: list[tuple[str, Any]]) -> None:
    event = events[0]
    for field, value in changes:
        if "." not in field or isinstance(event.get("c"), dict):
            event = put(event, field, value)
    with suppress(EvaluationError):
        values = weigh(read_dsjson(write_events(folder / "odd.dsjson", [event, events[1]])), UniformTarget())
        assert np.isfinite(values["ipw"])


odd_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda parts: (
        st.lists(parts, max_size=3)
        | st.dictionaries(st.sampled_from(["_multi", "_label_cost", "_p", "_a", "x"]), parts, max_size=3)
    ),
    max_leaves=6,
).map(lambda value: json.dumps(value).encode() + b"}\n")


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=60) | odd_json)
def test_no_line_ends_in_another_error(folder: Path, content: bytes) -> None:
    (folder / "odd.dsjson").write_bytes(b'{"c": ' + content)
    with suppress(EvaluationError):
        drain(read_dsjson(folder / "odd.dsjson"))


def test_a_damaged_file_is_refused(folder: Path, events: list[Event]) -> None:
    path = pack(write_events(folder / "a.dsjson", events))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(Unreadable, match=r"a\.dsjson\.gz: is damaged"):
        drain(read_dsjson(path))


def drain(decisions: Iterator[LoggedDecision]) -> None:
    for _ in decisions:
        pass
