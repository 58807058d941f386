"""Groups: estimates and mean weights by label."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from offline_eval import (
    IPW,
    SNIPW,
    LoggedBatch,
    Question,
    evaluate,
)
from offline_eval.diagnostics.verdict import Level
from offline_eval.groups import Groups, find_bad_groups
from offline_eval.reports.html import render_page
from tests.offline_eval.reporting import codes
from tests.reference.worlds import RewardWorld


def test_groups_are_self_normalised_and_cover_all_rows(world: RewardWorld) -> None:
    rows = world.log(4_000, np.random.default_rng(17))
    labels = np.where(np.arange(4_000) % 4 == 0, "push", "email")
    report = evaluate(replace(rows, labels={"channel": labels}), Question(estimators=[IPW()], by=("channel",)))
    email, push = report.groups["channel"]
    assert (email.label, push.label, email.rows, push.rows) == ("email", "push", 3_000, 1_000)
    assert email.share_target + push.share_target == pytest.approx(1.0)
    members = rows.where(labels == "push")
    assert push.value == pytest.approx(members.gain.sum() / members.weight.sum())


def split_log(chances: dict[str, float], label: str) -> LoggedBatch:
    """A log that claims even choices everywhere, and chooses the first message with these chances."""
    random = np.random.default_rng(24)
    groups = random.choice(list(chances), 20_000)
    first = random.random(20_000) < np.array([chances[group] for group in groups.tolist()])
    return LoggedBatch.of(
        reward=first,
        propensity=np.full(20_000, 0.5),
        target_propensity=np.where(first, 0.9, 0.1),
        shoppers=np.arange(20_000) // 2,
        labels={label: groups},
    )


def test_errors_that_cancel_over_all_are_found_by_segment() -> None:
    rows = split_log({"new": 0.7, "loyal": 0.3, "other": 0.5}, "segment")
    question = Question([SNIPW()], by=("segment",))
    assert codes(evaluate(rows, Question([SNIPW()]))) == {}
    report = evaluate(rows, question)
    assert codes(report) == {"group_mean_weight": Level.do_not_use}
    assert "where segment is loyal the mean weight is 0." in report.verdict.findings[0].text
    assert "(2 such groups)" in report.verdict.findings[0].text
    by_label = {group.label: group for group in report.groups["segment"]}
    members = rows.where(rows.labels["segment"] == "new")
    totals = np.bincount(np.arange(20_000) // 2, np.where(rows.labels["segment"] == "new", rows.weight, 0.0))
    assert by_label["new"].mean_weight == pytest.approx(members.weight.mean())
    assert by_label["new"].mean_weight_error == pytest.approx(totals.std() * len(totals) ** 0.5 / len(members), rel=0.5)
    assert abs(by_label["other"].mean_weight_z) < 4
    assert f"{by_label['new'].mean_weight:.3f} ± " in render_page("groups", report, {})
    assert report.document()["groups"]["segment"][0]["mean_weight"] == by_label["loyal"].mean_weight


def test_what_the_draw_decides_need_not_have_a_mean_weight_of_1() -> None:
    rows = split_log({"push": 0.9, "email": 0.1}, "channel")
    assert codes(evaluate(rows, Question([SNIPW()], by=("channel",)))) == {}
    text = Question([SNIPW()], by=("channel",), known_before=("channel",))
    assert codes(evaluate(rows, text)) == {"group_mean_weight": Level.do_not_use}


@pytest.mark.parametrize("size", [1, 4])
def test_many_groups_of_heavy_weights_raise_no_false_alarm(size: int) -> None:
    """60 honest logs of 20 days each, weights up to 17: uncorrected for skew, some nine have a day that looks wrong."""
    random = np.random.default_rng(25)
    flagged = 0
    for _ in range(60):
        heavy = random.random(16_000) < 0.03
        days = Groups("day", "moments" if size == 1 else "shoppers")
        days.add(
            LoggedBatch.of(
                reward=np.zeros(16_000),
                propensity=np.where(heavy, 0.03, 0.97),
                target_propensity=np.full(16_000, 0.5),
                shoppers=np.arange(16_000) // size,
                labels={"day": np.arange(16_000) // 800},
            )
        )
        flagged += bool(find_bad_groups({"day": days.groups(0.05)}, ["day"]))
    assert flagged <= 3


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (np.array([1.0, np.nan, 2.0] * 40), {"": 40, "1.0": 40, "2.0": 40}),
        (np.array(["a", None, "b"] * 40, dtype=object), {"": 40, "a": 40, "b": 40}),
        (np.array(["a", 3, "NA"] * 40, dtype=object), {"3": 40, "NA": 40, "a": 40}),
        (np.arange(120) % 2, {"0": 60, "1": 60}),
    ],
    ids=["no numbers", "nothing", "two types", "numbers"],
)
def test_labels_of_any_type_make_groups(labels: np.ndarray, expected: dict[str, int]) -> None:
    rows = LoggedBatch.of(
        reward=np.arange(120) % 2, propensity=[0.5] * 120, target_propensity=[0.5] * 120, labels={"x": labels}
    )
    groups = evaluate(rows, Question([IPW()], by=("x",))).groups["x"]
    assert {group.label: group.rows for group in groups} == expected
