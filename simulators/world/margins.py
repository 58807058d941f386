"""Margins: the money that orders bring and sends cost, realised and expected."""

from __future__ import annotations

import numpy as np

from simulators.arrays import FloatArray, Indices


class Margins:
    """Sums of one world.

    Attributes
    ----------
    realised
        Margin of all orders that are not sent back, minus the costs of sends, by shopper, (N,).
    expected
        The same with every order replaced by its true probability times the mean order value, (N,): the same mean
        as ``realised`` without the noise of rare, expensive orders.
    weekly_realised, weekly_expected
        The same, summed over shoppers, by week, (weeks,).
    attributed
        Margin of such orders that followed a seen message, as a shop would attribute them, by shopper, (N,).
    orders, attributed_orders, sends
        Counts over the run.
    """

    def __init__(self, count: int, weeks: int) -> None:
        self.realised = np.zeros(count)
        self.expected = np.zeros(count)
        self.weekly_realised = np.zeros(weeks)
        self.weekly_expected = np.zeros(weeks)
        self.attributed = np.zeros(count)
        self.orders = 0
        self.attributed_orders = 0
        self.sends = 0

    def book_sends(self, week: int, shoppers: Indices, costs: FloatArray) -> None:
        self.sends += len(shoppers)
        total = float(costs.sum())
        if total:
            np.subtract.at(self.realised, shoppers, costs)
            np.subtract.at(self.expected, shoppers, costs)
            self.weekly_realised[week] -= total
            self.weekly_expected[week] -= total

    def book_orders(self, week: int, shoppers: Indices, margins: FloatArray) -> None:
        self.orders += len(shoppers)
        np.add.at(self.realised, shoppers, margins)
        self.weekly_realised[week] += margins.sum()

    def book_expected_orders(self, week: int, shoppers: Indices, margins: FloatArray) -> None:
        np.add.at(self.expected, shoppers, margins)
        self.weekly_expected[week] += margins.sum()

    def attribute_orders(self, shoppers: Indices, margins: FloatArray) -> None:
        """Attribute orders to messages. `book_orders` has booked these orders already."""
        self.attributed_orders += len(shoppers)
        np.add.at(self.attributed, shoppers, margins)
