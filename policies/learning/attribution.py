"""Attribution: from the log's rows to interactions, when attribution windows close.

Windows close by rows alone, so the fold is a pure function of the log: each row moves the watermark (the maximum of
the rows' times since the last clock correction), and the first row that brings the watermark to a window's end or
beyond closes the window. The rows of its decision are read back from the log at that moment, so the state to checkpoint
is only the list of open windows. A window that was closed by a clock ahead of its time stays closed after the
correction: what comes later corrects what was learned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from policies.learning.interactions import Interaction, Interactions, Positioned
from policies.learning.windows import NOT_SENT_KEPT_S, OpenWindow, OpenWindows, Owner, shopper_of_row
from policies.records.rows import ActivationRow, CatalogueRow, DecisionRow, ErasureRow, OutcomeRow, Row
from policies.records.watermark import watermark_after
from policies.sends.concerns import concerns_all_sends, named_sends
from policies.sends.transitions import changes_of

Related = Callable[[Sequence[str]], dict[str, list[Positioned]]]
"""Looks up all rows of some event ids in the log."""


class AttributionState(msgspec.Struct):
    """What the fold carries from row to row, in a form that is checkpointed.

    Parameters
    ----------
    voided
        By event id of a send that was taken back: until when it is remembered.
    catalogues
        By version.
    """

    watermark: float = float("-inf")
    windows: list[OpenWindow] = []
    voided: dict[str, float] = {}
    catalogues: dict[int, dict[str, object]] = {}


class Attribution:
    """Folds rows in position order and returns the interactions whose windows they close.

    Parameters
    ----------
    related
        Looks up the rows of event ids in the same log; rows at later positions are ignored.
    state
        Where an earlier fold stopped.
    owner
        Brings the rows of one shopper together where some were folded before an erasure renamed the others.
    """

    def __init__(self, related: Related, state: AttributionState | None = None, owner: Owner = shopper_of_row) -> None:
        state = state or AttributionState()
        self._related = related
        self._owner = owner
        self._watermark = state.watermark
        self._windows = OpenWindows(owner)
        for window in state.windows:
            self._windows.add(window)
        self._taken_back = dict(state.voided)
        self._interactions = Interactions(state.catalogues)

    @property
    def watermark(self) -> float:
        """The maximum of the times of the rows folded since the last clock correction."""
        return self._watermark

    @property
    def open_windows(self) -> int:
        """How many windows close when time passes."""
        return self._windows.running

    @property
    def waiting(self) -> int:
        """How many deferred sends wait for their activation."""
        return self._windows.waiting

    def never_activated(self) -> list[OpenWindow]:
        """Return the deferred sends that have waited too long for their activation."""
        return self._windows.never_activated(self._watermark)

    def state(self) -> AttributionState:
        """Return what a later fold needs to go on, in an order that does not depend on how it came about."""
        taken_back = dict(sorted(self._taken_back.items()))
        return AttributionState(self._watermark, self._windows.in_order(), taken_back, self._interactions.documents)

    def find_lookups(self, rows: Iterable[Row]) -> set[str]:
        """Return the event ids whose rows `advance` will look up while it folds the next rows, and perhaps a few more.

        So the caller can read the rows of all these events at once.
        """
        watermark, event_ids, ends = self._watermark, set[str](), dict[str, float]()
        for row in rows:
            watermark = max(watermark, row.at)
            if isinstance(row, DecisionRow) and row.window_ends_at is not None:
                ends[row.event_id] = row.window_ends_at
            elif isinstance(row, ActivationRow) and (window := self._windows.find(row.event_id)) is not None:
                ends[row.event_id] = window.window_ends_at
            elif isinstance(row, OutcomeRow) and self._windows.find(row.event_id) is None:
                event_ids.add(row.event_id)
        event_ids.update(event_id for event_id, end in ends.items() if end <= watermark)
        return event_ids.union(self._windows.ending_by(watermark))

    def advance(self, position: int, row: Row) -> list[Interaction]:
        """Fold one row and return the interactions that it closes or corrects, in order."""
        self._watermark = watermark_after(self._watermark, row)
        interactions = self._close_windows(position)
        if isinstance(row, CatalogueRow):
            self._interactions.add_catalogue(row)
        elif isinstance(row, DecisionRow):
            self._open_window(position, row)
        else:
            self._change_sends(position, row)
        interactions += self._close_windows(position)
        if isinstance(row, OutcomeRow):
            interactions += self._correct(position, row)
        return interactions

    # -- windows ------------------------------------------------------------------------------------

    def _open_window(self, position: int, row: DecisionRow) -> None:
        window = OpenWindow.of(position, row)
        if window is not None:
            self._windows.add(window)

    def _close_windows(self, position: int) -> list[Interaction]:
        ended = self._windows.remove_ended(self._watermark)
        if not ended:
            return []
        self._taken_back = {name: until for name, until in self._taken_back.items() if until > self._watermark}
        self._windows.drop_never_activated(self._watermark)
        rows = self._related([window.event_id for window in ended])
        return [
            interaction
            for window in ended
            for interaction in self._interactions.close_window(window.window_ends_at, rows[window.event_id], position)
        ]

    # -- what takes sends back ------------------------------------------------------------------------

    def _change_sends(self, position: int, row: Row) -> None:
        """Change each send that a row concerns as the table of transitions says: see `policies.sends.transitions`."""
        windows = self._concerned_windows(position, row)
        for window, change in changes_of(windows, row):
            if change.status.is_learned:
                self._windows.replace(window.activate(row))
            else:
                self._windows.remove(window.event_id)
                self._taken_back[window.event_id] = window.window_ends_at + NOT_SENT_KEPT_S
        if isinstance(row, ErasureRow):  # what has left is learned from under the pseudonym
            left = [window for window in windows if window.event_id not in self._taken_back]
            for window in left:
                self._windows.replace(msgspec.structs.replace(window, shopper_id=row.shopper_id))

    def _concerned_windows(self, position: int, row: Row) -> list[OpenWindow]:
        names: Iterable[str] = named_sends(row)
        shopper_id = getattr(row, "shopper_id", None)
        if shopper_id is not None and not isinstance(row, ErasureRow) and concerns_all_sends(row):
            names = sorted({*names, *self._windows.event_ids_of(self._owner(position, shopper_id))})
        return [window for name in names if (window := self._windows.find(name)) is not None]

    # -- corrections ----------------------------------------------------------------------------------

    def _correct(self, position: int, row: OutcomeRow) -> list[Interaction]:
        """Correct what was learned of a send whose window has closed."""
        if self._windows.find(row.event_id) is not None or row.event_id in self._taken_back:
            return []
        rows = self._related([row.event_id]).get(row.event_id, [])
        return list(self._interactions.correct(rows, position))
