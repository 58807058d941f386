"""Published figures about shops against the same figures of the simulated world, before and now.

*Before* is the world of the previous version, measured by these functions. True probabilities replace draws, so that
small worlds suffice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from benchmarks.calibration.cart_reminder import CartReminder
from benchmarks.page import number, with_interval
from decision_service.cli.measurements import Measured
from simulators.arrays import FloatArray
from simulators.scenarios.scenario import Scenario, find_scenario
from simulators.senders.broadcast import Broadcast
from simulators.senders.sender import NoSends, run_sender
from simulators.world.deliveries import Sends
from simulators.world.messages import STANDARD
from simulators.world.tick import Tick
from simulators.world.world import World

PUSH, EMAIL, SMS, BROWSE_HINT = 0, 1, 2, 2
SWEEP = (0, 1, 2, 3, 5, 7)
"""E-mails a week."""

SWEEP_SEEDS = (1, 2, 3)
FREE = replace(STANDARD, costs=np.zeros_like(STANDARD.costs))
_DAYTIME = range(8, 22)

PUBLISHED: Mapping[str, tuple[str, float]] = {
    "cart_email.clicks": (".136 the first of a series, .095 on average", 0.0491),
    "cart_email.orders": (".03 to .05 of carts", 0.0169),
    "cart_email.orders_a_day_later": (".35 to .6 of those at once: SaleCycle, Barilliance, Omnisend", 0.2502),
    "cart_push.clicks": (".16: Contentbase", 0.1107),
    "cart_sms.clicks": (".162: Postscript (2020)", 0.2045),
    "push.clicks_at_23_h": ("1.46 of the mean over the hours: 11.4 % against 7.8 %", 0.9427),
    "email.opens_by_1_h": (".27: Inntopia", 0.2038),
    "email.opens_by_3_h": (".50: Inntopia", 0.4777),
    "email.opens_by_6_h": (".61: Inntopia", 0.7201),
    "email.opens_after_72_h": ("a tail: .02 of the clicks after day 7", 0.0),
    "daily_email.click_orders_week_1": ("no figure: orders after a click, per 1,000 e-mails read", 2.7996),
    "daily_email.click_orders_week_12": ("falls", 0.9013),
    "daily_email.return_orders_week_1": ("no figure: orders without a click, per 1,000 e-mails read", 5.7382),
    "daily_email.return_orders_week_12": ("falls as clicks do", 5.6112),
    "weekly_email.returns_week_12": (".9 or more of the effect of one e-mail", 1.0),
    "night.opt_outs_at_0_to_2_and_6_h": ("above daytime", 1.1657),
    "lapsed.after_12_weeks_without_sends": ("above 0: .25 lapse per order, CDNOW", 0.0),
}
"""Figure → what is published, and its value in the world of the previous version."""

SWEEP_BEFORE = {1: 0.979, 2: 1.879, 3: 2.635, 5: 3.920, 7: 4.985}
"""E-mails a week → value per shopper in the world of the previous version, 1,000 shoppers, seeds 1 to 3."""


class Tally:
    """Sums of the true probabilities of the messages that were seen, by week, and counts of outcomes."""

    def __init__(self, weeks: int) -> None:
        self.reads, self.clicks, self.returns = np.zeros(weeks), np.zeros(weeks), np.zeros(weeks)
        self.click_orders, self.return_orders = np.zeros(weeks), np.zeros(weeks)
        self.counts = Counter[str]()

    def observe(self, tick: Tick) -> None:
        week = tick.hour // 168
        for tickets, p in tick.chances:
            self.reads[week] += len(tickets)
            self.clicks[week] += p.click.sum()
            self.returns[week] += p.return_visit.sum()
            self.click_orders[week] += (p.click * p.order).sum()
            self.return_orders[week] += ((1.0 - p.click) * p.return_visit * p.order_on_return).sum()
        for outcomes in tick.outcomes:
            self.counts[outcomes.kind] += len(outcomes.tickets)

    def per_send(self, *sums: FloatArray) -> float:
        return float(sum(one.sum() for one in sums) / self.counts["delivered"])


def measure_carts(shoppers: int, seed: int) -> dict[str, float]:
    """Send a reminder after every cart."""
    push, email, sms = (_remind(channel, 0.0, shoppers, seed) for channel in ("push", "email", "sms"))
    later = _remind("email", 24.0, shoppers, seed)
    orders, orders_later = (tally.per_send(tally.click_orders, tally.return_orders) for tally in (email, later))
    return {
        "cart_email.clicks": email.per_send(email.clicks),
        "cart_email.orders": orders,
        "cart_email.orders_a_day_later": orders_later / orders,
        "cart_push.clicks": push.per_send(push.clicks),
        "cart_sms.clicks": sms.per_send(sms.clicks),
    }


def _remind(channel: str, delay_h: float, shoppers: int, seed: int) -> Tally:
    world, tally = World(find_scenario("stationary"), shoppers, seed), Tally(12)
    reminder = CartReminder(channel, delay_h)

    def on_tick(tick: Tick) -> None:
        reminder.observe(tick)
        tally.observe(tick)

    run_sender(world, reminder, 5 * 168, on_tick=on_tick)
    return tally


def measure_hours(shoppers: int, seed: int) -> dict[str, float]:
    """Send one message to everybody, to each shopper at another hour of the second day."""
    clicks, _, _ = _send_by_hour(PUSH, shoppers, seed)
    _, opt_outs, opens = _send_by_hour(EMAIL, shoppers, seed)
    return {
        "push.clicks_at_23_h": float(clicks[23] / clicks.mean()),
        **{f"email.opens_by_{hours}_h": float((opens <= hours).mean()) for hours in (1, 3, 6)},
        "email.opens_after_72_h": float((opens > 72).mean()),
        "night.opt_outs_at_0_to_2_and_6_h": float(opt_outs[[0, 1, 2, 6]].mean() / opt_outs[_DAYTIME].mean()),
    }


def _send_by_hour(channel: int, shoppers: int, seed: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return clicks per send and opt-outs per reading by hour of arrival, and the hours until messages are read."""
    world = World(Scenario("one", weeks=2), shoppers, seed)
    while world.hour < 24:
        world.step()
    world.state.consent[:] = True
    everybody = np.arange(shoppers)
    hours = everybody % 24
    zero = np.zeros(shoppers)
    channels, messages = np.full(shoppers, channel), np.full(shoppers, BROWSE_HINT)
    world.send(Sends(everybody, everybody, messages, channels, hours.astype(float), zero))
    clicks, opt_outs, reads, waits = np.zeros(24), np.zeros(24), np.zeros(24), []
    for _ in range(24 * 9):
        for tickets, p in world.step().chances:
            np.add.at(clicks, hours[tickets], p.click)
            np.add.at(opt_outs, hours[tickets], p.opt_out / world.population.irritability[tickets])
            np.add.at(reads, hours[tickets], 1.0)
            waits.append(world.hour - 24.0 - hours[tickets])
    return clicks / np.bincount(hours), opt_outs / reads, np.concatenate(waits)


def measure_fatigue(shoppers: int, seed: int) -> dict[str, float]:
    """Send an e-mail every day, and every week: orders per 1,000 e-mails read; returns as a share of those after 1."""
    daily, weekly = (_broadcast(per_week, shoppers, seed) for per_week in (7, 1))
    returning = STANDARD.channels.returning[EMAIL]
    by_click, by_return = (1_000.0 * orders / daily.reads for orders in (daily.click_orders, daily.return_orders))
    return {
        "daily_email.click_orders_week_1": float(by_click[0]),
        "daily_email.click_orders_week_12": float(by_click[-1]),
        "daily_email.return_orders_week_1": float(by_return[0]),
        "daily_email.return_orders_week_12": float(by_return[-1]),
        "weekly_email.returns_week_12": float(weekly.returns[-1] / weekly.reads[-1] / returning),
    }


def _broadcast(per_week: int, shoppers: int, seed: int) -> Tally:
    world, tally = World(find_scenario("stationary"), shoppers, seed), Tally(12)
    run_sender(world, Broadcast(per_week, ("email",), 10), on_tick=tally.observe)
    return tally


def measure_lapses(shoppers: int, seed: int) -> dict[str, float]:
    """Send nothing."""
    world = World(find_scenario("stationary"), shoppers, seed)
    run_sender(world, NoSends())
    return {"lapsed.after_12_weeks_without_sends": float(world.state.mental_state.lapsed.mean())}


def measure_sweep(shoppers: int) -> list[Measured]:
    """Measure the value of free e-mails by their number a week, and how much more they earn than daily ones."""
    margins = {
        per_week: np.concatenate([_margin(per_week, shoppers, seed) for seed in SWEEP_SEEDS]) for per_week in SWEEP
    }
    unit = "expected margin per shopper in 12 weeks"
    return [
        *(
            _mean(f"sweep.{per_week}.value", margins[per_week] - margins[0], f"{unit}, without sends 0")
            for per_week in SWEEP[1:]
        ),
        *(_mean(f"sweep.{per_week}.minus_daily", margins[per_week] - margins[7], unit) for per_week in SWEEP[:-1]),
    ]


def _margin(per_week: int, shoppers: int, seed: int) -> FloatArray:
    world = World(find_scenario("stationary"), shoppers, seed, FREE)
    run_sender(world, Broadcast(per_week, ("email",), 10) if per_week else NoSends())
    return world.margins.expected


def _mean(name: str, values: FloatArray, unit: str) -> Measured:
    mean, error = float(values.mean()), float(values.std(ddof=1) / len(values) ** 0.5)
    return Measured(name, mean, mean - 1.96 * error, mean + 1.96 * error, unit)


_MEASURES: Sequence[Callable[[int, int], dict[str, float]]] = (
    measure_carts,
    measure_hours,
    measure_fatigue,
    measure_lapses,
)


def measure_all(shoppers: int, seed: int) -> dict[str, float]:
    """Measure every figure of `PUBLISHED`."""
    return {name: value for measure in _MEASURES for name, value in measure(shoppers, seed).items()}


def to_measurements(figures: Mapping[str, float]) -> list[Measured]:
    """Return the figures of this world."""
    return [Measured(f"realism.{name}", figures[name], unit=published) for name, (published, _) in PUBLISHED.items()]


def to_table(figures: Mapping[str, float], sweep: Sequence[Measured]) -> str:
    """Return Markdown: what is published, before, and now; and the value of e-mails by their number a week."""
    values = {one.name: one for one in sweep}
    rows = [
        f"| `{name}` | {published} | {number(before)} | {number(figures[name])} |"
        for name, (published, before) in PUBLISHED.items()
    ]
    return "\n".join(
        [
            *("| figure | published | before | now |", "|---|---|--:|--:|"),
            *rows,
            "",
            "Value of free e-mails at 10 h, by their number a week: expected margin per shopper in 12 weeks, without",
            "sends 0; and its paired difference to daily e-mails, with a 95 % interval over shoppers and seeds 1 to 3.",
            "",
            *("| e-mails a week | value before | value now | more than daily e-mails |", "|--:|--:|--:|---|"),
            *(_sweep_row(per_week, values) for per_week in SWEEP[1:]),
            "",
        ]
    )


def _sweep_row(per_week: int, values: Mapping[str, Measured]) -> str:
    value, more = values[f"sweep.{per_week}.value"], values.get(f"sweep.{per_week}.minus_daily")
    text = "" if more is None else with_interval(more)
    return f"| {per_week} | {number(SWEEP_BEFORE[per_week])} | {number(value.value)} | {text} |"
