"""Attribution: from the log's rows to interactions, when attribution windows close.

Windows close by rows alone, so the fold is a pure function of the log: each row moves the watermark (the
maximum of the rows' times), and the first row that brings it to a window's end or beyond closes the
window. What happened inside is read back from the log by event id at that moment, so the state to
checkpoint is only the list of open windows.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import msgspec

from policies.catalogue.action_space import JointAction
from policies.catalogue.document import Catalogue
from policies.learning.reward import RewardBreakdown, reward_of
from policies.records.rows import (
    ACTIVATION_GRACE_S,
    FALLBACK,
    WITHDRAWALS,
    ActivationRow,
    CancellationRow,
    CatalogueRow,
    Context,
    DecisionRow,
    ErasureRow,
    OutcomeRow,
    PreferencesRow,
    Row,
)
from policies.sends import is_late, refuses
from policies.shopper.context import trigger_context

Related = Callable[[Sequence[str]], dict[str, list[tuple[int, Row]]]]
"""Looks up all rows of the given event ids in the log, each with its position."""

Owner = Callable[[int, str], str]
"""Tells to whom a row at a position belongs, given the shopper id that it bears."""

VOID_KEPT_S = 90 * 86_400.0
"""How long a decision that was not delivered is remembered, so that late outcomes teach nothing of it.

A deferred one may be activated as long.
"""


@dataclass(frozen=True)
class Interaction:
    """A delivered send joined with its reward: what is learned and evaluated.

    A correction repeats an interaction already given, with the reward known meanwhile; ``before`` is
    then what was known. One that ``teaches`` nothing, because the fallback decided it, is evaluated only.
    """

    event_id: str
    position: int
    context: Context
    action: JointAction
    category: str
    propensity: float
    p_out: float | None
    result: RewardBreakdown
    before: RewardBreakdown | None = None
    teaches: bool = True


class OpenWindow(msgspec.Struct, frozen=True, array_like=True):
    """A delivered send whose attribution window is open; ordered by (end, position).

    One that is ``deferred`` waits for its activation and teaches nothing before it.
    """

    ends_at: float
    position: int
    event_id: str
    shopper_id: str
    channel: str
    send_at: float
    deferred: bool = False


class AttributionState(msgspec.Struct):
    """What the fold carries from row to row, in a form that is checkpointed."""

    watermark: float = float("-inf")
    windows: list[OpenWindow] = []
    voided: dict[str, float] = {}
    catalogues: dict[int, dict[str, object]] = {}


def by_name(position: int, shopper_id: str) -> str:
    """Take a row to belong to whom it names: right where nobody is erased while rows are read."""
    return shopper_id


class Attribution:
    """Folds rows in position order and gives the interactions whose windows they close.

    Parameters
    ----------
    related
        Looks up the rows of event ids in the same log; rows at later positions are ignored.
    state
        Where an earlier fold stopped.
    owner
        Brings the rows of a shopper together of whom some were folded before an erasure renamed the rest.
    """

    def __init__(self, related: Related, state: AttributionState | None = None, owner: Owner = by_name) -> None:
        state = state or AttributionState()
        self._related = related
        self._owner = owner
        self._watermark = state.watermark
        self._open: dict[str, OpenWindow] = {}
        self._waiting: dict[str, OpenWindow] = {}
        self._ends: list[tuple[float, int, str]] = []
        self._by_owner: dict[str, set[str]] = {}
        for window in state.windows:
            self._remember(window)
        self._voided = dict(state.voided)
        self._documents = dict(state.catalogues)
        self._catalogues = {
            version: Catalogue.from_document(document) for version, document in state.catalogues.items()
        }

    @property
    def watermark(self) -> float:
        """The maximum of the times of the rows folded so far."""
        return self._watermark

    @property
    def open_windows(self) -> int:
        """How many windows wait for time to pass."""
        return len(self._open)

    @property
    def waiting(self) -> int:
        """How many deferred sends wait for their activation."""
        return len(self._waiting)

    def never_activated(self) -> list[OpenWindow]:
        """Give the deferred sends that have waited too long for their activation."""
        late = (window for window in self._waiting.values() if self._watermark > window.send_at + ACTIVATION_GRACE_S)
        return sorted(late, key=lambda window: (window.send_at, window.position))

    def state(self) -> AttributionState:
        """Give what a later fold needs to go on, in an order that does not depend on how it came about."""
        known = (*self._open.values(), *self._waiting.values())
        windows = sorted(known, key=lambda window: (window.ends_at, window.position))
        return AttributionState(self._watermark, windows, dict(sorted(self._voided.items())), self._documents)

    def advance(self, position: int, row: Row) -> list[Interaction]:
        """Fold one row and give the interactions that it closes or corrects, in order."""
        self._watermark = max(self._watermark, row.at)
        given = self._close(position)
        match row:
            case DecisionRow() if row.is_delivered:
                self._begin(position, row)
                given += self._close(position)
            case OutcomeRow():
                given += self._outcome(position, row)
            case ActivationRow(deliver=True):
                self._activate(row)
                given += self._close(position)
            case ActivationRow() | CancellationRow():
                self._void(row.event_id)
            case ErasureRow():
                self._erase(row)
            case PreferencesRow():
                for channel, consent in row.consent.items():
                    if not consent:
                        self._withdraw(self._owner(position, row.shopper_id), channel, row.at)
            case CatalogueRow():
                self._documents[row.version] = row.document
                self._catalogues[row.version] = Catalogue.from_document(row.document)
        return given

    def _begin(self, position: int, row: DecisionRow) -> None:
        if row.window_ends_at is None or row.send_at is None or row.channel is None:
            return
        send = (row.event_id, row.shopper_id, row.channel, row.send_at, row.deferred)
        self._remember(OpenWindow(row.window_ends_at, position, *send))

    def _remember(self, window: OpenWindow) -> None:
        self._by_owner.setdefault(self._owner(window.position, window.shopper_id), set()).add(window.event_id)
        if window.deferred:
            self._waiting[window.event_id] = window
        else:
            self._open[window.event_id] = window
            heapq.heappush(self._ends, (window.ends_at, window.position, window.event_id))

    def _find(self, event_id: str) -> OpenWindow | None:
        return self._open.get(event_id) or self._waiting.get(event_id)

    def _activate(self, row: ActivationRow) -> None:
        """Let a send leave, where its time has passed now; a deferred one whose window has ended closes at once."""
        window = self._find(row.event_id)
        if window is not None:
            send_at = max(window.send_at, row.at)
            self._remember(msgspec.structs.replace(self._forget(row.event_id), deferred=False, send_at=send_at))

    def _erase(self, row: ErasureRow) -> None:
        """Void what lies ahead of an erasure; what has left is learned from under the pseudonym."""
        for event_id in row.open_event_ids:
            window = self._find(event_id)
            if window is not None and window.send_at > row.at:
                self._void(event_id)
            elif window is not None:
                self._remember(msgspec.structs.replace(self._forget(event_id), shopper_id=row.shopper_id))

    def _outcome(self, position: int, row: OutcomeRow) -> list[Interaction]:
        if row.type in WITHDRAWALS and row.shopper_id is not None and row.channel is not None:
            self._withdraw(self._owner(position, row.shopper_id), row.channel, row.at, by=row.event_id)
        if (window := self._find(row.event_id)) is not None:
            if row.type == "bounce" and not is_late(window.ends_at, row.occurred_at, row.at):
                self._void(row.event_id)
            return []
        if row.event_id in self._voided or row.type == "bounce":
            return []
        return self._correct(position, row)

    def _withdraw(self, owner: str, channel: str, at: float, *, by: str | None = None) -> None:
        for event_id in sorted(self._by_owner.get(owner, ())):
            window = self._find(event_id)
            if window is not None and window.channel == channel and window.send_at > at and event_id != by:
                self._void(event_id)

    def _void(self, event_id: str) -> None:
        if self._find(event_id) is not None:
            self._voided[event_id] = self._forget(event_id).ends_at + VOID_KEPT_S

    def _forget(self, event_id: str) -> OpenWindow:
        window = self._open.pop(event_id, None) or self._waiting.pop(event_id)
        owner = self._owner(window.position, window.shopper_id)
        self._by_owner[owner].discard(event_id)
        if not self._by_owner[owner]:
            del self._by_owner[owner]
        return window

    def _close(self, position: int) -> list[Interaction]:
        ended = []
        while self._ends and self._ends[0][0] <= self._watermark:
            ends_at, _, event_id = heapq.heappop(self._ends)
            window = self._open.get(event_id)
            if window is not None and window.ends_at == ends_at:
                ended.append(self._forget(event_id))
        if not ended:
            return []
        self._voided = {name: until for name, until in self._voided.items() if until > self._watermark}
        for window in list(self._waiting.values()):
            if window.ends_at + VOID_KEPT_S <= self._watermark:
                self._forget(window.event_id)
        rows = self._related([window.event_id for window in ended])
        return [
            interaction
            for window in ended
            for interaction in self._closed(window, rows.get(window.event_id, []), position)
        ]

    def _closed(self, window: OpenWindow, rows: list[tuple[int, Row]], position: int) -> Iterable[Interaction]:
        decision = _decision(rows)
        outcomes = [row for at, row in rows if at < position and isinstance(row, OutcomeRow)]
        in_time = [outcome for outcome in outcomes if outcome.occurred_at < window.ends_at]
        result = self._rewarded(decision, in_time)
        yield self._interaction(window.position, decision, result)
        if len(in_time) < len(outcomes) and (now := self._rewarded(decision, outcomes)) != result:
            yield self._interaction(window.position, decision, now, before=result)

    def _correct(self, position: int, row: OutcomeRow) -> list[Interaction]:
        rows = self._related([row.event_id]).get(row.event_id, [])
        decided = [(at, each) for at, each in rows if isinstance(each, DecisionRow) and at < position]
        if not decided or not decided[0][1].is_delivered or _never_left(decided[0][1], rows):
            return []
        decided_at, decision = decided[0]
        outcomes = [(at, each) for at, each in rows if isinstance(each, OutcomeRow)]
        before = self._rewarded(decision, [each for at, each in outcomes if at < position])
        now = self._rewarded(decision, [each for at, each in outcomes if at <= position])
        return [self._interaction(decided_at, decision, now, before=before)] if now != before else []

    def _rewarded(self, decision: DecisionRow, outcomes: Iterable[OutcomeRow]) -> RewardBreakdown:
        catalogue, action = self._catalogues[decision.catalogue_version], _action(decision)
        cost = catalogue.channels[action.channel].cost + catalogue.messages[action.message].cost
        return reward_of(outcomes, catalogue.reward, cost)

    def _interaction(
        self, position: int, decision: DecisionRow, result: RewardBreakdown, before: RewardBreakdown | None = None
    ) -> Interaction:
        action = _action(decision)
        return Interaction(
            event_id=decision.event_id,
            position=position,
            context=trigger_context(decision.context, decision.triggers[decision.drawn_trigger or 0]),
            action=action,
            category=self._catalogues[decision.catalogue_version].messages[action.message].category,
            propensity=decision.propensity or 0.0,
            p_out=decision.p_out,
            result=result,
            before=before,
            teaches=decision.policy.mode != FALLBACK,
        )


def _never_left(decision: DecisionRow, rows: list[tuple[int, Row]]) -> bool:
    """Tell whether a send was taken back, or never activated."""
    asked = [row for _, row in rows if isinstance(row, ActivationRow)]
    cancelled = any(isinstance(row, CancellationRow) for _, row in rows)
    return cancelled or any(refuses(decision, row) for row in asked) or (decision.deferred and not asked)


def _decision(rows: list[tuple[int, Row]]) -> DecisionRow:
    return next(row for _, row in rows if isinstance(row, DecisionRow))


def _action(decision: DecisionRow) -> JointAction:
    if decision.message is None or decision.channel is None or decision.delay_s is None:
        raise ValueError(f"decision {decision.event_id!r} was delivered without an action")
    return JointAction(decision.message, decision.channel, decision.delay_s)
