"""A target policy that is a command line of Vowpal Wabbit."""

from __future__ import annotations

from pathlib import Path

from offline_eval.columns import FloatArray
from offline_eval.errors import BadData, NotAvailable
from offline_eval.logs.decisions import LoggedDecision
from offline_eval.logs.features import context_tokens
from policies.catalogue.action_space import JointAction
from policies.models.features import channel_token, clean, delay_token
from policies.models.vw import VwMissing
from policies.models.vw_command_line import VwCommand, VwRefused, split


class VwTarget:
    """A contextual bandit of Vowpal Wabbit.

    With a model (``-i FILE``) the model is evaluated as it is. Without one, Vowpal Wabbit learns from each decision
    after its prediction for this decision (progressive validation), and the value is the value of the learning policy,
    in the order of the log. Vowpal Wabbit gets the lines of a log in dsjson unchanged; of other logs it gets the
    namespaces s (the shopper's side) and a (the joint action).

    Raises
    ------
    NotAvailable
        When Vowpal Wabbit does not take the command line, or is not installed.
    """

    def __init__(self, command: str) -> None:
        try:
            options, file = split(command)
            self._command = VwCommand(options, None if file is None else Path(file).read_bytes())
        except (VwMissing, VwRefused, OSError) as error:
            raise NotAvailable(str(error)) from error

    def distribution(self, decision: LoggedDecision) -> FloatArray:
        """Return the prediction, then learn the logged decision.

        Raises
        ------
        BadData
            When Vowpal Wabbit fails; the error names the event.
        """
        try:
            return self._predict_and_learn(decision)
        except (VwRefused, RuntimeError) as error:
            raise BadData("target distribution", str(error), f"event {decision.event_id!r}") from error

    def _predict_and_learn(self, decision: LoggedDecision) -> FloatArray:
        if decision.raw:
            wanted = self._command.probabilities_of_dsjson(decision.raw)
            if not self._command.is_fixed:
                self._command.learn_dsjson(decision.raw)
            return wanted
        lines = _lines(decision)
        wanted = self._command.probabilities(lines)
        if not self._command.is_fixed:
            lines[1 + decision.drawn] = f"0:{-decision.reward}:{decision.propensity} {lines[1 + decision.drawn]}"
            self._command.learn(lines)
        return wanted


def _lines(decision: LoggedDecision) -> list[str]:
    return [
        f"shared |s {' '.join(context_tokens(decision))}",
        *(f"|a {' '.join(_tokens(action))}" for action in decision.actions),
    ]


def _tokens(action: JointAction | str) -> tuple[str, ...]:
    if isinstance(action, JointAction):
        return f"m_{clean(action.message)}", channel_token(action.channel), delay_token(action.delay_s)
    return (f"a_{clean(action)}",)
