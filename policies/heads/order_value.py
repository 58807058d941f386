"""The value of an order: a Bayesian linear regression of its logarithm on the trigger's price and the message.

log value = intercept + slope · (log price - centre) + effect of the message + noise

The slope finds out whether orders cost what was looked at, the effects find discounts. What is held are sums, so a
correction takes an order out, and what came first plays no part. A value in the shop's currency is exp(fit) times the
*smearing factor*: the value of all orders ÷ Σ exp(fit). The factor does not assume that the noise is normal. Of the log
prices the sums hold mean and variance alone, so Σ exp(fit) takes these as normal.

References
----------
Duan (1983), Smearing estimate: a nonparametric retransformation method.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

_SLOPE, _SLOPE_SD = 0.5, 0.5
_INTERCEPT_SD = 1.0
_MESSAGE_SD = 0.3
_NOISE_VARIANCE, _NOISE_WEIGHT = 0.25, 10.0
"""The prior variance of the noise, and how many orders it counts for."""
_CENTRE_WEIGHT = 1.0
_MOST_TIMES = 100.0
_FARTHEST = math.log(_MOST_TIMES)
_SMEARING, _SMEARING_WEIGHT = math.exp(_NOISE_VARIANCE / 2), 10.0


class SendOrders(msgspec.Struct, frozen=True, array_like=True):
    """What a send's orders are worth together.

    Parameters
    ----------
    value
        In the shop's currency, refunds taken off, above 0.
    message
        The message that was sent.
    price
        The trigger's price attribute, above 0; None where it has none.
    """

    value: float
    message: str
    price: float | None = None


class OrderSums(msgspec.Struct, frozen=True, array_like=True):
    """Sums over the orders of one message: y is the log value, x the log price of those that have one."""

    count: float = 0.0
    value: float = 0.0
    y: float = 0.0
    yy: float = 0.0
    priced: float = 0.0
    x: float = 0.0
    xx: float = 0.0
    y_priced: float = 0.0
    xy: float = 0.0

    def plus(self, order: SendOrders, times: float) -> OrderSums:
        """Return the sums with an order, or without it where ``times`` is -1."""
        y, has_price = math.log(order.value), order.price is not None
        x = math.log(order.price) if order.price is not None else 0.0
        added = (1.0, order.value, y, y * y, float(has_price), x, x * x, y * has_price, x * y)
        sums = zip(msgspec.structs.astuple(self), added, strict=True)
        return OrderSums(*[total + times * value for total, value in sums])

    def times(self, share: float) -> OrderSums:
        """Return a share of the sums."""
        return OrderSums(*[share * total for total in msgspec.structs.astuple(self)])


@dataclass(frozen=True)
class OrderValueFit:
    """Predicts the value of an order.

    >>> fit = OrderValueFit(math.log(50.0), 0.5, math.log(50.0), {"offer": -0.1}, 1.0)
    >>> round(fit.value("hint", 200.0), 6), round(fit.value("offer", None), 2)
    (100.0, 45.24)
    """

    intercept: float
    slope: float
    centre: float
    effects: Mapping[str, float]
    smearing: float

    def log_value(self, message: str, price: float | None) -> float:
        """Return the fit; without a price, that at the centre."""
        distance = 0.0 if price is None else math.log(price) - self.centre
        return self.intercept + self.slope * distance + self.effects.get(message, 0.0)

    def price_factor(self, price: float | None) -> float:
        """Return how many times the value at the centre a product of this price is ordered for.

        A price counts for at most `_MOST_TIMES` times the centre, and at least for one such part: prices come from
        callers.
        """
        if price is None:
            return 1.0
        distance = math.log(price) - self.centre
        return math.exp(self.slope * max(-_FARTHEST, min(distance, _FARTHEST)))

    def value(self, message: str, price: float | None) -> float:
        """Return the expected value of an order in the shop's currency."""
        return self.smearing * math.exp(self.log_value(message, price))


class OrderValues(msgspec.Struct, frozen=True):
    """What was learned of the values of orders.

    Parameters
    ----------
    by_message
        The sums of each message.

    Examples
    --------
    >>> values = OrderValues()
    >>> for number in range(40):
    ...     values = values.replace(None, SendOrders(30.0 + number, "hint", 30.0 + number))
    >>> 50.0 < values.fit(60.0).value("hint", 55.0) < 60.0
    True
    """

    by_message: dict[str, OrderSums] = {}

    def replace(self, before: SendOrders | None, now: SendOrders | None) -> OrderValues:
        """Return what is known once an order replaces another one of the same send; None stands for no order."""
        sums = dict(self.by_message)
        for order, times in ((before, -1.0), (now, 1.0)):
            if order is not None:
                sums[order.message] = sums.get(order.message, OrderSums()).plus(order, times)
        return OrderValues(sums)

    def forget(self, share: float) -> OrderValues:
        """Return a share of what is known."""
        sums = {message: totals.times(share) for message, totals in self.by_message.items()}
        return OrderValues(sums)

    def fit(self, typical: float) -> OrderValueFit:
        """Return the posterior means of the coefficients, with the noise that the orders show.

        ``typical`` is the value of an order and of a product before any order is known, in the shop's currency.
        """
        centre = self._centre(typical)
        groups = {message: _Centred.of(sums, centre) for message, sums in sorted(self.by_message.items())}
        start = math.log(typical)
        first = _solve(groups, _NOISE_VARIANCE, start)
        intercept, slope, effects = _solve(groups, _noise(groups, *first), start)
        smearing = _smearing(groups, intercept, slope, effects)
        return OrderValueFit(intercept, slope, centre, effects, smearing)

    def _centre(self, typical: float) -> float:
        """Return the mean log price of the orders, begun with one order of the typical value."""
        sums = [self.by_message[message] for message in sorted(self.by_message)]
        x, priced = math.fsum(of_message.x for of_message in sums), math.fsum(of_message.priced for of_message in sums)
        return (x + _CENTRE_WEIGHT * math.log(typical)) / (priced + _CENTRE_WEIGHT)


@dataclass(frozen=True, slots=True)
class _Centred:
    """The sums of a message with the log prices counted from the centre; an order without a price is at the centre."""

    count: float
    value: float
    y: float
    yy: float
    priced: float
    x: float
    xx: float
    xy: float

    @classmethod
    def of(cls, sums: OrderSums, centre: float) -> _Centred:
        xx = sums.xx - 2 * centre * sums.x + centre * centre * sums.priced
        xy = sums.xy - centre * sums.y_priced
        x = sums.x - centre * sums.priced
        return cls(sums.count, sums.value, sums.y, sums.yy, sums.priced, x, max(xx, 0.0), xy)

    def fit_sum(self, level: float, slope: float) -> float:
        """Return Σ exp(fit) over the orders, as if the log prices were normal."""
        without_price = (self.count - self.priced) * math.exp(level)
        if self.priced <= 0.0:
            return without_price
        mean = self.x / self.priced
        variance = max(self.xx / self.priced - mean * mean, 0.0)
        return without_price + self.priced * math.exp(level + slope * mean + slope * slope * variance / 2)


def _solve(groups: Mapping[str, _Centred], noise: float, start: float) -> tuple[float, float, dict[str, float]]:
    """Return intercept, slope and effects of the messages.

    An effect given the other two is a shrunk mean, so it is eliminated from the normal equations, and a system of two
    equations is left.
    """
    ridge = noise / _MESSAGE_SD**2
    aa, ay = noise / _INTERCEPT_SD**2, noise / _INTERCEPT_SD**2 * start
    bb, by = noise / _SLOPE_SD**2, noise / _SLOPE_SD**2 * _SLOPE
    ab = 0.0
    for group in groups.values():
        kept = ridge / (group.count + ridge)  # the share of a message's sums that its effect does not explain
        aa += kept * group.count
        ab += kept * group.x
        ay += kept * group.y
        bb += group.xx - group.x * group.x / (group.count + ridge)
        by += group.xy - group.x * group.y / (group.count + ridge)
    determinant = aa * bb - ab * ab
    intercept, slope = (ay * bb - by * ab) / determinant, (by * aa - ay * ab) / determinant
    effects = {
        message: (group.y - intercept * group.count - slope * group.x) / (group.count + ridge)
        for message, group in groups.items()
    }
    return intercept, slope, effects


def _noise(groups: Mapping[str, _Centred], intercept: float, slope: float, effects: Mapping[str, float]) -> float:
    """Return the variance of the noise, shrunk towards its prior."""
    squares, count = _NOISE_WEIGHT * _NOISE_VARIANCE, _NOISE_WEIGHT
    for message, group in groups.items():
        level = intercept + effects[message]
        residual = group.yy - 2 * level * group.y - 2 * slope * group.xy
        residual += level * level * group.count + 2 * level * slope * group.x + slope * slope * group.xx
        squares += max(residual, 0.0)
        count += group.count
    return squares / count


def _smearing(groups: Mapping[str, _Centred], intercept: float, slope: float, effects: Mapping[str, float]) -> float:
    """Return the value of the orders ÷ Σ exp(fit), shrunk towards its prior."""
    value, expected, count = 0.0, 0.0, 0.0
    for message, group in groups.items():
        value += group.value
        expected += group.fit_sum(intercept + effects[message], slope)
        count += group.count
    ratio = value / expected if expected > 0.0 else _SMEARING
    return (count * ratio + _SMEARING_WEIGHT * _SMEARING) / (count + _SMEARING_WEIGHT)
