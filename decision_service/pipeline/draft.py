"""A draft: a decision with the row and the answer that the request gets unless the store or the log refuses them."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from decision_service.pipeline.budget_days import budget_days_ahead
from decision_service.schemas.decision_answer import Answer, answer
from decision_service.state.contents import StoredState
from policies.decide import next_possible_send, still_allowed
from policies.decision import Decision
from policies.decision_row import LOST_RACE, NO_ELIGIBLE_ACTION, decision_row
from policies.records.rows import DecisionRow
from policies.shopper.state import Send


class Draft(msgspec.Struct, frozen=True):
    """A decision of which nothing is reserved or logged yet.

    Parameters
    ----------
    decision
        The decision: a second look never changes it.
    stored
        The state that the draft rests on, with the places of earlier drafts of the shopper in the same batch.
    drawn_at
        A position of the log: the state with which the decision was drawn contains at least the rows up to there.
    row
        The row for the log, with the answer.
    body
        The encoded answer.
    """

    decision: Decision
    stored: StoredState
    drawn_at: int
    row: DecisionRow
    body: bytes

    @property
    def send(self) -> Send | None:
        """The drawn send, None for HOLD."""
        return self.decision.send

    @property
    def is_send(self) -> bool:
        """Whether a send leaves, so that a place must be reserved."""
        return self.row.is_delivered

    @property
    def stored_behind(self) -> StoredState:
        """The state that the shopper's next draft rests on: it contains the place of the drawn send."""
        if (send := self.send) is None:
            return self.stored
        return replace(self.stored, state=self.stored.state.with_claim(send), version=self.stored.version + 1)


def write_draft(decision: Decision, stored: StoredState, fingerprint: str) -> Draft:
    """Return the draft of a decision that was just drawn, with its row and its answer."""
    return _write(decision, stored, stored.position, decision_row(decision, fingerprint=fingerprint))


def look_again(draft: Draft, stored: StoredState, *, is_lost: bool) -> Draft:
    """Return a draft judged on a newer state. The drawn send stays; only whether the send is delivered can change.

    With ``is_lost`` the reservation was refused for good, so the send is not delivered.
    """
    decision = draft.decision
    if draft.is_send and not is_lost and still_allowed(decision, stored.state):
        return replace(draft, stored=stored)
    row = decision_row(decision, lost_race=draft.send is not None, fingerprint=draft.row.fingerprint)
    return _write(decision, stored, draft.drawn_at, row)


def _write(decision: Decision, stored: StoredState, drawn_at: int, row: DecisionRow) -> Draft:
    body = _answer(decision, row, stored).encode()
    return Draft(decision, stored, drawn_at, replace(row, answer=body.decode()), body)


def _answer(decision: Decision, row: DecisionRow, stored: StoredState) -> Answer:
    """Return the answer; a hold that may end by itself says when it ends."""
    if row.hold_reason not in (NO_ELIGIBLE_ACTION, LOST_RACE):
        return answer(decision, row)
    days = budget_days_ahead(decision.rulebook, decision.request)
    spent = {day: stored.spent[day] for day in days}
    return answer(decision, row, next_possible_send(decision, stored.state, spent))
