"""The learning fold: rows of the log → interactions → the model, each position once.

The fold is pure: the same rows in the same order give the same bytes, whether or not the fold was saved and continued
in between.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import msgspec

from policies.catalogue.document import Reward
from policies.learning.attribution import Attribution, AttributionState, Related
from policies.learning.interactions import Interaction
from policies.learning.model_learner import ModelLearner
from policies.learning.windows import Owner, shopper_of_row
from policies.records.model_input import ModelInput
from policies.records.row_mark import mark_of
from policies.records.rows import CatalogueRow, Row

FOLD_VERSION = 2
"""The version of the fold: what another version saved is not continued. A change of what is learned needs another."""

_PROOFS = 2
"""For how many inputs a version is proven before it is published."""

MakeLearner = Callable[[bytes | None], ModelLearner]
"""Makes the learner of a kind of model, from what its `to_bytes` saved, or from nothing."""


class _Version(msgspec.Struct):
    fold_version: int = 1
    """1 is also the version of what was saved before versions were."""


class _Saved(msgspec.Struct):
    position: int
    attribution: AttributionState
    reward: Reward
    kind: str
    model: bytes
    steps: int
    inputs: list[ModelInput]
    mark: str | None
    fold_version: int


class Learning:
    """The state of learning: attribution, and the learner of the model.

    Parameters
    ----------
    related
        Looks up rows by event id in the log that is folded.
    make_learner
        Makes the learner.
    owner
        Brings the rows of one shopper together where shoppers may be erased meanwhile.

    Examples
    --------
    >>> from policies.models.registry import POLICIES
    >>> from policies.records.rows import ClockRow
    >>> learning = Learning(lambda event_ids: {}, POLICIES["bayes"].learning.make_learner)
    >>> learning.fold(1, ClockRow(at=5.0))
    []
    >>> learning.position, learning.learned
    (1, 0)
    """

    def __init__(self, related: Related, make_learner: MakeLearner, owner: Owner = shopper_of_row) -> None:
        self.is_whole = True
        """Whether no row was left half folded; learning that is not whole must not be continued."""
        self.position = 0
        self.steps = 0
        """Interactions and corrections learned: a published version with fewer steps lacks something."""
        self.inputs: deque[ModelInput] = deque(maxlen=_PROOFS)
        """The latest inputs of sends that were learned: a version is proven for them before it is published."""
        self.attribution = Attribution(related, owner=owner)
        self.learner = make_learner(None)
        self._reward = Reward()
        self._last: Row | None = None
        self._saved_mark: str | None = None

    @property
    def learned(self) -> int:
        """How many interactions were learned; corrections are not counted."""
        return self.learner.learned

    @property
    def mark(self) -> str | None:
        """The mark of the row at ``position``; None before the first row."""
        return self._saved_mark if self._last is None else mark_of(self._last)

    def fold(self, position: int, row: Row) -> list[Interaction]:
        """Fold the next row and return the interactions that were learned from it.

        Raises
        ------
        ValueError
            When the row is not the next one: a position is folded exactly once.
        """
        if position != self.position + 1:
            raise ValueError(f"the next position is {self.position + 1}, not {position}")
        self.is_whole = False
        if isinstance(row, CatalogueRow):
            self._reward = Reward.model_validate(row.document.get("reward", {}))
        interactions = [interaction for interaction in self.attribution.advance(position, row) if interaction.teaches]
        for interaction in interactions:
            self._learn(interaction)
        self.position, self._last, self.is_whole = position, row, True
        return interactions

    def _learn(self, interaction: Interaction) -> None:
        self.learner.learn(interaction)
        self.steps += 1
        self.inputs.append(interaction.model_input)

    def publish(self) -> bytes:
        """Return the model as it is published."""
        return self.learner.publish(self._reward)

    def to_bytes(self) -> bytes:
        """Save everything: a fold continued by `from_bytes` gives the same bytes as one that was never saved."""
        saved = _Saved(
            position=self.position,
            attribution=self.attribution.state(),
            reward=self._reward,
            kind=self.learner.kind,
            model=self.learner.to_bytes(),
            steps=self.steps,
            inputs=list(self.inputs),
            mark=self.mark,
            fold_version=FOLD_VERSION,
        )
        return msgspec.msgpack.encode(saved, enc_hook=_plain)

    @classmethod
    def from_bytes(
        cls, data: bytes, related: Related, make_learner: MakeLearner, owner: Owner = shopper_of_row
    ) -> Learning:
        """Read back what `to_bytes` saved.

        Raises
        ------
        ValueError
            When another version of the fold saved it, or it holds what another kind of learner has learned.
        """
        version = msgspec.msgpack.decode(data, type=_Version).fold_version
        if version != FOLD_VERSION:
            raise ValueError(f"version {version} of the fold saved it, and this is version {FOLD_VERSION}")
        saved = msgspec.msgpack.decode(data, type=_Saved, dec_hook=_rich)
        learning = cls(related, make_learner, owner)
        if saved.kind != learning.learner.kind:
            raise ValueError(f"it is of the learner {saved.kind!r}, and this is the learner {learning.learner.kind!r}")
        learning.position, learning.steps = saved.position, saved.steps
        learning.inputs.extend(saved.inputs)
        learning.attribution = Attribution(related, saved.attribution, owner)
        learning.learner = make_learner(saved.model)
        learning._reward, learning._saved_mark = saved.reward, saved.mark
        return learning


def _plain(value: object) -> object:
    if isinstance(value, Reward):
        return value.model_dump()
    raise NotImplementedError(f"{type(value)} cannot be saved")


def _rich(wanted: type, value: object) -> object:
    return Reward.model_validate(value) if wanted is Reward else value
