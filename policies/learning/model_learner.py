"""The port of the learners: interactions in, models out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol, TypeVar

import msgspec

from policies.catalogue.action_space import ActionSpace
from policies.catalogue.document import Reward
from policies.catalogue.rulebook import Rulebook
from policies.learning.interactions import Interaction
from policies.records.model_input import ModelInput
from policies.records.rows import DecisionRow

FIRST_KIND = "two_heads"
"""The kind of the models that were published before a model said its kind."""


class ModelMismatch(ValueError):
    """The model cannot be scored correctly by this code; the message names the difference."""


_Model = TypeVar("_Model")


class _Published(msgspec.Struct):
    kind: str = FIRST_KIND


def read_model(payload: bytes, kind: str, model: type[_Model]) -> _Model:
    """Return a published model, a MessagePack map with a ``kind``.

    Raises
    ------
    ModelMismatch
        Naming both kinds where the model is of another one, or when the bytes hold no model.
    """
    try:
        theirs = msgspec.msgpack.decode(payload, type=_Published).kind
        if theirs != kind:
            raise ModelMismatch(f"the model is of the kind {theirs!r}, here it is {kind!r}")
        return msgspec.msgpack.decode(payload, type=model)
    except msgspec.MsgspecError as error:
        raise ModelMismatch(f"these bytes are no model: {error}") from None


class ModelLearner(Protocol):
    """Learns from interactions, one after the other, and makes the models that are published.

    The same interactions in the same order give the same bytes, whether or not the learner was saved in between.
    ``kind`` is written into what is saved and into what is published: another kind of learner does not go on from
    there, and another kind of model is not scored.
    """

    kind: ClassVar[str]

    @property
    def learned(self) -> int:
        """How many interactions were learned; corrections are not counted."""
        ...

    def learn(self, interaction: Interaction) -> None:
        """Learn an interaction; one with ``before`` is a correction of what was learned of the same send."""
        ...

    def see(self, row: DecisionRow, rulebook: Rulebook) -> None:
        """See a decision by the catalogue in force, whatever was decided; ``rulebook`` is of this catalogue."""
        ...

    def publish(self, reward: Reward) -> bytes:
        """Return the model as it is published; ``reward`` are the weights of the catalogue in force."""
        ...

    def prove(self, payload: bytes, space: ActionSpace, inputs: Sequence[ModelInput]) -> None:
        """Prove that a published model scores the sends of a space as the learner itself would, for some inputs.

        The learner stays as it is.

        Raises
        ------
        ModelMismatch
            When the model may not be published.
        """
        ...

    def to_bytes(self) -> bytes:
        """Return everything that was learned: the learner that is made from it goes on to the same bytes."""
        ...
