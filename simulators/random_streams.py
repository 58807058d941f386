"""Random numbers as a pure function of what they decide: counter-based streams.

A random number depends only on the seed, the hour, the purpose and the position (for example the number of the
shopper). Drawing one number changes no other number. A world with sends and a world without sends therefore meet
the same visits, mental states and baskets, whatever else happened in them.

The generator is SplitMix64: its n-th output is a hash of the counter ``key + n * golden ratio``, n from 1. Position p
has output p + 1.

References
----------
Steele, Lea and Flood (2014), Fast splittable pseudorandom number generators (SplitMix64).
Salmon et al. (2011), Parallel random numbers: as easy as 1, 2, 3 (why counters).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum, auto
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulators.arrays import FloatArray

_WORD = (1 << 64) - 1
_GAMMA = 0x9E3779B97F4A7C15
_G64, _M1, _M2, _ONE = (np.uint64(word) for word in (_GAMMA, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 1))
_S30, _S27, _S31, _S11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)
_UNIT = 2.0**-53
_ROW = np.int64((1 << 32) - 1)
"""The bits of a position that hold the number of the shopper: see `SeenMessages.positions`."""

DrawColumn = Callable[[np.random.Generator, int], NDArray[Any]]
"""Draws a value, or a row of values, for each of some shoppers: takes a generator and the number of shoppers."""


class Purpose(IntEnum):
    """What a random number decides.

    Append new members at the end: a member inserted before others changes every simulation.
    """

    next_visit = 0
    browse = auto()
    cart = auto()
    order = auto()
    value_radius = auto()
    value_angle = auto()
    wish = auto()
    product = auto()
    product_event = auto()
    product_lag = auto()
    replenish = auto()
    looked = auto()
    seen = auto()
    click = auto()
    opt_out = auto()
    complaint = auto()
    uninstall = auto()
    return_visit = auto()
    conversion = auto()
    order_lag = auto()
    report_lag = auto()
    template_radius = auto()
    template_angle = auto()
    latent = auto()
    weekly_shock = auto()
    sender = auto()
    sender_message = auto()
    sender_channel = auto()
    sender_delay = auto()
    lapse = auto()
    last_visit = auto()
    refund = auto()
    refund_lag = auto()
    lapse_after_opt_out = auto()
    win_back = auto()
    report_fate = auto()
    report_delay = auto()
    report_copy = auto()
    report_copy_delay = auto()
    recognised = auto()


class RandomStreams:
    """All random numbers of one world.

    Parameters
    ----------
    seed
        Another seed gives another world.

    Examples
    --------
    >>> streams = RandomStreams(1)
    >>> both = streams.uniforms(7, [Purpose.click, Purpose.opt_out], np.array([5, 2]))
    >>> both.shape
    (2, 2)
    >>> bool(streams.uniforms(7, [Purpose.opt_out], np.array([2]))[0, 0] == both[1, 1])
    True
    """

    def __init__(self, seed: int) -> None:
        if seed < 0:
            raise ValueError(f"seed must be at least 0, not {seed}")
        self._root = int.from_bytes(hashlib.blake2b(f"world {seed}".encode(), digest_size=8).digest(), "little")
        self._day: int | None = None
        self._first_counters: NDArray[np.uint64] = np.empty((0, 0), dtype=np.uint64)

    def uniforms(self, hour: int, purposes: Sequence[Purpose], positions: NDArray[np.integer]) -> FloatArray:
        """Return numbers in [0, 1) with 53 random bits, shape (purposes, positions)."""
        day, hour_of_day = divmod(hour, 24)
        if day != self._day:
            self._day, self._first_counters = day, self._first_counters_on(day)
        first = self._first_counters[hour_of_day].take(_numbers_of(tuple(purposes)))
        return _to_uniforms(first + positions.astype(np.uint64) * _G64)

    def _first_counters_on(self, day: int) -> NDArray[np.uint64]:
        """Return the counters of the first outputs, those of position 0, by hour of a day and purpose.

        The keys are hashes, so that the streams start far from each other.
        """
        hours = np.arange(24 * day + 1, 24 * day + 25).astype(np.uint64)[:, None]
        purposes = np.arange(1, len(Purpose) + 1, dtype=np.uint64)
        keys = _mix(_mix(np.uint64(self._root) + hours * _G64) + purposes * _G64)
        return keys + _G64

    def draw_column(self, name: str, shoppers: int, draw: DrawColumn) -> NDArray[Any]:
        """Draw a trait of the shoppers, once, before the first hour.

        Every column has a generator of its own. A shopper's traits therefore depend neither on the number of shoppers
        nor on the other columns.
        """
        counter = [0, 0, 0, int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")]
        philox = np.random.Philox(key=[self._root, int(Purpose.latent)], counter=counter)
        return draw(np.random.Generator(philox), shoppers)


class RowStreams(RandomStreams):
    """The random numbers of a world in which every shopper has a seed of her own.

    Shopper i gets the numbers that shopper 0 of ``RandomStreams(seeds[i])`` gets.
    """

    def __init__(self, seeds: Sequence[int]) -> None:
        super().__init__(seeds[0])
        self._rows = [RandomStreams(seed) for seed in seeds]
        self._roots = np.array([row._root for row in self._rows], dtype=np.uint64)
        self._tick: int | None = None
        self._of_rows = self._roots

    def uniforms(self, hour: int, purposes: Sequence[Purpose], positions: NDArray[np.integer]) -> FloatArray:
        if hour != self._tick:
            self._tick = hour
            self._of_rows = _mix(self._roots + np.uint64((hour + 1) * _GAMMA & _WORD))
        rows = positions & _ROW
        numbers = (np.asarray(purposes, dtype=np.uint64) + _ONE)[:, None]
        keys = _mix(self._of_rows[rows] + numbers * _G64)
        return _to_uniforms(keys + ((positions - rows).astype(np.uint64) + _ONE) * _G64)

    def draw_column(self, name: str, shoppers: int, draw: DrawColumn) -> NDArray[Any]:
        return np.concatenate([row.draw_column(name, 1, draw) for row in self._rows])


@dataclass(frozen=True)
class Seeds:
    """The seeds of a world.

    Attributes
    ----------
    shop
        Decides what belongs to the shop: how messages appeal, and their weekly changes.
    shoppers
        Decides the shoppers and what they do: one seed for all shoppers, or a tuple with one seed per shopper. Shoppers
        with one seed are copies: they live the same life until they get different sends.
    """

    shop: int
    shoppers: int | tuple[int, ...]

    def shopper_streams(self, shoppers: int) -> RandomStreams:
        """Return the random streams of a world with this number of shoppers."""
        if isinstance(self.shoppers, int):
            return RandomStreams(self.shoppers)
        if len(self.shoppers) != shoppers:
            raise ValueError(f"seed must have a number for each of {shoppers} shoppers, not {len(self.shoppers)}")
        return RowStreams(self.shoppers)


@cache
def _numbers_of(purposes: tuple[Purpose, ...]) -> NDArray[np.intp]:
    """Return purposes as a column of numbers, (purposes, 1)."""
    return np.asarray(purposes, dtype=np.intp)[:, None]


def to_normals(radius: FloatArray, angle: FloatArray) -> FloatArray:
    """Transform two independent uniform numbers into a standard normal one (Box and Muller, 1958).

    >>> round(float(to_normals(np.array([0.5]), np.array([0.0]))[0]), 4)
    1.1774
    """
    return np.asarray(np.sqrt(-2.0 * np.log1p(-radius)) * np.cos(2.0 * np.pi * angle))


def _to_uniforms(counters: NDArray[np.uint64]) -> FloatArray:
    """Return the 53 highest bits of the hashes of counters as numbers in [0, 1)."""
    bits = _mix(counters)
    bits >>= _S11
    return np.asarray(bits * _UNIT)


def _mix(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the hashes of words."""
    hashes = words >> _S30
    hashes ^= words
    hashes *= _M1
    hashes ^= hashes >> _S27
    hashes *= _M2
    hashes ^= hashes >> _S31
    return hashes
