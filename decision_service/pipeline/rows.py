"""The rows of a round, each with the condition under which it may be written."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from decision_service.commands.early_outcomes import early_outcomes
from decision_service.log.base import NewRow
from decision_service.log.condition import AppendCondition, Query, kinds_that_change
from decision_service.log.keys import decision_key
from decision_service.pipeline.draft import Draft
from decision_service.pipeline.item import Item
from decision_service.pipeline.reservations import Places
from decision_service.state.shopper_keys import ShopperKeys
from policies.catalogue.rulebook import Rulebook
from policies.records.rows import DecisionRow, ErasureRow


def new_rows(
    drafts: Mapping[Item, Draft], places: Places, shopper_keys: ShopperKeys, rulebook: Rulebook
) -> dict[Item, NewRow]:
    """Return the rows of drafts.

    A send is refused if its shopper's state has changed since it was read. So is each later decision about the shopper:
    that decision rests on the place of the send.

    Parameters
    ----------
    drafts
        The drafts in their order.
    places
        The reservations of the sends among them.
    shopper_keys
        The keys that erasures are found by.
    rulebook
        The catalogue in force, with the names of a rename since the draw.
    """
    rows, ends = dict[Item, NewRow](), dict[str, bool]()
    for item, draft in drafts.items():
        shopper_id, send = item.request.shopper_id, draft.send
        shoppers = (shopper_id, shopper_keys.key(shopper_id))
        condition = AppendCondition(fail_if=(Query((ErasureRow.kind,), shoppers, after=draft.drawn_at),))
        if item in places.held and send is not None:
            ends[shopper_id] = ends.get(shopper_id, False) or bool(send.ends_on)
        if shopper_id in ends:
            changed = Query(kinds_that_change(ends=ends[shopper_id]), shoppers, after=draft.stored.position)
            condition = AppendCondition(
                (*condition.fail_if, changed), deadline=places.deadline, incarnation=places.incarnation
            )
        rows[item] = decision_new_row(draft.row, condition, rulebook)
    return rows


def decision_new_row(row: DecisionRow, condition: AppendCondition, rulebook: Rulebook) -> NewRow:
    """Return a decision to be appended; outcomes that were reported before it are logged once more behind it."""
    return NewRow(row, decision_key(row.event_id), condition, partial(early_outcomes, row, rulebook))
