"""The page of results at a glance: every number on it stands on the page that the row links to."""

from __future__ import annotations

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
