"""Calibration: the intercepts of clicks and opt-outs at which a weekly broadcast meets the published rates.

A message has its effects when it is seen, and published rates are per send. The two intercepts of a channel are
therefore fitted. The fit simulates 12 weeks with one broadcast per week at 21 h to all shoppers with consent, with
random messages. Each round adds the missing part of the logarithm of each rate to its intercept. The random numbers
are the same in every round.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from decision_service.cli.measurements import Measured
from simulators.parameters import CHANNELS, ChannelTable, ChannelTraits
from simulators.scenario import find_scenario
from simulators.shops.broadcast import Broadcast, run_sender
from simulators.world.messages import STANDARD
from simulators.world.tick import Tick
from simulators.world.world import World

TARGETS: dict[str, tuple[float, float]] = {
    "push": (0.043, 0.0014),
    "email": (0.021, 0.0020),
    "sms": (0.075, 0.010),
    "webpush": (0.036, 0.003),
}
"""Channel → clicks and opt-outs per send of a weekly broadcast, from the research note, section 6, within the bands
of its section 3. In-app has no published rates, so its intercepts are judgement."""

_ROUNDS = 5


@dataclass(frozen=True)
class Fit:
    """The fitted traits of a channel, and its simulated rates per send with standard errors."""

    channel: str
    traits: ChannelTraits
    clicks: float
    clicks_error: float
    opt_outs: float
    opt_outs_error: float


def calibrate(shoppers: int, seed: int) -> list[Fit]:
    """Fit every channel that has published rates."""
    return [_fit(name, *target, shoppers, seed) for name, target in TARGETS.items()]


def _fit(name: str, clicks: float, opt_outs: float, shoppers: int, seed: int) -> Fit:
    traits = CHANNELS[name]
    for _ in range(_ROUNDS):
        measured = measure_rates(name, traits, shoppers, seed)
        traits = replace(
            traits,
            intercept=traits.intercept + math.log(clicks / measured.clicks),
            opt_out=traits.opt_out * opt_outs / measured.opt_outs,
        )
    return measure_rates(name, traits, shoppers, seed)


def measure_rates(name: str, traits: ChannelTraits, shoppers: int, seed: int) -> Fit:
    """Measure the rates per send of a weekly broadcast on one channel."""
    channels = ChannelTable((name,), (replace(traits, consent=1.0),))
    messages = replace(STANDARD, channels=channels, offered=STANDARD.offered[:, :1], costs=STANDARD.costs[:, :1])
    world, counts = World(find_scenario("stationary"), shoppers, seed, messages), Counter[str]()

    def on_tick(tick: Tick) -> None:
        for outcomes in tick.outcomes:
            counts[outcomes.kind] += len(outcomes.tickets)

    run_sender(world, Broadcast(1, (name,)), on_tick=on_tick)
    sends, left = counts["delivered"], counts["opt_out"] + counts["complaint"]
    click, out = counts["click"] / sends, left / sends
    return Fit(name, traits, click, _error(click, sends), out, _error(out, sends))


def _error(rate: float, count: int) -> float:
    return float(np.sqrt(rate * (1 - rate) / count))


def to_measurements(fits: Sequence[Fit]) -> list[Measured]:
    """Return the fitted traits, and the simulated rates with their 95 % intervals."""
    return [
        measurement
        for fit in fits
        for measurement in (
            Measured(f"calibration.{fit.channel}.intercept", fit.traits.intercept, unit="logit"),
            Measured(f"calibration.{fit.channel}.opt_out", fit.traits.opt_out, unit="probability when seen"),
            _measure(f"calibration.{fit.channel}.clicks", fit.clicks, fit.clicks_error),
            _measure(f"calibration.{fit.channel}.opt_outs", fit.opt_outs, fit.opt_outs_error),
        )
    ]


def _measure(name: str, rate: float, error: float) -> Measured:
    return Measured(name, rate, rate - 1.96 * error, rate + 1.96 * error, "per send")
