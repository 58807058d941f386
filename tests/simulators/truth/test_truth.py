"""The truth: the prospects of joint actions are the means of what happens, and those of a list are those of each."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decision_service.catalogues.file import example
from policies.catalogue.rulebook import Rulebook
from simulators.arrays import FloatArray
from simulators.scenarios.parameters import PARAMETERS
from simulators.scenarios.scenario import Outage, Promo, Scenario
from simulators.senders.random_sender import RandomSender
from simulators.senders.sender import run_sender
from simulators.shoppers.presence import is_night
from simulators.shoppers.sight import look_probability, share_unseen
from simulators.truth.prospects import COLUMNS, Prospects
from simulators.truth.truth import Truth
from simulators.world.deliveries import SeenMessages, Sends
from simulators.world.expected_reward import ExpectedReward
from simulators.world.messages import Messages
from simulators.world.reactions import compute_chances
from simulators.world.world import World
from tests.simulators.world.counting import count_outcomes

_SENDS_ALONE = {"lapse_per_visit": 0.0, "win_back_per_visit": 0.0}
"""Nobody lapses or returns to the shop but because of a send."""

STILL = Scenario("still", weeks=6, own_orders=False, parameters=PARAMETERS.with_values(_SENDS_ALONE))
LIVELY = Scenario(
    "lively",
    weeks=6,
    own_orders=False,
    weekly_shock=0.5,
    taste_flip_week=1,
    promos=(Promo(3, 2, presence=1.5, orders=2.0, offer_logit=1.5),),
    outages=(Outage("sms", 1, 1),),
    parameters=PARAMETERS.with_values(
        {
            **_SENDS_ALONE,
            **{"lapsed_at_start": 0.5, "refunding_share": 1.0, "most_refunds": 0.6},
            **{"uninstall_share": 0.8, "push.opt_out": 0.3, "inapp.opt_out": 0.3, "opt_out_factor_after_click": 0.6},
        }
    ),
)
"""Every mechanism that changes a probability while a message waits, half of the shoppers lapsed, many refunds."""


@cache
def example_book() -> Rulebook:
    return Rulebook.of(example(), 1)


@cache
def tired_world(scenario: Scenario) -> World:
    """Return a world after 160 hours of random sends, on the eve of a new week."""
    world = World(scenario, 60, 1, Messages.of(example_book()))
    run_sender(world, RandomSender(6.0), 160)
    return world


def warmth_of(shoppers: int, messages: dict[int, float]) -> FloatArray:
    warmth = np.full((shoppers, len(example_book().space.messages)), np.nan)
    warmth[:, [*messages]] = [*messages.values()]
    return warmth


def columns(prospects: Prospects) -> FloatArray:
    return np.stack([getattr(prospects, name) for name in COLUMNS])


def loss_probability(prospects: Prospects, channel: int) -> FloatArray:
    """Return the probability that a send ends the consent to a channel, (S, n); 0 without this consent."""
    others = prospects.uninstall if prospects.channels.of_app[channel] else np.zeros_like(prospects.uninstall)
    lost = np.where(prospects.space.channel_of == channel, prospects.own_lost, others)
    return np.asarray(lost * prospects.consent[:, channel, None])


@pytest.mark.parametrize("scenario", [STILL, LIVELY], ids=["still", "lively"])
def test_the_truth_is_the_mean_of_what_happens(example_rulebook: Rulebook, scenario: Scenario) -> None:
    """3,000 shoppers get one random joint action each: |z| < 4.5 for each of 13 means, false-alarm rate 9e-5.

    Rewards and margins are those of the probabilities when the message is seen, without the noise of rare, expensive
    orders.
    """
    shoppers, space, random = 3_000, example_rulebook.space, np.random.default_rng(1)
    world = World(scenario, shoppers, 1, Messages.of(example_rulebook))
    for _ in range(30):
        world.step()
    world.state.consent[:] = True
    lapsed = world.state.mental_state.lapsed.copy()
    everybody, actions = np.arange(shoppers), random.integers(len(space), size=shoppers)
    warmth = np.full((shoppers, len(space.messages)), np.nan)
    warmth[everybody, space.message_of[actions]] = 0.6
    prospects = Truth(world, example_rulebook).prospects(everybody, warmth)
    chosen = dict(zip(COLUMNS, columns(prospects)[:, everybody, actions], strict=True))
    assert (chosen["order"] <= chosen["seen"]).all()
    lost = {
        name: loss_probability(prospects, number)[everybody, actions]
        for number, name in enumerate(world.messages.channels.names)
    }
    delays = np.asarray(space.delays_s)[space.delay_of[actions]] / 3_600.0
    warm = np.full(shoppers, 0.6)
    world.send(Sends(everybody, everybody, space.message_of[actions], space.channel_of[actions], delays, warm))
    ticks = [world.step() for _ in range(800)]

    counts = count_outcomes(ticks)
    counts["opt_out"] += counts["complaint"]
    counts["seen"] = sum(len(tickets) for tick in ticks for tickets, _ in tick.chances)
    counts["uninstall"] = sum(len(tick.uninstalled) for tick in ticks)
    counts["lapse"] = int((world.state.mental_state.lapsed & ~lapsed).sum())
    counts.update(dict(zip(lost, (~world.consent).sum(axis=0).tolist(), strict=True)))
    refund = chosen["order"] - chosen["kept_orders"]
    chances = {**chosen, **lost, "conversion": chosen["order"], "refund": refund, "opt_out": chosen["out"]}
    for name in ("seen", "click", "conversion", "refund", "opt_out", "uninstall", "lapse", *lost):
        p = chances[name]
        assert abs(counts[name] - p.sum()) <= 4.5 * (p * (1.0 - p)).sum() ** 0.5, name

    worth = ExpectedReward.of(example_rulebook, scenario.parameters)
    rewards = np.zeros(shoppers)
    for delivered in (of_type.tickets for tick in ticks for of_type in tick.outcomes if of_type.kind == "delivered"):
        rewards[delivered] = worth.unseen[actions[delivered]]
    for tickets, seen in (seen for tick in ticks for seen in tick.chances):
        rewards[tickets] = (seen.joint() * worth.seen[actions[tickets]]).sum(axis=(1, 2, 3))
    for realised, expected in ((rewards, chosen["reward"]), (world.margins.expected, chosen["margin"])):
        errors = realised - expected
        assert abs(errors.mean()) < 4.5 * errors.std() / shoppers**0.5


def expect_directly(world: World, shopper: int, action: int, warmth: float) -> dict[str, float]:
    """Return the prospects of one joint action as a plain sum over the hours in which its message can be seen."""
    state, rulebook, parameters = world.state, example_book(), world.scenario.parameters
    space, channels, mental = rulebook.space, state.messages.channels, state.mental_state
    message, channel = int(space.message_of[action]), int(space.channel_of[action])
    due = world.hour + space.delays_s[space.delay_of[action]] / 3_600.0
    totals = dict.fromkeys(COLUMNS, 0.0)
    if not state.consent[shopper, channel] or channel in state.channels_in_outage(int(due)):
        return totals
    worth = ExpectedReward.of(rulebook, parameters)
    totals |= {"margin": -float(rulebook.costs[action]), "reward": float(worth.unseen[action])}
    shift, lapsed = state.population.shift_h[[shopper]], bool(mental.lapsed[shopper])
    end, arrival = due + channels.stays_h[channel], np.array([due]) - shift
    visits = 0.0 if lapsed else float(state.population.visits_per_hour[shopper])
    rate = np.array([visits if channels.in_app[channel] else channels.per_hour[channel]])
    presence = state.presence.presence_at(arrival)
    looked = look_probability(channels.looked[[channel]], channels.hour_effect[[channel]], presence)
    looked = looked * (parameters.lapsed_looks if lapsed else 1.0)
    intent = np.maximum(mental.intent(world.hour, np.array([shopper])), warmth)
    for hour in range(int(due), int(np.ceil(end))):
        edges = np.clip([float(hour), hour + 1.0], due, end) - shift
        waited = state.presence.integral_at(edges) - state.presence.integral_at(arrival)
        unseen = share_unseen(waited, rate, channels.tail[[channel]])
        seen = float(looked[0] * (unseen[0] - unseen[1]))
        row = SeenMessages(
            *(np.array([float(hour)]), np.array([0]), np.array([shopper]), np.array([message]), np.array([channel])),
            *(np.array([float(warmth > 0.0)]), intent, np.array([float(world.hour)]), is_night(arrival)),
        )
        chances = compute_chances(state, hour, row)
        joint, outs = chances.joint()[0], (float(chances.opt_out[0]), float(chances.opt_out_after_click[0]))
        uninstall_share = parameters.uninstall_share if channels.of_app[channel] else 0.0
        click, kept, out = float(chances.click[0]), float(chances.kept_orders[0]), float(chances.withdrawals[0])
        stays = [(1.0 - one) * (1.0 - uninstall_share * one) for one in outs]  # neither opt-out nor uninstall
        own_lost = 1.0 - (1.0 - click) * stays[0] - click * stays[1]
        effects = {
            **{"seen": 1.0, "click": click, "order": kept / float(chances.kept[0]), "kept_orders": kept, "out": out},
            **{"own_lost": own_lost, "uninstall": uninstall_share * out},
            "lapse": 0.0 if lapsed else parameters.lapse_per_opt_out * out,
            "margin": kept * parameters.margin * parameters.mean_order_value,
            "reward": float((joint * worth.seen[action]).sum() - worth.unseen[action]),
            "load": float(channels.weight[channel]),
        }
        totals = {name: total + seen * effects[name] for name, total in totals.items()}
    return totals


SCENARIOS = st.sampled_from([STILL, LIVELY])


@given(SCENARIOS, st.integers(0, 59), st.integers(0, 227), st.sampled_from([0.0, 0.3, 1.0]))
def test_prospects_are_the_sums_over_the_hours(scenario: Scenario, shopper: int, action: int, warmth: float) -> None:
    world, book = tired_world(scenario), example_book()
    warm = warmth_of(1, {int(book.space.message_of[action]): warmth})
    prospects = columns(Truth(world, book).prospects(np.array([shopper]), warm))[:, 0, action]
    expected = expect_directly(world, shopper, action, warmth)
    assert prospects == pytest.approx([expected[name] for name in COLUMNS], rel=1e-9, abs=1e-12)


@given(SCENARIOS, st.lists(st.tuples(st.integers(0, 59), st.sets(st.integers(0, 15), max_size=3)), max_size=70))
def test_the_prospects_of_a_shopper_do_not_depend_on_the_list(
    scenario: Scenario, arrivals: list[tuple[int, set[int]]]
) -> None:
    """To the byte, whoever else is in the list."""
    truth = Truth(tired_world(scenario), example_book())
    shoppers = np.array([shopper for shopper, _ in arrivals], dtype=np.int64)
    warmth = [warmth_of(1, dict.fromkeys(messages, 0.5)) for _, messages in arrivals]
    together = truth.prospects(shoppers, np.concatenate([warmth_of(0, {}), *warmth]))
    for row, warm in enumerate(warmth):
        alone = truth.prospects(shoppers[[row]], warm)
        assert columns(alone)[:, 0].tobytes() == columns(together)[:, row].tobytes()


@given(st.integers(0, 59), st.lists(st.floats(0.0, 50.0), min_size=5, max_size=5))
def test_losses_are_the_worth_of_the_lost_consents(shopper: int, worth: list[float]) -> None:
    truth = Truth(tired_world(LIVELY), example_book())
    prospects = truth.prospects(np.array([shopper, shopper]), warmth_of(2, {0: 1.0, 5: 0.3}))
    expected = sum(loss_probability(prospects, number) * one for number, one in enumerate(worth))
    assert prospects.losses(np.array(worth)) == pytest.approx(expected, abs=1e-9)
    assert prospects.losses(np.array([worth, worth])) == pytest.approx(expected, abs=1e-9)


def test_a_send_without_consent_has_no_prospects() -> None:
    world, book = tired_world(STILL), example_book()
    prospects = Truth(world, book).prospects(np.arange(60), warmth_of(60, dict.fromkeys(range(16), 0.5)))
    held = world.consent[:, book.space.channel_of]
    assert not columns(prospects)[:, ~held].any()
    assert (prospects.seen[held] > 0.0).mean() > 0.8  # a lapsed shopper sees no in-app message
