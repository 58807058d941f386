"""Figures of the results, written into the pages that cite them.

A page marks a figure with its name: ``<!--= decide.row_bytes -->…<!---->``. Between the two comments `write` puts the
value with its range, from the JSON files of the results, or a dash while it was not measured. So nobody copies a number
by hand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.page import number

_MARK = re.compile(r"<!--= ([\w.]+) -->.*?<!---->")
_NAMED = re.compile(r"\{([\w.]+)\}")
_LINK = re.compile(r"\]\((\w+)\.md\) \|$")
ABSENT = "–"

Figures = Mapping[str, str]
"""Name → value with range, as text."""


@dataclass(frozen=True)
class Row:
    """A row of the results at a glance; names in braces stand for figures."""

    question: str
    figure: str
    page: str

    def to_line(self, figures: Figures) -> str:
        """Return the row as Markdown.

        >>> Row("How large is a row?", "{decide.row_bytes} bytes", "decide").to_line({"decide.row_bytes": "2,400"})
        '| How large is a row? | 2,400 bytes | `make bench` | [decide](decide.md) |'
        """
        figure = _NAMED.sub(lambda match: figures.get(match[1], ABSENT), self.figure)
        return f"| {self.question} | {figure} | `make bench` | [{self.page}]({self.page}.md) |"


ROWS = (
    Row(
        "How much of a route that does nothing is a decision, by the replica's CPU?",
        "{decide.single.cpu_ratio_to_noop} at 16 connections, {decide.single.64.cpu_ratio_to_noop} at 64",
        "decide",
    ),
    Row(
        "How many decisions in batches of 100 cost as much as a request that does nothing?",
        "{decide.batch100.cpu_ratio_to_noop}",
        "decide",
    ),
    Row("How large is a decision on disk?", "{decide.row_bytes} bytes, all indexes –", "decide"),
    Row(
        "What does the log cost beyond its floor, one statement for the same rows?",
        "{log.append.16.ratio_to_floor} of the floor's CPU in groups of 16, {log.append.100.ratio_to_floor} of 100",
        "append",
    ),
    Row(
        "What does a decision cost in process, in groups of 64?",
        "{policy.decide_many.64.us} µs, row and answer included",
        "policy",
    ),
    Row("Which stage takes how long?", "`decide_many` {stages.decide_many.64.us} µs in groups of 64", "stages"),
    Row("How fast does the learner fold the log?", "{learn.fold_per_s} rows per second of one core", "learn"),
    Row(
        "How much later is a start ready with a million rows than on an empty directory?",
        "{restart.snapshot.later_s} s; without the snapshot it takes {restart.rebuild.ready_s} s",
        "restart",
    ),
    Row("How soon is feedback live?", "{learn.feedback_to_live_s} s", "learn"),
    Row(
        "Does a replica keep something of what it has decided?",
        "{memory.replica.200000_mb} MiB resident after 200,000 decisions; "
        "the second half added {memory.replica.growth} MiB per 100,000 –",
        "memory",
    ),
    Row(
        "Does a long log make appends dearer?",
        "{growth.50000.append_us} µs per row with 50,000 rows, {growth.200000.append_us} with 200,000 –",
        "growth",
    ),
)


def read_figures(directory: Path) -> dict[str, str]:
    """Return the figures of all results in a directory."""
    documents = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(directory.glob("*.json"))]
    return {result["name"]: format_figure(result) for document in documents for result in document["results"]}


def format_figure(result: Mapping[str, Any]) -> str:
    """Return a value with its range.

    >>> format_figure({"value": 0.61234, "low": 0.6, "high": 0.62}), format_figure({"value": 2400.0})
    ('0.6123 [0.6, 0.62]', '2,400')
    """
    low, high = result.get("low"), result.get("high")
    interval = "" if low is None or high is None else f" [{number(low)}, {number(high)}]"
    return number(result["value"]) + interval


def fill(page: str, figures: Figures) -> str:
    """Return a page with the figures at its marks.

    >>> fill("A row has <!--= decide.row_bytes -->1<!----> bytes.", {"decide.row_bytes": "2,400"})
    'A row has <!--= decide.row_bytes -->2,400<!----> bytes.'
    """
    return _MARK.sub(lambda match: f"<!--= {match[1]} -->{figures.get(match[1], ABSENT)}<!---->", page)


def replace_rows(readme: str, rows: tuple[Row, ...], figures: Figures, pages: set[str]) -> str:
    r"""Return the README of the results with the rows of these pages at the end of its table.

    >>> table = "| question | figure |\n|---|---|\n| Old? | 1 | `x` | [decide](decide.md) |\n\nNext."
    >>> print(replace_rows(table, (Row("New?", "{a.b}", "decide"),), {"a.b": "2"}, {"decide"}))
    | question | figure |
    |---|---|
    | New? | 2 | `make bench` | [decide](decide.md) |
    <BLANKLINE>
    Next.
    """
    ours = {row.page for row in rows}
    lines = [line for line in readme.split("\n") if not ((link := _LINK.search(line)) and link[1] in ours)]
    end = max(number for number, line in enumerate(lines) if line.startswith("|")) + 1
    lines[end:end] = [row.to_line(figures) for row in rows if row.page in pages]
    return "\n".join(lines)


def write(directory: Path, pages: list[Path]) -> None:
    """Write the figures into the pages, and the rows into the README of the results."""
    figures = read_figures(directory)
    for page in pages:
        page.write_text(fill(page.read_text(encoding="utf-8"), figures), encoding="utf-8")
    readme, measured = directory / "README.md", {path.stem for path in directory.glob("*.md")}
    text = replace_rows(readme.read_text(encoding="utf-8"), ROWS, figures, measured)
    readme.write_text(text, encoding="utf-8")
