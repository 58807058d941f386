"""What the learner of the policies `bayes` publishes."""

from __future__ import annotations

from typing import Final

import msgspec

from policies.heads.order_value import OrderValueFit
from policies.heads.snapshot import HeadsSnapshot
from policies.learning.model_learner import read_model
from policies.models.bayes.prices import PriceOfSend

KIND: Final = "bayes"


class BayesSnapshot(msgspec.Struct, frozen=True):
    """A published model version: everything that scoring needs.

    Parameters
    ----------
    learned
        How many interactions were learned.
    heads
        The posterior of the weights of all heads.
    order_value
        Predicts the value of an order.
    complaint_loss
        The mean loss by complaints of a send that costs a consent.
    prices
        What a send costs later.
    """

    learned: int
    heads: HeadsSnapshot
    order_value: OrderValueFit
    complaint_loss: float
    prices: PriceOfSend = PriceOfSend()
    kind: str = KIND

    def to_bytes(self) -> bytes:
        """Return the snapshot as MessagePack; equal snapshots have equal bytes."""
        return msgspec.msgpack.encode(self)

    @classmethod
    def from_bytes(cls, data: bytes) -> BayesSnapshot:
        """Return the snapshot that `to_bytes` wrote.

        Raises
        ------
        ModelMismatch
            When the bytes hold no model, or one of another kind.
        """
        return read_model(data, KIND, cls)
