"""The page of a report: everything is on it, and text from the log is no markup."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import numpy as np

from offline_eval import Question, evaluate, make_estimators
from offline_eval.reports.html import render_page
from offline_eval.reports.report import DAY
from tests.reference.worlds import RewardWorld


class Text(HTMLParser):
    """Collects the text of a page, and the tags that are open."""

    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_every_number_is_on_the_page_and_labels_are_no_markup(world: RewardWorld) -> None:
    batch = world.log(600, np.random.default_rng(1), shoppers=np.arange(600) // 3)
    days = np.array([f"2026-11-2{number % 7}" for number in range(600)])
    segments = np.array(["<b>new</b>", ""] * 300)
    batch = replace(batch, labels={DAY: days, "segment": segments}, against=batch.as_logging())
    report = evaluate(batch, Question(make_estimators(), by=(DAY, "segment")))
    page = Text()
    page.feed(render_page("A <title>", report, {"source": "a & b"}))
    assert page.open == []
    text = " ".join(page.text)
    for estimate in (*report.estimates, *report.differences, report.mean_reward):
        assert estimate.name in text
    for finding in report.verdict.findings:
        assert finding.text in text
    for part in ("A <title>", "source: a & b", "<b>new</b>", "(none)", "Value over time", "2026-11-20", "By segment"):
        assert part in text
    for heading in ("Importance weights", "Difference to the other policy", "Reward model", "Diagnostics"):
        assert heading in text
