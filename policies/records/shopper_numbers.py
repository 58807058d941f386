"""The numbers about a shopper that models see, in the form in which a row of the log holds them.

A model must see exactly what the row says, or a correction would teach other features than the decision had. So the
numbers are rounded once, before the decision, and both the served and the learned features are read from the result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

_PER_UNIT = 1_000
"""Numbers have three decimals. To divide a whole number is three times as fast as `round` to a number of decimals."""


class ShopperNumbers(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What is known of a shopper at the times of the possible sends; the delays are those of the catalogue's version.

    Parameters
    ----------
    presence
        For each delay the log of the shopper's activity at the time of the send, against that of an even week.
    load
        For each delay the sends that are still felt at the time of the send, scheduled ones included.
    own_rate, own_channel, own_category
        log((clicks + 1) ÷ (expected clicks + 1)): of the shopper, and by channel and by category of the message.
    topic_load, affinity
        By category of product: for each delay the sends about the category that are still felt; the share of the
        shopper's interest.
    """

    presence: tuple[float, ...] = ()
    load: tuple[float, ...] = ()
    own_rate: float = 0.0
    own_channel: dict[str, float] = {}
    own_category: dict[str, float] = {}
    topic_load: dict[str, tuple[float, ...]] = {}
    affinity: dict[str, float] = {}

    def round_off(self) -> ShopperNumbers:
        """Return the numbers as a row holds them, with three decimals; a zero by name is left out.

        >>> ShopperNumbers(presence=(0.12345,), own_channel={"push": 0.0001, "email": -0.5}).round_off().own_channel
        {'email': -0.5}
        """
        return ShopperNumbers(
            _round_all(self.presence),
            _round_all(self.load),
            round(self.own_rate * _PER_UNIT) / _PER_UNIT,
            _round_names(self.own_channel),
            _round_names(self.own_category),
            {name: _round_all(loads) for name, loads in self.topic_load.items()},
            _round_names(self.affinity),
        )


def _round_all(values: Sequence[float]) -> tuple[float, ...]:
    return tuple([round(value * _PER_UNIT) / _PER_UNIT for value in values])


def _round_names(values: Mapping[str, float]) -> dict[str, float]:
    if not values:
        return {}
    return {name: number / _PER_UNIT for name, value in values.items() if (number := round(value * _PER_UNIT))}
