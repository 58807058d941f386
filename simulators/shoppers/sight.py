"""Sight: whether and when shoppers see a message that was delivered.

A shopper looks at a share of the messages. The share follows the presence at the arrival: a push that arrives among
active shoppers is looked at, and one that arrives among idle shoppers is swept away with others. After the arrival the
time of presence u (hours of mean presence: see `simulators.shoppers.presence`) passes until the message is seen.
Messages differ in their rates, whose distribution is a gamma distribution with the mean ``per_hour`` and the squared
coefficient of variation ``tail``. The share that is unseen after u is therefore a Pareto distribution of type II
(Lomax, 1954), and an exponential one for a tail of 0:

    (1 + tail · per_hour · u) ** (-1 / tail)        exp(-per_hour · u)

With a rate of 1/3 and a tail of 1, e-mails are opened by 25 / 50 / 67 % after 1 / 3 / 6 hours and by 92 / 98 % after
36 / 168 hours; the published shares are 27 / 50 / 61 % (Inntopia, 4 million e-mails), and 92 / 98 % of the clicks by
the day after the send / the seventh day (10 million e-mails of one shop).
"""

from __future__ import annotations

import numpy as np

from simulators.arrays import FloatArray


def share_unseen(presence: FloatArray, per_hour: FloatArray, tail: FloatArray) -> FloatArray:
    """Return the share of the messages that are unseen after hours of mean presence; the arrays broadcast.

    >>> share_unseen(np.array([3.0]), np.array([1 / 3]), np.array([1.0]))
    array([0.5])
    """
    if not tail.any():
        return np.asarray(np.exp(-per_hour * presence))
    spread = np.where(tail > 0.0, tail, 1.0)
    with_tail = np.log1p(spread * per_hour * presence) / spread
    return np.asarray(np.exp(-np.where(tail > 0.0, with_tail, per_hour * presence)))


def draw_wait(uniform: FloatArray, per_hour: FloatArray, tail: FloatArray) -> FloatArray:
    """Return the hours of mean presence until messages are seen: the inverse of 1 - `share_unseen`.

    >>> draw_wait(np.array([0.5]), np.array([1 / 3]), np.array([1.0]))
    array([3.])
    """
    units = -np.log1p(-uniform)
    long = tail.nonzero()[0]
    spread = tail[long]
    units[long] = np.expm1(spread * units[long]) / spread
    return np.asarray(units / per_hour)


def look_probability(looked: FloatArray, hour_effect: FloatArray, presence: FloatArray) -> FloatArray:
    """Return the probability that a shopper ever looks at a message; the arrays broadcast.

    looked · (1 + hour_effect · (presence - 1)), at most 1. The mean of the presence is 1.

    >>> look_probability(np.array([0.5]), np.array([0.6]), np.array([2.0]))
    array([0.8])
    """
    return np.asarray(np.minimum(looked * (1.0 + hour_effect * (presence - 1.0)), 1.0))
