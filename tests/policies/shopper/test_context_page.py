"""The page of context features against the context of a decision."""

from __future__ import annotations

import re
from pathlib import Path

from policies.catalogue.rulebook import Rulebook
from policies.models.features import NAMED, feature_names
from policies.records.rows import CancellationRow, DecisionRow, EventRow, OutcomeRow
from policies.shopper import context
from policies.shopper.context import shared_context, trigger_context
from policies.shopper.fold import fold
from policies.shopper.state import NEW_SHOPPER
from tests.decision_service.queries.report.logs import decision
from tests.factories import DAY_S, NOW, request, trigger

PAGE = (Path(__file__).parents[3] / "docs" / "context.md").read_text(encoding="utf-8")


def names_in_tables(text: str) -> set[str]:
    """Return the names in the first column of a page's tables."""
    cells = (line.split("|")[1] for line in text.splitlines() if line.startswith("| `"))
    return {name for cell in cells for name in re.findall(r"`([a-z_<>]+)`", cell)}


def names_in_docstring(text: str) -> set[str]:
    """Return the names in the first column of the docstring's table."""
    lines = [line for line in text.splitlines() if line.startswith("``")]
    return {name for line in lines for name in re.findall(r"``([a-z_<>]+)``", line.partition("  ")[0])}


def name_on_page(name: str) -> str:
    """Return the name of a feature on the page."""
    for group, values in (("<channel>", ("push", "email")), ("<category>", ("browse", "cart"))):
        for value in values:
            name = re.sub(rf"_{value}$", f"_{group}", name)
    return name


def send(event_id: str, at: float) -> DecisionRow:
    return decision(event_id, at=at, send_at=at, window_ends_at=at + DAY_S)


def test_the_page_names_what_the_code_documents() -> None:
    assert names_in_tables(PAGE) - {"trigger", "category"} == names_in_docstring(context.__doc__ or "")


def test_a_shopper_of_whom_much_is_known_has_every_feature_of_the_page(small_rulebook: Rulebook) -> None:
    state = NEW_SHOPPER
    for row in (
        EventRow(
            at=NOW - DAY_S,
            shopper_id="s-1",
            type="purchase",
            occurred_at=NOW - DAY_S,
            attributes={"value": 20.0, "category": "shoes", "product": "Runner"},
        ),
        send("e-0", NOW - DAY_S),
        send("taken back", NOW - DAY_S),
        CancellationRow(NOW - DAY_S, "taken back", "s-1"),
        OutcomeRow(at=NOW, event_id="e-0", type="click", occurred_at=NOW, shopper_id="s-1", channel="push"),
    ):
        state = fold(state, row)
    shared = shared_context(request(), state, small_rulebook)
    whole = trigger_context(shared, trigger(attributes={"category": "shoes"}))
    assert {name_on_page(name) for name in whole} == names_in_tables(PAGE)
    assert {name for name, _ in feature_names(tuple(whole))} <= NAMED.keys(), (
        "Vowpal Wabbit must see no name by accident"
    )
    nothing_known = shared_context(request(), NEW_SHOPPER, small_rulebook)
    absent = {line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `") and line.count("|") == 6}
    always = {
        name
        for cell in absent
        for name in re.findall(r"`([a-z_<>]+)`", cell)
        if any(line.startswith(f"|{cell}|") and line.split("|")[5].strip() == "" for line in PAGE.splitlines())
    }
    assert set(nothing_known) == always
