"""Reactions: the effect of a message tires, depends on the night, and grows in a promotion."""

from __future__ import annotations

from functools import cache
from math import exp

import numpy as np
import pytest

from simulators.scenarios.parameters import PARAMETERS
from simulators.scenarios.scenario import Promo, Scenario, find_scenario
from simulators.senders.broadcast import Broadcast
from simulators.senders.sender import run_sender
from simulators.shoppers.response import return_probability
from simulators.world.tick import Tick
from simulators.world.world import World
from tests.simulators.world.sending import send_to

PUSH, EMAIL, IN_APP = 0, 1, 4


@cache
def email_effects(per_week: int) -> np.ndarray:
    """Return the probabilities of a click and of a return per e-mail read, by week, (2, weeks)."""
    world = World(find_scenario("stationary"), 3_000, 1)
    sums, reads = np.zeros((2, 12)), np.zeros(12)

    def on_tick(tick: Tick) -> None:
        for tickets, chances in tick.chances:
            sums[:, tick.hour // 168] += chances.click.sum(), chances.return_visit.sum()
            reads[tick.hour // 168] += len(tickets)

    run_sender(world, Broadcast(per_week, ("email",), 10), on_tick=on_tick)
    return np.asarray(sums / reads)


def returns_without_overload() -> np.ndarray:
    """Return the probability of a return per daily e-mail, by week, (12,), for a shopper who never clicks.

    She reads the share ``looked`` of the e-mails, each with one of eight messages, and is never overloaded: attention
    and staleness alone tire her.
    """
    traits, returns = PARAMETERS.email, np.zeros(84)
    inattention = staleness = 0.0
    for day in range(84):
        tired = np.array(-PARAMETERS.click_logit_per_staleness * staleness)
        returns[day] = return_probability(np.array(traits.returning), tired, np.array(1.0 - inattention))
        # A send costs `attention_ignore`, so a read e-mail costs that divided by `looked`.
        inattention = (inattention + PARAMETERS.attention_ignore) * exp(-24 * PARAMETERS.attention_recovery_per_h)
        staleness = (staleness + traits.looked / 8) * 2 ** (-24 / PARAMETERS.staleness_half_life_h)
    return np.asarray(returns.reshape(12, 7).mean(axis=1))


def test_returns_after_daily_email_fall_as_clicks_do() -> None:
    """The probabilities, not their draws, over some 5,000 e-mails in each week: their errors are below 3 %.

    Overload tires further, so in week 4 returns have fallen by more than attention and staleness say. Later attention
    and load change no more, and staleness still grows.
    """
    clicks, returns = email_effects(7)
    rested, *_, in_week_4 = returns_without_overload()[:4]
    for week in (3, 11):
        assert returns[week] / returns[0] < in_week_4 / rested
        assert returns[week] / returns[0] == pytest.approx(clicks[week] / clicks[0], abs=0.1)


def test_one_email_a_week_stays_within_a_tenth_of_the_calibrated_effect() -> None:
    _, returns = email_effects(1)
    assert returns.min() >= 0.9 * PARAMETERS.email.returning
    assert returns.max() <= PARAMETERS.email.returning + 1e-12


def opt_outs_by_hour(channel: int) -> np.ndarray:
    """Return the mean probability of an opt-out by the hour of the day at which a message arrives, (24,)."""
    world, sums, reads = World(Scenario("one", weeks=2), 4_000, 1), np.zeros(24), np.zeros(24)
    while world.hour < 24:
        world.step()
    world.state.consent[:] = True
    everybody = np.arange(4_000)
    for hour in range(24):
        send_to(world, everybody[hour::24], channel, delay_h=float(hour))
    for _ in range(24 * 8):
        for tickets, chances in world.step().chances:
            np.add.at(sums, tickets % 24, chances.opt_out / world.population.irritability[tickets])
            np.add.at(reads, tickets % 24, 1.0)
    return np.asarray(sums / reads)


def test_a_message_annoys_from_midnight_to_7_o_clock() -> None:
    """At 0 h half of the shoppers are still in the evening by their own clock, at 3 h nearly nobody is."""
    opt_outs = opt_outs_by_hour(EMAIL) / PARAMETERS.email.opt_out
    assert opt_outs[3] == pytest.approx(PARAMETERS.opt_out_factor_at_night, abs=0.1)
    assert opt_outs[:7].min() >= 1.3
    assert opt_outs[10:22] == pytest.approx(np.ones(12), abs=0.02)


def test_an_in_app_message_annoys_a_little() -> None:
    base = {name: PARAMETERS.channel(name).opt_out for name in ("inapp", "push", "email")}
    assert 0.2 * base["push"] < base["inapp"] < 0.5 * min(base["push"], base["email"])


def test_a_promotion_lifts_what_a_click_converts() -> None:
    orders = []
    for promos in ((), (Promo(0, 7, presence=1.0, orders=1.6, offer_logit=0.0),)):
        world, chances_of_orders = World(Scenario("one", weeks=1, promos=promos, own_orders=False), 2_000, 1), []
        world.step()
        world.state.consent[:] = True
        send_to(world, np.arange(2_000), PUSH, warmth=0.5)
        for _ in range(26):
            chances_of_orders += [chances.order for _, chances in world.step().chances]
        orders.append(np.concatenate(chances_of_orders))
    assert orders[1] == pytest.approx(1.6 * orders[0])


def test_who_opts_out_can_lapse() -> None:
    values = {"lapse_per_opt_out": 1.0, "email.opt_out": 0.5, "lapsed_at_start": 0.0, "lapse_per_visit": 0.0}
    values["win_back_per_visit"] = 0.0
    world = World(Scenario("one", weeks=1, parameters=PARAMETERS.with_values(values)), 1_000, 1)
    world.step()
    world.state.consent[:] = True
    send_to(world, np.arange(1_000), EMAIL)
    for _ in range(100):
        world.step()
    assert (world.state.mental_state.lapsed == ~world.consent[:, EMAIL]).all()
    assert 50 < (~world.consent[:, EMAIL]).sum() < 500
