"""The figures of a finished run: few enough to keep them in a file, and all that the tables need."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import msgspec


class ReactionSums(msgspec.Struct, frozen=True):
    """Clicks, or opt-outs and complaints, of some sends.

    Attributes
    ----------
    predicted
        Sum of the probabilities that the policy predicted; None if it predicted none.
    expected
        Sum of the true probabilities when the messages were seen; 0 for messages that nobody saw.
    realised
        How many there were.
    """

    predicted: float | None = None
    expected: float = 0.0
    realised: int = 0

    def plus(self, other: ReactionSums) -> ReactionSums:
        predicted = [one.predicted for one in (self, other) if one.predicted is not None]
        return ReactionSums(
            sum(predicted) if predicted else None, self.expected + other.expected, self.realised + other.realised
        )

    @property
    def predicted_to_expected(self) -> float | None:
        """Predicted ÷ true; None where one of them is not known, or the true sum is 0."""
        return None if self.predicted is None or self.expected <= 0.0 else self.predicted / self.expected


class SendSums(msgspec.Struct, frozen=True):
    """Some delivered sends. The reactions are those of the ``watched`` ones: the run did not end before their time."""

    sends: int = 0
    watched: int = 0
    clicks: ReactionSums = ReactionSums()
    withdrawals: ReactionSums = ReactionSums()

    def plus(self, other: SendSums) -> SendSums:
        return SendSums(
            self.sends + other.sends,
            self.watched + other.watched,
            self.clicks.plus(other.clicks),
            self.withdrawals.plus(other.withdrawals),
        )


class SendCell(msgspec.Struct, frozen=True):
    """The sends of the last third on one channel, with one delay, to shoppers of one load bucket (`LOAD_EDGES`)."""

    channel: str
    delay_s: int
    load: int
    sums: SendSums


def group_cells(cells: Iterable[SendCell], *fields: str) -> dict[tuple[str | int, ...], SendSums]:
    """Return the sums by some fields of the cells, in their order.

    >>> cells = [SendCell("sms", 0, load, SendSums(sends=2)) for load in (1, 0)]
    >>> {key: sums.sends for key, sums in group_cells(cells, "channel").items()}
    {('sms',): 4}
    """
    groups: dict[tuple[str | int, ...], SendSums] = defaultdict(SendSums)
    for cell in cells:
        key = tuple(getattr(cell, field) for field in fields)
        groups[key] = groups[key].plus(cell.sums)
    return dict(sorted(groups.items()))


class FinishedRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run of one contender in one world with one seed.

    Attributes
    ----------
    shoppers
        The number of shoppers.
    cpu_s
        Processor time of the run.
    values
        By week, per shopper: expected margin minus the worth of the consents lost in expectation. The value without
        sends is not subtracted.
    realised
        By week, per shopper: the margin of the orders that came, minus costs.
    sends
        Delivered sends by the week in which they were due.
    withdrawals, withdrawals_realised
        Opt-outs and complaints by the week in which the message was seen: the sum of the true probabilities, and how
        many there were.
    reach
        Share of the consents that shoppers gave and that are still given at the end.
    cells
        The sends of the last third.
    slopes
        Head (``click``, ``out``) → calibration slope over the sends of the last third: see `calibration_slope`.
    uniform_slopes
        The same over one eligible send of each decision, drawn uniformly: see `UniformProbe`.
    decide_us, learn_us
        Processor time per decision, and of learning per decision; None where it is not measured.
    """

    shoppers: int
    cpu_s: float
    values: list[float]
    realised: list[float]
    sends: list[int]
    withdrawals: list[float]
    withdrawals_realised: list[int]
    reach: float
    cells: list[SendCell] = []
    slopes: dict[str, float] = {}
    uniform_slopes: dict[str, float] = {}
    decide_us: float | None = None
    learn_us: float | None = None
