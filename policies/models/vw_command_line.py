"""A contextual bandit of Vowpal Wabbit by its command line: the second door, for evaluation only.

It gives probabilities for examples that others write, and can learn from logged ones. The service never uses it:
its own model and exploration are apart (`vw_heads`, `exploration`).
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

import numpy as np
from vowpal_wabbit_next import DSJsonFormatParser, PredictionType, TextFormatParser, Workspace

from policies.arrays import FloatArray


class VwRefused(ValueError):
    """A command line that is no contextual bandit with probabilities."""


class VwCommand:
    """A workspace made by a command line such as ``--cb_explore_adf --epsilon 0.1 -q sa``.

    Parameters
    ----------
    command
        The options; `split` takes ``-i FILE`` out of them, as files are not read here.
    model
        A saved model: it then stays as it is (`is_fixed`); without, it may learn.

    Raises
    ------
    VwRefused
        When Vowpal Wabbit does not take the command line, or it gives no probabilities.

    Examples
    --------
    >>> command = VwCommand("--cb_explore_adf --epsilon 0.2")
    >>> command.probabilities(["shared |s new", "|a x", "|a y"])
    array([0.5, 0.5])
    """

    def __init__(self, command: str, model: bytes | None = None) -> None:
        self.is_fixed = model is not None
        try:
            self._workspace: Workspace[Any] = Workspace(["--quiet", *shlex.split(command)], model_data=model)
        except (RuntimeError, ValueError) as error:
            raise VwRefused(f"Vowpal Wabbit refuses {command!r}: {error}") from error
        if self._workspace.prediction_type != PredictionType.ActionProbs:
            raise VwRefused(f"{command!r} gives no probabilities: use --cb_explore_adf")
        self._text = TextFormatParser(self._workspace)
        self._dsjson = DSJsonFormatParser(self._workspace)

    def probabilities(self, lines: Sequence[str]) -> FloatArray:
        """Predict for an example in VW's text format, the shared line first: (K,) in the order of the others."""
        return self._predicted([self._text.parse_line(line) for line in lines])

    def probabilities_of_dsjson(self, event: str) -> FloatArray:
        """Predict for a logged event in dsjson: (K,) in the order of its ``_multi``."""
        return self._predicted(self._dsjson.parse_json(event))

    def learn(self, lines: Sequence[str]) -> None:
        """Learn from an example in text format that carries a label."""
        self._workspace.learn_one([self._text.parse_line(line) for line in lines])

    def learn_dsjson(self, event: str) -> None:
        """Learn from a logged event."""
        self._workspace.learn_one(self._dsjson.parse_json(event))

    def _predicted(self, example: Any) -> FloatArray:
        ranked: Any = self._workspace.predict_one(example)
        found = np.zeros(len(ranked))
        for action, probability in ranked:
            found[action] = probability
        return np.asarray(found / found.sum(), dtype=np.float64)  # VW's are float32


def split(command: str) -> tuple[str, str | None]:
    """Part a command line into the options and the file of its ``-i``.

    >>> split("--cb_explore_adf -i best.vw --epsilon 0.1")
    ('--cb_explore_adf --epsilon 0.1', 'best.vw')
    """
    arguments = shlex.split(command)
    for place, argument in enumerate(arguments):
        if argument in ("-i", "--initial_regressor"):
            if place + 1 == len(arguments):
                raise VwRefused(f"{argument} needs a file")
            return shlex.join([*arguments[:place], *arguments[place + 2 :]]), arguments[place + 1]
    return shlex.join(arguments), None
