"""The ledger: what the shoppers' orders brought and the sends cost, realised and expected."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
FloatArray = NDArray[np.float64]


class Margins:
    """Accounts of one world.

    Attributes
    ----------
    realised
        (N,), margin of all orders minus costs of sends.
    expected
        (N,), the same with every order replaced by its true probability times the mean order value: the
        realised value without the noise of rare, expensive orders.
    weekly_realised, weekly_expected
        (weeks,), the same summed over shoppers.
    attributed
        (N,), margin of the orders that followed a click or an open, as a shop would book them.
    orders, attributed_orders, sends
        Counts over the run.
    """

    def __init__(self, shoppers: int, weeks: int) -> None:
        self.realised = np.zeros(shoppers)
        self.expected = np.zeros(shoppers)
        self.weekly_realised = np.zeros(weeks)
        self.weekly_expected = np.zeros(weeks)
        self.attributed = np.zeros(shoppers)
        self.orders = 0
        self.attributed_orders = 0
        self.sends = 0

    def paid(self, week: int, shoppers: Rows, costs: FloatArray) -> None:
        """Book the costs of sends."""
        self.sends += len(shoppers)
        total = float(costs.sum())
        if total:
            np.subtract.at(self.realised, shoppers, costs)
            np.subtract.at(self.expected, shoppers, costs)
            self.weekly_realised[week] -= total
            self.weekly_expected[week] -= total

    def ordered(self, week: int, shoppers: Rows, margins: FloatArray) -> None:
        """Book the margins of orders."""
        self.orders += len(shoppers)
        np.add.at(self.realised, shoppers, margins)
        self.weekly_realised[week] += margins.sum()

    def attribute(self, shoppers: Rows, margins: FloatArray) -> None:
        """Book orders, already booked as such, to the notifications that they followed."""
        self.attributed_orders += len(shoppers)
        np.add.at(self.attributed, shoppers, margins)

    def expects(self, week: int, shoppers: Rows, margins: FloatArray) -> None:
        """Book expected margins."""
        np.add.at(self.expected, shoppers, margins)
        self.weekly_expected[week] += margins.sum()
