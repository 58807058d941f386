"""The reach of the states: they must keep sends as long as the rules of a catalogue look back."""

from __future__ import annotations

from decision_service.state.base import DecisionStates, StateUnavailable
from policies.catalogue.rulebook import Rulebook
from policies.rules.rules import RULES


def check_reach(store: DecisionStates, rulebook: Rulebook) -> None:
    """Raise `StateUnavailable` while the states do not keep sends as long as the rules of a catalogue look back."""
    if RULES.reach_s(rulebook) > store.horizon_s:
        raise StateUnavailable("the states are being folded again for a catalogue that looks further back")
