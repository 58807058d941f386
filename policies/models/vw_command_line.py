"""A contextual bandit of Vowpal Wabbit by its command line, for offline evaluation only.

It returns probabilities for examples that others write, and can learn from logged examples. The service never uses it:
the service has its own model and exploration (`policies.models.vw`, `policies.explorations`).
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from policies.arrays import FloatArray
from policies.models.vw import import_vw

if TYPE_CHECKING:
    from vowpal_wabbit_next import Workspace


class VwRefused(ValueError):
    """The command line makes no contextual bandit with probabilities."""


class VwCommand:
    """A workspace made by a command line such as ``--cb_explore_adf --epsilon 0.1 -q sa``.

    Parameters
    ----------
    command
        The options; `split` takes ``-i FILE`` out of them, as files are not read here.
    model
        A saved model, which then never changes (`is_fixed`). Without a saved model the workspace may learn.

    Raises
    ------
    VwRefused
        When Vowpal Wabbit refuses the command line, or predicts no probabilities with it.
    VwMissing
        When Vowpal Wabbit is not installed.

    Examples
    --------
    >>> command = VwCommand("--cb_explore_adf --epsilon 0.2")
    >>> command.probabilities(["shared |s new", "|a x", "|a y"])
    array([0.5, 0.5])
    """

    def __init__(self, command: str, model: bytes | None = None) -> None:
        self.is_fixed = model is not None
        vw = import_vw()
        try:
            self._workspace: Workspace[Any] = vw.Workspace(["--quiet", *shlex.split(command)], model_data=model)
        except (RuntimeError, ValueError) as error:
            raise VwRefused(f"Vowpal Wabbit refuses {command!r}: {error}") from error
        if self._workspace.prediction_type != vw.PredictionType.ActionProbs:
            raise VwRefused(f"{command!r} gives no probabilities: use --cb_explore_adf")
        if not self._workspace.multiline:
            raise VwRefused(f"{command!r} chooses among a fixed number of actions: use --cb_explore_adf")
        self._text = vw.TextFormatParser(self._workspace)
        self._dsjson = vw.DSJsonFormatParser(self._workspace)

    def probabilities(self, lines: Sequence[str]) -> FloatArray:
        """Return the probabilities (K,) of an example in VW's text format, in the order of the lines.

        The first line is the shared line; the others are the actions.
        """
        return self._predict([self._text.parse_line(line) for line in lines])

    def probabilities_of_dsjson(self, event: str) -> FloatArray:
        """Return the probabilities (K,) of a logged event in dsjson, in the order of its ``_multi``."""
        return self._predict(self._dsjson.parse_json(event))

    def learn(self, lines: Sequence[str]) -> None:
        """Learn from an example in text format that carries a label."""
        self._workspace.learn_one([self._text.parse_line(line) for line in lines])

    def learn_dsjson(self, event: str) -> None:
        """Learn from a logged event."""
        self._workspace.learn_one(self._dsjson.parse_json(event))

    def _predict(self, example: Any) -> FloatArray:
        """Return the probabilities of an example.

        Raises
        ------
        VwRefused
            When Vowpal Wabbit fails.
        """
        try:
            ranked: Any = self._workspace.predict_one(example)
        except RuntimeError as error:
            raise VwRefused(f"Vowpal Wabbit fails: {error}") from error
        probabilities = np.zeros(len(ranked))
        for action, probability in ranked:
            probabilities[action] = probability
        return np.asarray(probabilities / probabilities.sum(), dtype=np.float64)  # VW's are float32


def split(command: str) -> tuple[str, str | None]:
    """Split a command line into the options and the file of its ``-i``, None without one.

    >>> split("--cb_explore_adf -i best.vw --epsilon 0.1")
    ('--cb_explore_adf --epsilon 0.1', 'best.vw')
    """
    arguments = shlex.split(command)
    for index, argument in enumerate(arguments):
        if argument in ("-i", "--initial_regressor"):
            if index + 1 == len(arguments):
                raise VwRefused(f"{argument} needs a file")
            return shlex.join([*arguments[:index], *arguments[index + 2 :]]), arguments[index + 1]
    return shlex.join(arguments), None
