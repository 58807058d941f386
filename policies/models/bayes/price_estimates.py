"""What a send spoils for later sends, learned from decisions: the price of load, and what a consent still earns.

A price is a difference of the model's own best scores, times the number of later decisions that feel the difference.
No outcome is needed: for a decision that was made, the model says what its best send is worth, what the best send would
be worth if the shopper had felt one send more, and what the best send is worth without one of the channels.

How many later decisions feel a send? The load of a shopper is the number of earlier sends, each faded as by now. So the
sum of the loads at all decisions counts each send once for every later decision, faded as at that decision. Divided by
the number of sends, the sum is the number of later decisions that feel a send, `PriceSums.felt_decisions`.

References
----------
Yancey & Settles (2020), A sleeping, recovering bandit algorithm for optimizing recurring notifications (recovery after
a send). The finite difference of a model's own values stands for the slow value of Agarwal et al. (2014), Budget pacing
for targeted online advertisements at LinkedIn, whose prices are duals of constraints.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import msgspec
import numpy as np

from policies.arrays import BoolArray, FloatArray
from policies.catalogue.rulebook import Rulebook
from policies.models.bayes.prices import PriceOfSend, growth
from policies.records.arms import HOLDOUT
from policies.records.model_input import ModelInput
from policies.records.reasons import Reason
from policies.records.rows import DecisionRow, unpack
from policies.shopper.history import LOAD_HALF_LIFE_S
from policies.shopper.model_inputs import numbers_in, trigger_input

CONSENT_WEEKS = 26.0
"""How long a consent may earn; shoppers stay away for good, so of the sum over the weeks `_LASTING` is earned."""
_LASTING = 0.5
_WEEK_S = 7 * 86_400.0
_KEPT = 0.95
"""The part of the sums that is kept when a group of decisions is added: the model gets better, so older ones fade."""
_NO_ANSWER = (Reason.not_a_candidate, Reason.no_content, Reason.excluded_by_caller, Reason.expired)
"""Of a send with one of these verdicts the row does not say whether the shopper consents to the channel."""
_PRIOR_DECISIONS = 100.0
"""For how many decisions the catalogue's consent value counts."""


class PricedDecision(msgspec.Struct, frozen=True, array_like=True):
    """A decision from which prices are learned.

    Parameters
    ----------
    model_input
        What the model saw.
    eligible
        The numbers of the sends that the rules allowed.
    used, refused
        The channels of the messages that answer the trigger, and those of them without the shopper's consent.
    was_sent
        Whether a send was delivered.
    """

    model_input: ModelInput
    eligible: tuple[int, ...]
    used: tuple[str, ...]
    refused: tuple[str, ...]
    was_sent: bool

    @classmethod
    def of(cls, row: DecisionRow, rulebook: Rulebook) -> PricedDecision | None:
        """Return the decision of a row; None where the row does not say enough.

        Of several triggers the row does not say which send would have answered which; without numbers about the shopper
        the load is not known; critical sends are not for the policy to price; and a shopper of the holdout arm gets no
        send, whatever she consents to.
        """
        if (
            row.arm == HOLDOUT
            or len(row.triggers) != 1
            or row.triggers[0].critical
            or row.numbers is None
            or not row.verdicts
        ):
            return None
        verdicts, space = unpack(row.verdicts, np.uint8), rulebook.space
        if len(verdicts) != len(space):
            return None
        used = np.unique(space.channel_of[~np.isin(verdicts, _NO_ANSWER)]).tolist()
        refused = np.unique(space.channel_of[verdicts == Reason.no_consent]).tolist()
        return cls(
            trigger_input(row.context, numbers_in(row), row.triggers[0], row.event_id),
            tuple(np.flatnonzero(verdicts == Reason.eligible).tolist()),
            tuple([space.channels[number] for number in used]),
            tuple([space.channels[number] for number in refused]),
            row.is_delivered,
        )


class ConsentSums(msgspec.Struct, frozen=True, array_like=True):
    """Of one channel, over decisions.

    Parameters
    ----------
    used
        How many decisions had a message for the channel.
    held
        How many of these were for shoppers with consent to the channel.
    loss
        What the best scores of the latter lose without the channel.
    """

    used: float = 0.0
    held: float = 0.0
    loss: float = 0.0


class PriceSums(msgspec.Struct, frozen=True):
    """Sums over decisions, the older ones faded.

    Parameters
    ----------
    decisions, sends
        How many, and how many of them sent something.
    load, growth
        The loads at the decisions, and their growths g (see `PriceOfSend`).
    load_loss
        What one more send in the load would have cost the best scores.
    consents
        By channel.
    """

    decisions: float = 0.0
    sends: float = 0.0
    load: float = 0.0
    growth: float = 0.0
    load_loss: float = 0.0
    consents: dict[str, ConsentSums] = {}

    @property
    def felt_decisions(self) -> float:
        """How many later decisions feel a send, each counted by what is left of the send's load."""
        return self.load / self.sends if self.sends > 0.0 else 0.0

    def price_of_load(self) -> float:
        """Return ν: what a send at a load with g = 1 costs the later sends.

        >>> PriceSums(decisions=100.0, sends=20.0, load=100.0, growth=50.0, load_loss=1.0).price_of_load()
        0.1
        """
        return max(0.0, self.load_loss) / self.growth * self.felt_decisions if self.growth > 0.0 else 0.0

    def consent_value(self, channel: str, prior: float) -> float:
        """Return what a consent to a channel still earns, shrunk towards a prior; without any send the prior."""
        sums = self.consents.get(channel, ConsentSums())
        if not self.sends:
            return prior
        a_week: float = self.felt_decisions * math.log(2.0) / LOAD_HALF_LIFE_S * _WEEK_S * sums.used / self.decisions
        earned = sums.loss * a_week * CONSENT_WEEKS * _LASTING
        return (earned + _PRIOR_DECISIONS * prior) / (sums.held + _PRIOR_DECISIONS)

    def prices(self, consent_value: float) -> PriceOfSend:
        """Return the prices; ``consent_value`` is the catalogue's."""
        consents = {channel: self.consent_value(channel, consent_value) for channel in self.consents}
        return PriceOfSend(load=self.price_of_load(), consents=consents)

    def plus(
        self, decisions: Sequence[PricedDecision], scores: FloatArray, tired: FloatArray, rulebook: Rulebook
    ) -> PriceSums:
        """Return the sums with a group of decisions added.

        Parameters
        ----------
        decisions
            The group (r).
        scores, tired
            (r, n), the scores of all sends, and the scores with one more send in the load.
        rulebook
            The catalogue version that all of them were decided with.
        """
        eligible = np.zeros(scores.shape, dtype=np.bool_)
        for row, decision in enumerate(decisions):
            eligible[row, list(decision.eligible)] = True
        best, loads = _best(scores, eligible), np.array([_load(decision) for decision in decisions])
        return PriceSums(
            decisions=_KEPT * self.decisions + len(decisions),
            sends=_KEPT * self.sends + sum(decision.was_sent for decision in decisions),
            load=_KEPT * self.load + float(np.sum(loads)),
            growth=_KEPT * self.growth + float(np.sum(growth(loads))),
            load_loss=_KEPT * self.load_loss + float(np.sum(best - _best(tired, eligible))),
            consents={
                **self.consents,
                **{
                    channel: self._plus_consents(channel, decisions, best - without)
                    for channel, without in _without_each_channel(scores, eligible, rulebook)
                },
            },
        )

    def _plus_consents(self, channel: str, decisions: Sequence[PricedDecision], losses: FloatArray) -> ConsentSums:
        sums = self.consents.get(channel, ConsentSums())
        used = [channel in decision.used for decision in decisions]
        held = [of_all and channel not in decision.refused for of_all, decision in zip(used, decisions, strict=True)]
        return ConsentSums(
            _KEPT * sums.used + sum(used),
            _KEPT * sums.held + sum(held),
            _KEPT * sums.loss + float(np.sum(losses[held])),
        )


def _without_each_channel(
    scores: FloatArray, eligible: BoolArray, rulebook: Rulebook
) -> Iterator[tuple[str, FloatArray]]:
    """Yield each channel, and the best scores (r,) without the channel."""
    for number, channel in enumerate(rulebook.space.channels):
        yield channel, _best(scores, eligible & (rulebook.space.channel_of != number))


def _best(scores: FloatArray, eligible: BoolArray) -> FloatArray:
    """Return the best score of each row (r,): that of a send, or 0 for HOLD."""
    return np.asarray(np.max(np.where(eligible, scores, 0.0), axis=1, initial=0.0))


def _load(decision: PricedDecision) -> float:
    loads = decision.model_input.numbers.load
    return loads[0] if loads else 0.0


def tire(model_input: ModelInput) -> ModelInput:
    """Return what the model would see if the shopper felt one send more."""
    numbers = model_input.numbers
    loads = tuple(load + 1.0 for load in numbers.load)
    return model_input._replace(numbers=msgspec.structs.replace(numbers, load=loads))
