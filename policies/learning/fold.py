"""The learning fold: rows of the log → interactions → the model, each position once.

The fold is pure: the same rows in the same order give the same bytes, whether or not the fold was saved and continued
in between.
"""

from __future__ import annotations

from collections import deque

import msgspec

from policies.catalogue.document import Reward
from policies.learning.attribution import Attribution, AttributionState, Related
from policies.learning.interactions import Interaction
from policies.learning.windows import Owner, shopper_of_row
from policies.models.compiled import ModelSnapshot
from policies.models.features import example_text
from policies.models.learned import unlearned_worth
from policies.models.vw import OPTIONS, TwoHeads
from policies.records.row_mark import mark_of
from policies.records.rows import CatalogueRow, Context, Row, Scalar

FOLD_VERSION = 1
"""The version of the fold: what another version saved is not continued. A change of what is learned needs another."""

_PRIOR_GAINS = 10.0
"""How many positive outcomes the prior of a worth counts for."""

_PROOFS = 2
"""How many contexts a version is proven on before it is published."""


class Mean(msgspec.Struct, frozen=True, array_like=True):
    """A mean that can be corrected."""

    count: float = 0.0
    total: float = 0.0

    def plus(self, value: float, count: float = 1.0) -> Mean:
        """Add a value, or take one back with ``count`` -1."""
        return Mean(self.count + count, self.total + count * value)

    def towards(self, prior: float) -> float:
        """Return the mean shrunk towards a prior."""
        return (self.total + _PRIOR_GAINS * prior) / (self.count + _PRIOR_GAINS)


class _Saved(msgspec.Struct):
    position: int
    learned: int
    attribution: AttributionState
    gains: dict[str, Mean]
    complaint_loss: Mean
    reward: Reward
    heads: bytes
    steps: int = 0
    contexts: list[dict[str, Scalar]] = []
    mark: str | None = None
    fold_version: int = 1
    """1 is also the version of what was saved before versions were."""


class Learning:
    """The state of learning: attribution, the two heads, and what outcomes are worth.

    Parameters
    ----------
    related
        Looks up rows by event id in the log that is folded.
    owner
        Brings the rows of one shopper together where shoppers may be erased meanwhile.

    Examples
    --------
    >>> from policies.records.rows import ClockRow
    >>> learning = Learning(lambda event_ids: {})
    >>> learning.fold(1, ClockRow(at=5.0))
    []
    >>> learning.position, learning.learned
    (1, 0)
    """

    def __init__(self, related: Related, owner: Owner = shopper_of_row) -> None:
        self.is_whole = True
        """Whether no row was left half folded; learning that is not whole must not be continued."""
        self.position = 0
        self.learned = 0
        self.steps = 0
        """Interactions and corrections learned: a published version with fewer steps lacks something."""
        self.contexts: deque[Context] = deque(maxlen=_PROOFS)
        """The latest contexts that were learned from: a version is proven on them before it is published."""
        self.attribution = Attribution(related, owner=owner)
        self.heads = TwoHeads()
        self._gains: dict[str, Mean] = {}
        self._complaint_loss = Mean()
        self._reward = Reward()
        self._last: Row | None = None
        self._saved_mark: str | None = None

    @property
    def mark(self) -> str | None:
        """The mark of the row at ``position``; None before the first row, and where an earlier version saved none."""
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
        result, before = interaction.result, interaction.before
        text = example_text(interaction.context, interaction.action, interaction.category)
        self.heads.learn(text, positive=result.is_positive, opted_out=result.opted_out)
        for message in ("", interaction.action.message):
            mean = self._gains.get(message, Mean())
            if before is not None and before.is_positive:
                mean = mean.plus(before.gain, -1.0)
            self._gains[message] = mean.plus(result.gain) if result.is_positive else mean
        if before is not None and before.opted_out:
            self._complaint_loss = self._complaint_loss.plus(before.complaint_loss, -1.0)
        if result.opted_out:
            self._complaint_loss = self._complaint_loss.plus(result.complaint_loss)
        self.learned += before is None
        self.steps += 1
        self.contexts.append(interaction.context)

    def snapshot(self) -> ModelSnapshot:
        """Return the model as it is published."""
        positive, out = self.heads.weights()
        overall = self._gains.get("", Mean()).towards(unlearned_worth(self._reward))
        return ModelSnapshot(
            options=OPTIONS,
            learned=self.learned,
            positive=(positive.indices.tobytes(), positive.values.tobytes()),
            out=(out.indices.tobytes(), out.values.tobytes()),
            worth={message: mean.towards(overall) for message, mean in sorted(self._gains.items())} | {"": overall},
            complaint_loss=self._complaint_loss.towards(0.0),
        )

    def to_bytes(self) -> bytes:
        """Save everything: a fold continued by `from_bytes` gives the same bytes as one that was never saved."""
        saved = _Saved(
            position=self.position,
            learned=self.learned,
            attribution=self.attribution.state(),
            gains=dict(sorted(self._gains.items())),
            complaint_loss=self._complaint_loss,
            reward=self._reward,
            heads=self.heads.to_bytes(),
            steps=self.steps,
            contexts=[dict(context) for context in self.contexts],
            mark=self.mark,
            fold_version=FOLD_VERSION,
        )
        return msgspec.msgpack.encode(saved, enc_hook=_plain)

    @classmethod
    def from_bytes(cls, data: bytes, related: Related, owner: Owner = shopper_of_row) -> Learning:
        """Read back what `to_bytes` saved.

        Raises
        ------
        ValueError
            When another version of the fold saved it.
        """
        saved = msgspec.msgpack.decode(data, type=_Saved, dec_hook=_rich)
        if saved.fold_version != FOLD_VERSION:
            raise ValueError(f"version {saved.fold_version} of the fold saved it, and this is version {FOLD_VERSION}")
        learning = cls(related, owner)
        learning.position, learning.learned, learning.steps = saved.position, saved.learned, saved.steps
        learning.contexts.extend(saved.contexts)
        learning.attribution = Attribution(related, saved.attribution, owner)
        learning.heads = TwoHeads.from_bytes(saved.heads)
        learning._gains, learning._complaint_loss = saved.gains, saved.complaint_loss
        learning._reward, learning._saved_mark = saved.reward, saved.mark
        return learning


def _plain(value: object) -> object:
    if isinstance(value, Reward):
        return value.model_dump()
    raise NotImplementedError(f"{type(value)} cannot be saved")


def _rich(wanted: type, value: object) -> object:
    return Reward.model_validate(value) if wanted is Reward else value
