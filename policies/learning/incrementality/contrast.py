"""The contrast between sends and holds: how many orders the sends have brought, with an interval.

Of the sends that were drawn, S orders were dated in their windows, and D orders were credited to them there. Had they
been held, the shopper would have ordered all the same in some of these windows. The drawn HOLDs tell how often: each of
them has weights w = p(a) / p(HOLD) for the sends a that could have been drawn in its place
(`exposures.exposure_of`), and the number y of orders in the window that a would have had. With n sends

    incremental orders  I = S - n · Σ w·y / Σ w
    factor              f = I / D

The weighted mean is the self-normalised (Hájek) estimate of the mean over the drawn sends: the weights are the odds of
the treatment, as for an average effect on the treated (Hirano, Imbens and Ridder, 2003; Owen, 2013, chapter 9). The
propensities are known, so nothing is modelled. Every drawn send counts, also one that did not leave in the end, because
a HOLD does not say whether its send would have left.

The decisions of one shopper are not independent, so the shoppers are the units of the variance: with x the sums of one
shopper, and g the gradient of the estimate at the sums of all, var = K / (K - 1) · Σ (g·x - mean g·x)² over K shoppers.
Few orders during HOLDs tell little about their own variance, and none tell nothing: so the variance has one more such
order, of the usual weight Σ w² / Σ w and the mean value.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np

from policies.arrays import FloatArray

_SENDS, _ORDERS, _REVENUE, _CREDITED, _CREDITED_REVENUE, _HELD, _HELD_ORDERS, _HELD_REVENUE, _HELD_SQUARES = range(9)
_OF_HOLDS = {_ORDERS: _HELD_ORDERS, _REVENUE: _HELD_REVENUE}
SIZE = 9
"""How many sums a shopper has: see `ShopperSums`."""

PRIOR_ORDERS = 30.0
"""How many orders the catalogue's ``view_through`` counts for in a factor."""

_Z = NormalDist().inv_cdf(0.975)


class ShopperSums:
    """The sums of one shopper: sends, their orders and credits, and the weighted holds with their orders."""

    def __init__(self) -> None:
        self.values = [0.0] * SIZE

    def add_send(self, orders: tuple[int, float], credited: tuple[int, float]) -> None:
        """Add a send with the number and the value of the orders in its window, and of those credited to it."""
        for place, addend in enumerate((1.0, *orders, *credited)):
            self.values[place] += addend

    def add_hold(self, weight: float, orders: tuple[int, float]) -> None:
        """Add the window of a HOLD with its weight, and the number and the value of the orders in the window."""
        count, value = orders
        for place, addend in enumerate((weight, weight * count, weight * value, weight * weight), start=_HELD):
            self.values[place] += addend


@dataclass(frozen=True)
class Estimate:
    """An estimate with its 95 % interval."""

    value: float
    low: float
    high: float


class Contrast:
    """Sums over shoppers, which can be merged."""

    def __init__(self) -> None:
        self.shoppers = 0
        self._sums = np.zeros(SIZE)
        self._products = np.zeros((SIZE, SIZE))

    def add(self, sums: ShopperSums) -> None:
        """Add a shopper."""
        values = np.array(sums.values)
        self.shoppers += 1
        self._sums += values
        self._products += np.multiply.outer(values, values)

    def __add__(self, other: Contrast) -> Contrast:
        """Return the contrast of the shoppers of both; they must be different shoppers."""
        merged = Contrast()
        merged.shoppers = self.shoppers + other.shoppers
        merged._sums = self._sums + other._sums
        merged._products = self._products + other._products
        return merged

    @property
    def sends(self) -> int:
        """How many sends were drawn."""
        return round(self._sums.item(_SENDS))

    @property
    def holds(self) -> float:
        """The effective number of HOLDs, (Σ w)² / Σ w²: how many equal weights would be worth as much."""
        squares = float(self._sums[_HELD_SQUARES])
        return float(self._sums[_HELD]) ** 2 / squares if squares else 0.0

    @property
    def credited_orders(self) -> int:
        """How many orders were credited to the sends, each as often as it was credited."""
        return round(self._sums.item(_CREDITED))

    @property
    def credited_revenue(self) -> float:
        """The value of the orders that were credited to the sends."""
        return float(self._sums[_CREDITED_REVENUE])

    @property
    def evidence(self) -> float:
        """How many credited orders the contrast is worth: D · h / (n + h), with h the effective number of HOLDs.

        The smaller of the two groups limits what their difference can tell: a difference of means of n and h units has
        the precision of n·h / (n + h) of them.
        """
        units = self.sends + self.holds
        return self.credited_orders * self.holds / units if units else 0.0

    @property
    def is_enough(self) -> bool:
        """Whether the contrast is worth as many orders as the prior: before, it is too early to show a figure."""
        return self.evidence >= PRIOR_ORDERS

    def incremental_orders(self) -> Estimate:
        """Return how many orders the sends have brought. There must be a HOLD."""
        return self._estimate(*self._difference(_ORDERS), _ORDERS)

    def incremental_revenue(self) -> Estimate:
        """Return the value of the orders that the sends have brought. There must be a HOLD."""
        return self._estimate(*self._difference(_REVENUE), _REVENUE)

    def share(self) -> Estimate:
        """Return the factor f as estimated, which may lie outside 0 to 1. There must be a HOLD and a credited order."""
        incremental, gradient = self._difference(_ORDERS)
        credited = float(self._sums[_CREDITED])
        share = incremental / credited
        gradient[_CREDITED] = -share
        return self._estimate(share, gradient / credited, _ORDERS)

    def factor(self, view_through: float) -> float:
        """Return the factor clipped to 0 to 1, and shrunk to ``view_through`` with the weight of `PRIOR_ORDERS`.

        Without a HOLD or a credited order the factor is ``view_through``.
        """
        if not self.evidence:
            return view_through
        clipped = min(1.0, max(0.0, self.share().value))
        return (self.evidence * clipped + PRIOR_ORDERS * view_through) / (self.evidence + PRIOR_ORDERS)

    def _difference(self, quantity: int) -> tuple[float, FloatArray]:
        """Return I = S - n · Σ w·y / Σ w of orders or revenue, and its gradient by the sums."""
        sends, held, of_holds = float(self._sums[_SENDS]), float(self._sums[_HELD]), _OF_HOLDS[quantity]
        mean = float(self._sums[of_holds]) / held
        gradient = np.zeros(SIZE)
        gradient[quantity], gradient[_SENDS] = 1.0, -mean
        gradient[of_holds], gradient[_HELD] = -sends / held, sends * mean / held
        return float(self._sums[quantity]) - sends * mean, gradient

    def _estimate(self, value: float, gradient: FloatArray, quantity: int) -> Estimate:
        total = float(gradient @ self._sums)
        squares = float(gradient @ self._products @ gradient) - total * total / self.shoppers
        variance = max(0.0, squares) * self.shoppers / max(1, self.shoppers - 1)
        error = sqrt(variance + (gradient[_OF_HOLDS[quantity]] * self._one_more(quantity)) ** 2)
        return Estimate(value, value - _Z * error, value + _Z * error)

    def _one_more(self, quantity: int) -> float:
        """Return what one more order during a HOLD would add to the weighted orders, or to their revenue."""
        weight = float(self._sums[_HELD_SQUARES] / self._sums[_HELD])
        if quantity == _ORDERS:
            return weight
        orders = float(self._sums[_ORDERS] + self._sums[_HELD_ORDERS])
        return weight * float(self._sums[_REVENUE] + self._sums[_HELD_REVENUE]) / orders if orders else 0.0
