"""The page of results at a glance: every number on it stands on the page that the row links to."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

RESULTS = Path(__file__).parents[1] / "docs" / "results"
ROWS = [line for line in (RESULTS / "README.md").read_text(encoding="utf-8").splitlines() if "](" in line]


def numbers(text: str) -> set[str]:
    """Return the numbers of a text, without thousands separators."""
    plain = text.replace("−", "-")
    return {number.replace(",", "") for number in re.findall(r"-?\d[\d,]*(?:\.\d+)?(?:e-\d+)?", plain)}


def test_every_page_of_results_has_a_row() -> None:
    linked = {match for row in ROWS for match in re.findall(r"\]\((\w+\.md)\)", row)}
    assert linked == {path.name for path in RESULTS.glob("*.md")} - {"README.md"}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip()[:40])
def test_every_number_of_a_row_stands_on_its_page(row: str) -> None:
    _, _, figure, command, link, _ = row.split("|")
    page = (RESULTS / re.findall(r"\]\((.*?)\)", link)[0]).read_text(encoding="utf-8")
    assert numbers(figure) <= numbers(page), figure
    verb = command.strip().strip("`")
    made_by = re.findall(r"Made by `(.*?)`", page)[0]
    assert verb.startswith("make ") or made_by.startswith(verb), command


def read_figures() -> dict[str, float]:
    """Return the value of every result in the JSON files."""
    documents = [json.loads(path.read_text(encoding="utf-8")) for path in RESULTS.glob("*.json")]
    return {result["name"]: result["value"] for document in documents for result in document["results"]}


def test_every_figure_of_the_page_on_performance_is_a_result() -> None:
    page, figures = (RESULTS.parent / "performance.md").read_text(encoding="utf-8"), read_figures()
    marks = re.findall(r"<!--= ([\w.]+) -->(.*?)<!---->", page)
    assert len(marks) > 30
    for name, text in marks:
        value, _, _ = text.partition(" [")
        assert (value == "–") == (name not in figures), f"{name}: run `python -m benchmarks figures`"
        if name in figures:
            assert float(value.replace(",", "")) == pytest.approx(figures[name], rel=1e-3), name
