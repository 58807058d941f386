"""Presence: how many shoppers are active, by hour of the day and day of the week.

The hour of the day changes the number of active shoppers by a factor of eleven. It does not change the click rate
of shoppers who see a message: in 60,000 impressions of a fashion shop the click rate is flat over the day
(chi-square p = .72). In this world, time therefore acts through presence: presence decides when shoppers visit, and
whether and when they see a message. The clock itself decides only whether a message disturbs a shopper at night.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from simulators.arrays import BoolArray, FloatArray

HOURS_PER_DAY, HOURS_PER_WEEK = 24, 168
NIGHT_H = 7.0
"""The hours from midnight that are the night of a shopper."""

LARGEST_SHIFT_H = 6.0
"""The largest shift of a shopper. The shift is the number of hours that the shopper lives later than the average."""

_PAD_H = 24 * 15
"""Padding: hours of presence before and after the simulated period.

The padding is longer than the lifetime of a message plus the largest shift of a shopper.
"""

# Impressions by local hour 0..23, mean 1: Open Bandit Dataset sample, 60,000 impressions (Saito et al., 2020).
_WEEKDAY = (
    *(1.73, 0.73, 0.42, 0.24, 0.17, 0.28, 0.47, 0.67, 0.82, 0.83, 0.92, 0.97),
    *(1.40, 1.04, 0.95, 0.92, 0.90, 0.98, 1.08, 1.25, 1.63, 1.88, 1.93, 1.78),
)
_WEEKEND = (
    *(1.43, 0.70, 0.43, 0.26, 0.16, 0.20, 0.38, 0.64, 0.73, 0.99, 1.05, 1.00),
    *(0.97, 1.00, 1.02, 1.05, 1.08, 1.19, 1.24, 1.29, 1.55, 1.87, 1.97, 1.81),
)
WEEKDAY_HOURS: FloatArray = np.array(_WEEKDAY)
WEEKEND_HOURS: FloatArray = np.array(_WEEKEND)


def week_curve() -> FloatArray:
    """Return the presence by hour of the week from Monday 00:00, shape (168,), mean 1.

    >>> curve = week_curve()
    >>> round(float(curve.mean()), 12), int(curve[:24].argmax())
    (1.0, 22)
    """
    curve = np.concatenate([np.tile(WEEKDAY_HOURS, 5), np.tile(WEEKEND_HOURS, 2)])
    return np.asarray(curve / curve.mean())


def is_night(hours: FloatArray) -> BoolArray:
    """Return whether a shopper's hours lie between midnight and 7 o'clock: a message that arrives then disturbs.

    Quiet hours of the law end later (United States: 21 h to 8 h), but many shoppers are active then.

    >>> is_night(np.array([23.9, 24.0, 30.9, 31.0]))
    array([False,  True,  True, False])
    """
    return np.asarray(np.mod(hours, HOURS_PER_DAY) < NIGHT_H)


class Presence:
    """The presence over the simulated period, and its integral.

    The integral is a second clock: it runs fast when many shoppers are active, and slowly at night. Its unit is the
    hour of mean presence. A shopper's hours are the hours since the start of the simulated period, minus the shift of
    the shopper.

    Parameters
    ----------
    hours
        Length of the simulated period.
    first_hour
        Hour of the week at which the simulated period starts; 0 is Monday 00:00.
    boosts
        (first hour, hour after the last, factor): periods in which more or fewer shoppers than usual are active.
    """

    def __init__(self, hours: int, first_hour: int = 0, boosts: Iterable[tuple[int, int, float]] = ()) -> None:
        padded = np.arange(-_PAD_H, hours + _PAD_H)
        presence = week_curve()[(padded + first_hour) % HOURS_PER_WEEK]
        for start, end, factor in boosts:
            presence[(padded >= start) & (padded < end)] *= factor
        self._presence = presence
        self._hours = np.arange(-_PAD_H, hours + _PAD_H + 1, dtype=np.float64)
        self._integral = np.concatenate([[0.0], np.cumsum(presence)])

    def presence_at(self, hours: FloatArray) -> FloatArray:
        """Return the presence at a shopper's hours.

        Without boosts its mean is 1, its lowest value at night about .16, and its peak in the evening about 1.9.
        """
        return np.asarray(self._presence[hours.astype(np.int64) + _PAD_H])

    def integral_at(self, hours: FloatArray) -> FloatArray:
        """Return the integral of the presence up to a shopper's hours, in hours of mean presence."""
        padded = hours + float(_PAD_H)
        whole = padded.astype(np.int64)
        return np.asarray(self._integral[whole] + (padded - whole) * self._presence[whole])

    def hours_at(self, integral: FloatArray) -> FloatArray:
        """Return the shopper's hours at which the integral has these values; inf after the end of the padding.

        This is the inverse of `integral_at`.
        """
        return np.interp(integral, self._integral, self._hours, right=np.inf)
