"""Calibration: the traits of the channels at which simulated rates per send meet the published ones.

A message has its effects when it is seen, and published rates are per send. Three traits of a channel are therefore
fitted. A weekly broadcast of random messages at 17 h, an hour of mean presence, to all shoppers with consent for 12
weeks gives the rates of clicks and opt-outs. A reminder at once after every abandoned cart, for four weeks, gives the
rate of clicks on triggered messages. Each round moves each trait by the missing part of the logarithm of its rate. The
random numbers are the same in every round.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchmarks.calibration.cart_reminder import CartReminder
from decision_service.cli.measurements import Measured
from simulators.scenarios.channels import ChannelTraits
from simulators.scenarios.parameters import PARAMETERS
from simulators.scenarios.scenario import Scenario
from simulators.senders.broadcast import Broadcast
from simulators.senders.sender import run_sender
from simulators.world.messages import STANDARD, Messages
from simulators.world.tick import Tick
from simulators.world.world import World


@dataclass(frozen=True)
class Target:
    """Published rates per send of a channel: clicks and opt-outs of a broadcast, and clicks of a cart reminder."""

    clicks: float
    opt_outs: float
    cart_clicks: float


TARGETS: dict[str, Target] = {
    "push": Target(0.042, 0.0014, 0.16),
    "email": Target(0.021, 0.0020, 0.136),
    "sms": Target(0.076, 0.010, 0.162),
    "webpush": Target(0.036, 0.003, 0.13),
}
"""Channel → rates. Broadcasts: clicks on push 4.2 % Batch (2025), the others and the opt-outs note, section 6, inside
the bands of its section 3. Cart reminders: push about 16 % (Contentbase), the first e-mail of a series 13.6 %, SMS
16.2 % (Postscript, 2020), web push judgement. In-app has no published rates: its traits are judgement."""

_ROUNDS = 6
_HOUR = 17


@dataclass(frozen=True)
class Rate:
    """A simulated rate per send with its standard error."""

    value: float
    error: float

    @classmethod
    def of(cls, count: int, sends: int) -> Rate:
        value = count / sends
        return cls(value, float(np.sqrt(value * (1 - value) / sends)))


@dataclass(frozen=True)
class Fit:
    """The fitted traits of a channel, and its simulated rates per send."""

    channel: str
    traits: ChannelTraits
    clicks: Rate
    opt_outs: Rate
    cart_clicks: Rate
    cart_orders: Rate


def calibrate(shoppers: int, seed: int) -> list[Fit]:
    """Fit every channel that has published rates."""
    return [_fit(name, target, shoppers, seed) for name, target in TARGETS.items()]


def _fit(name: str, target: Target, shoppers: int, seed: int) -> Fit:
    traits = PARAMETERS.channel(name)
    for _ in range(_ROUNDS):
        measured = measure_rates(name, traits, shoppers, seed)
        clicks = math.log(target.clicks / measured.clicks.value)
        traits = replace(
            traits,
            intercept=traits.intercept + clicks,
            per_intent=traits.per_intent + math.log(target.cart_clicks / measured.cart_clicks.value) - clicks,
            opt_out=traits.opt_out * target.opt_outs / measured.opt_outs.value,
        )
    return measure_rates(name, traits, shoppers, seed)


def measure_rates(name: str, traits: ChannelTraits, shoppers: int, seed: int) -> Fit:
    """Measure the rates per send of a weekly broadcast and of cart reminders on one channel."""
    world = _make_world(name, traits, shoppers, seed)
    counts = Counter[str]()
    run_sender(world, Broadcast(1, (name,), _HOUR), on_tick=lambda tick: _count(tick, counts))
    carts, of_carts = _make_world(name, traits, shoppers, seed), Counter[str]()
    reminder = CartReminder(name)

    def on_tick(tick: Tick) -> None:
        reminder.observe(tick)
        _count(tick, of_carts)

    run_sender(carts, reminder, 4 * 168, on_tick=on_tick)
    sends, reminders = counts["delivered"], of_carts["delivered"]
    return Fit(
        name,
        traits,
        clicks=Rate.of(counts["click"], sends),
        opt_outs=Rate.of(counts["opt_out"] + counts["complaint"], sends),
        cart_clicks=Rate.of(of_carts["click"], reminders),
        cart_orders=Rate.of(of_carts["conversion"], reminders),
    )


def _make_world(name: str, traits: ChannelTraits, shoppers: int, seed: int) -> World:
    """Return a world with one channel, to which every shopper consents."""
    changes: dict[str, Any] = {name: replace(traits, consent=1.0)}
    parameters = replace(PARAMETERS, **changes)
    column = [STANDARD.channels.names.index(name)]
    messages = Messages(
        STANDARD.names,
        STANDARD.categories,
        STANDARD.triggers,
        parameters.channel_table((name,)),
        STANDARD.offered[:, column],
        STANDARD.costs[:, column],
    )
    return World(Scenario("calibration", parameters=parameters), shoppers, seed, messages)


def _count(tick: Tick, counts: Counter[str]) -> None:
    for outcomes in tick.outcomes:
        counts[outcomes.kind] += len(outcomes.tickets)


def to_measurements(fits: Sequence[Fit]) -> list[Measured]:
    """Return the fitted traits, and the simulated rates with their 95 % intervals."""
    return [measurement for fit in fits for measurement in _measure_fit(fit)]


def _measure_fit(fit: Fit) -> list[Measured]:
    name = f"calibration.{fit.channel}"
    return [
        Measured(f"{name}.intercept", fit.traits.intercept, unit="logit"),
        Measured(f"{name}.per_intent", fit.traits.per_intent, unit="logit"),
        Measured(f"{name}.opt_out", fit.traits.opt_out, unit="probability when seen"),
        _measure(f"{name}.clicks", fit.clicks),
        _measure(f"{name}.opt_outs", fit.opt_outs),
        _measure(f"{name}.cart_clicks", fit.cart_clicks),
        _measure(f"{name}.cart_orders", fit.cart_orders),
    ]


def _measure(name: str, rate: Rate) -> Measured:
    return Measured(name, rate.value, rate.value - 1.96 * rate.error, rate.value + 1.96 * rate.error, "per send")
