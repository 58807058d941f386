"""Drafting: draws for the items of a round. Each item is decided as if the items before it were logged already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from decision_service.learning.serving import ServedPolicy
from decision_service.pipeline.draft import Draft, write_draft
from decision_service.pipeline.item import Item
from decision_service.state.contents import StoredState
from policies.catalogue.rulebook import Rulebook
from policies.decide import Case, decide_in_order, decide_many
from policies.decision import Decision
from policies.rules.budget import Budgets


def draft_items(
    items: Sequence[Item], states: Mapping[str, StoredState], serving: ServedPolicy, seed: bytes
) -> dict[Item, Draft]:
    """Draw for the first items, at least for one; the others must be drawn in a later round, after another read.

    Parameters
    ----------
    items
        The requests in their order.
    states
        The states of their shoppers by shopper id, each with what was spent on each budget day.
    serving
        The catalogue and the policy.
    seed
        The application seed stored with the data.
    """
    items = _before_a_dry_run_that_must_wait(items)
    real_runs = [item for item in items if not item.is_dry_run]
    decisions = dict(zip(real_runs, _draw_in_order(real_runs, states, serving, seed), strict=False))
    if real_runs and len(real_runs) < len(items) and _make_day_tight(decisions, states, serving.rulebook):
        items = items[: items.index(real_runs[len(decisions) - 1]) + 1]
    elif len(decisions) < len(real_runs):
        items = items[: items.index(real_runs[len(decisions)])]
    dry_runs = [item for item in items if item.is_dry_run]
    decisions |= zip(dry_runs, _draw_alone(dry_runs, states, serving, seed), strict=True)
    return _write_drafts({item: decisions[item] for item in items}, states)


def _before_a_dry_run_that_must_wait(items: Sequence[Item]) -> Sequence[Item]:
    """Return the items before the first dry run that must read what an earlier item has reserved for its shopper."""
    shoppers = set[str]()
    for number, item in enumerate(items):
        if not item.is_dry_run:
            shoppers.add(item.request.shopper_id)
        elif item.request.shopper_id in shoppers:
            return items[:number]
    return items


def _draw_in_order(
    items: Sequence[Item], states: Mapping[str, StoredState], serving: ServedPolicy, seed: bytes
) -> list[Decision]:
    if not items:
        return []
    known = {item.request.shopper_id: states[item.request.shopper_id].state for item in items}
    spent = states[items[0].request.shopper_id].spent
    requests = [item.request for item in items]
    return decide_in_order(requests, known, spent, serving.rulebook, serving.policy, seed)


def _make_day_tight(decisions: Mapping[Item, Decision], states: Mapping[str, StoredState], rulebook: Rulebook) -> bool:
    """Return whether these decisions make a budget day tight: a later dry run must then read the spending again."""
    budgets = Budgets(next(iter(states.values())).spent, rulebook)
    sends = [decision.send for decision in decisions.values()]
    return any(budgets.pay_for(send) for send in sends if send is not None)


def _draw_alone(
    items: Sequence[Item], states: Mapping[str, StoredState], serving: ServedPolicy, seed: bytes
) -> list[Decision]:
    if not items:
        return []
    stored = [states[item.request.shopper_id] for item in items]
    cases = [Case(item.request, known.state, known.spent) for item, known in zip(items, stored, strict=True)]
    return decide_many(cases, serving.rulebook, serving.policy, seed)


def _write_drafts(decisions: Mapping[Item, Decision], states: Mapping[str, StoredState]) -> dict[Item, Draft]:
    """Return the drafts; each rests on the state with the sends of the drafts before it."""
    drafts, latest = dict[Item, Draft](), dict[str, Draft]()
    for item, decision in decisions.items():
        shopper_id = item.request.shopper_id
        before = latest.get(shopper_id)
        stored = states[shopper_id] if before is None else before.stored_behind
        drafts[item] = draft = write_draft(decision, stored, item.fingerprint)
        if not item.is_dry_run:
            latest[shopper_id] = draft
    return drafts
