"""The learner of the policies `bayes`: the Bayesian heads, the value of orders, and the loss by complaints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import msgspec
import numpy as np

from policies.catalogue.action_space import ActionSpace
from policies.catalogue.document import Reward
from policies.heads.learner import HeadsLearner
from policies.heads.order_value import OrderValues
from policies.heads.posterior import CompiledHeads
from policies.heads.snapshot import HeadsSnapshot
from policies.heads.tables import HEADS
from policies.learning.interactions import Interaction
from policies.learning.mean import Mean
from policies.learning.model_learner import ModelMismatch
from policies.models.bayes.input_features import features_of
from policies.models.bayes.observations import find_order, is_of_machine, observe
from policies.models.bayes.snapshot import KIND, BayesSnapshot
from policies.records.model_input import ModelInput

_TOLERANCE = 1e-9
"""The compiled heads add the same float64 numbers in another order."""


class _Saved(msgspec.Struct):
    learned: int
    heads: HeadsSnapshot
    orders: OrderValues
    complaint_loss: Mean


class BayesLearner:
    """Learns what each head observes of a send, and the values of orders.

    A correction takes back what was learned of the send and learns what is known now: see `HeadsLearner.learn` and
    `OrderValues.replace`. Sends to shoppers for whom a machine seems to answer count as learned, and teach nothing.

    Parameters
    ----------
    saved
        What `to_bytes` returned; None for a learner that has learned nothing.
    """

    kind: ClassVar[str] = KIND

    def __init__(self, saved: bytes | None = None) -> None:
        self._learned, self._heads, self._orders, self._complaint_loss = 0, HeadsLearner(), OrderValues(), Mean()
        if saved is not None:
            state = msgspec.msgpack.decode(saved, type=_Saved)
            self._learned, self._heads = state.learned, HeadsLearner.of(state.heads)
            self._orders, self._complaint_loss = state.orders, state.complaint_loss

    @property
    def learned(self) -> int:
        """How many interactions were learned; corrections are not counted."""
        return self._learned

    def learn(self, interaction: Interaction) -> None:
        """Learn an interaction, or correct what was learned."""
        self._learned += interaction.before is None
        if is_of_machine(interaction):
            return
        result, before, action = interaction.result, interaction.before, interaction.action
        features = features_of(interaction.model_input, interaction.delays_s)
        send = self._heads.find_weights(features, action, interaction.category)
        self._heads.learn(send, observe(result), observe(before))
        price = interaction.model_input.price
        self._orders = self._orders.replace(
            find_order(before, action.message, price), find_order(result, action.message, price)
        )
        if before is not None and before.opted_out:
            self._complaint_loss = self._complaint_loss.plus(before.complaint_loss, -1.0)
        if result.opted_out:
            self._complaint_loss = self._complaint_loss.plus(result.complaint_loss)

    def publish(self, reward: Reward) -> bytes:
        """Return the model as it is published."""
        fit = self._orders.fit(typical_order(reward))
        loss = self._complaint_loss.towards(0.0)
        return BayesSnapshot(self._learned, self._heads.snapshot(), fit, loss).to_bytes()

    def prove(self, payload: bytes, space: ActionSpace, inputs: Sequence[ModelInput]) -> None:
        """Prove that a published model expects the probabilities that the learner does, for every send and input.

        Raises
        ------
        ModelMismatch
            Naming the send and the head.
        """
        snapshot = BayesSnapshot.from_bytes(payload)
        heads, requests = HeadsLearner.of(self._heads.snapshot()), [features_of(one, space.delays_s) for one in inputs]
        served = CompiledHeads(snapshot.heads, space).posterior(requests).probabilities()
        for row, features in enumerate(requests):
            for number in range(len(space)):
                category = space.categories[space.message_of[number]]
                expected = heads.learn(heads.find_weights(features, space[number], category), {})
                for table in HEADS:
                    ours, theirs = served[table.name].spread()[row, 0, number], expected[table.name]
                    if not np.isclose(ours, theirs, rtol=_TOLERANCE, atol=0.0):
                        raise ModelMismatch(f"{space[number]}, {table.name}: compiled {ours}, learned {theirs}")

    def to_bytes(self) -> bytes:
        """Return everything that was learned."""
        saved = _Saved(self._learned, self._heads.snapshot(), self._orders, self._complaint_loss)
        return msgspec.msgpack.encode(saved)


def typical_order(reward: Reward) -> float:
    """Return the value of an order before any order is known: half of what the most that a reward can be pays for.

    A shop sets this limit above its usual orders. A few orders outweigh the guess.

    >>> typical_order(Reward(margin=0.25, max=20.0))
    40.0
    """
    return 0.5 * reward.max / reward.margin if reward.margin > 0.0 else 1.0
