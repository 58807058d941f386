"""Interactions: delivered sends joined with their rewards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from policies.catalogue.action_space import JointAction
from policies.catalogue.document import Catalogue
from policies.learning.reward import RewardBreakdown, reward_of
from policies.records.model_input import ModelInput
from policies.records.rows import FALLBACK, CatalogueRow, Context, DecisionRow, OutcomeRow, Row
from policies.sends.life import status_of
from policies.shopper.model_inputs import numbers_in, trigger_input

Positioned = tuple[int, Row]
"""A row of the log with its position."""


@dataclass(frozen=True)
class Interaction:
    """A delivered send joined with its reward: what is learned and evaluated.

    Parameters
    ----------
    model_input
        What the model saw when the send was decided.
    position
        The position of the decision in the log.
    delays_s
        The delays of the catalogue version that the send was decided with.
    result
        The reward as known now.
    before
        Of a correction: the reward as it was known when the send was learned last; else None.
    teaches
        Whether the model learns from it. A send that the fallback decided is evaluated only.
    """

    model_input: ModelInput
    position: int
    action: JointAction
    category: str
    delays_s: tuple[int, ...]
    propensity: float
    p_out: float | None
    result: RewardBreakdown
    before: RewardBreakdown | None = None
    teaches: bool = True

    @property
    def event_id(self) -> str:
        """The id of the decision."""
        return self.model_input.event_id

    @property
    def context(self) -> Context:
        """The context of the trigger that the send answers."""
        return self.model_input.context


def action_of(decision: DecisionRow) -> JointAction:
    """Return the joint action of a delivered decision.

    Raises
    ------
    ValueError
        When the row has none.
    """
    if decision.message is None or decision.channel is None or decision.delay_s is None:
        raise ValueError(f"decision {decision.event_id!r} was delivered without an action")
    return JointAction(decision.message, decision.channel, decision.delay_s)


class Interactions:
    """Makes the interactions of closed windows, and the corrections of later outcomes.

    Parameters
    ----------
    documents
        The catalogues by version that decisions name.
    """

    def __init__(self, documents: Mapping[int, dict[str, object]]) -> None:
        self.documents = dict(documents)
        self._catalogues = {version: Catalogue.from_stored(document) for version, document in documents.items()}

    def add_catalogue(self, row: CatalogueRow) -> None:
        """Take a catalogue in, before the decisions that name its version."""
        self.documents[row.version] = row.document
        self._catalogues[row.version] = Catalogue.from_stored(row.document)

    def close_window(self, ends_at: float, rows: Iterable[Positioned], closed_at: int) -> Iterator[Interaction]:
        """Yield the interaction of a window that closes, and its correction by outcomes dated after its end.

        Parameters
        ----------
        ends_at
            The end of the window.
        rows
            All rows of the decision.
        closed_at
            The position of the row that closes the window; outcomes from there on are no part of it.
        """
        rows = list(rows)
        decided_at, decision = _decision(rows)
        outcomes = [row for at, row in rows if at < closed_at and isinstance(row, OutcomeRow)]
        in_time = [outcome for outcome in outcomes if outcome.occurred_at < ends_at]
        result = self._reward(decision, in_time)
        yield self._interaction(decided_at, decision, result)
        if len(in_time) < len(outcomes) and (now := self._reward(decision, outcomes)) != result:
            yield self._interaction(decided_at, decision, now, before=result)

    def correct(self, rows: Iterable[Positioned], position: int) -> Iterator[Interaction]:
        """Yield the correction by an outcome at a position that came after its window, none if the reward stays.

        Parameters
        ----------
        rows
            All rows of the outcome's decision.
        position
            The position of the outcome.
        """
        rows = [(at, row) for at, row in rows if at <= position]
        if not any(isinstance(row, DecisionRow) for _, row in rows):
            return
        decided_at, decision = _decision(rows)
        if not _was_sent(decided_at, decision, rows):
            return
        outcomes = [(at, row) for at, row in rows if isinstance(row, OutcomeRow)]
        before = self._reward(decision, [row for at, row in outcomes if at < position])
        now = self._reward(decision, [row for _, row in outcomes])
        if now != before:
            yield self._interaction(decided_at, decision, now, before=before)

    def _reward(self, decision: DecisionRow, outcomes: Iterable[OutcomeRow]) -> RewardBreakdown:
        catalogue, action = self._catalogues[decision.catalogue_version], action_of(decision)
        cost = catalogue.channels[action.channel].cost + catalogue.messages[action.message].cost
        return reward_of(outcomes, catalogue.reward, cost)

    def _interaction(
        self, position: int, decision: DecisionRow, result: RewardBreakdown, before: RewardBreakdown | None = None
    ) -> Interaction:
        action, catalogue = action_of(decision), self._catalogues[decision.catalogue_version]
        return Interaction(
            model_input=_input_of(decision),
            position=position,
            action=action,
            category=catalogue.messages[action.message].category,
            delays_s=catalogue.delays_s,
            propensity=decision.propensity or 0.0,
            p_out=decision.p_out,
            result=result,
            before=before,
            teaches=decision.policy.mode != FALLBACK,
        )


def _input_of(decision: DecisionRow) -> ModelInput:
    """Return what the model saw of the trigger that the drawn send answers."""
    trigger = decision.triggers[decision.drawn_trigger or 0]
    return trigger_input(decision.context, numbers_in(decision), trigger, decision.event_id)


def _was_sent(decided_at: int, decision: DecisionRow, rows: Iterable[Positioned]) -> bool:
    """Return whether a send was activated and not taken back, by the gate and the caller.

    What an outcome or another row of the shopper took back, the attribution remembers by itself.
    """
    later = [(at, row) for at, row in rows if at > decided_at and not isinstance(row, OutcomeRow)]
    return status_of(decision, later, now=decision.at).status.counts_as_sent


def _decision(rows: Iterable[Positioned]) -> tuple[int, DecisionRow]:
    return next((at, row) for at, row in rows if isinstance(row, DecisionRow))
