"""The replay: the same arrivals and moods for every shop, and comparisons that are paired and clustered."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.policy import rule, uniform
from policies.rulebook import Rulebook
from simulators.buyer_response import Buyers, Notification
from simulators.comparison import Run, clustered_mean, difference
from simulators.local_shop import LocalShop
from simulators.purchases import Purchase
from simulators.replay import DAY_S, Record, Replay
from tests.factories import NOW


def purchases(number: int = 300) -> list[Purchase]:
    return [
        Purchase(f"i{each}", f"s{each * 7 % 40}", NOW + each * 5_000.0, 10.0 + each % 30, "Lantern", "UK")
        for each in range(number)
    ]


def records(rulebook: Rulebook, *, seed: int = 1, of: str = "rule") -> list[Record]:
    policy = {"rule": rule(epsilon=0.0), "uniform": uniform()}[of]
    shop = LocalShop(policy, rulebook, b"draws")
    return Replay(shop, rulebook.catalogue, seed).run(purchases())


def test_a_seed_gives_the_same_replay_and_another_one_another(example_rulebook: Rulebook) -> None:
    assert records(example_rulebook) == records(example_rulebook)
    assert records(example_rulebook) != records(example_rulebook, seed=2)


def test_every_purchase_asks_once_and_some_respond(example_rulebook: Rulebook) -> None:
    own = records(example_rulebook)
    assert len(own) == len(purchases())
    kinds = {outcome.type for record in own for outcome in record.outcomes}
    assert kinds >= {"delivered", "click"}
    assert all(record.action is not None for record in own if record.outcomes)


def test_nobody_is_reached_on_a_channel_after_leaving_it(example_rulebook: Rulebook) -> None:
    left: dict[tuple[str, str], float] = {}
    for record in records(example_rulebook, seed=5):
        if record.action is None:
            continue
        key, send_at = (record.shopper, record.action.channel), record.at + record.action.delay_s
        if record.reached:
            assert send_at < left.get(key, np.inf)
        for outcome in record.outcomes:
            if outcome.type == "opt_out":
                left[key] = min(left.get(key, np.inf), outcome.at)
    assert left, "nobody left: this proves nothing"


def test_shops_that_choose_alike_meet_the_same_moods(example_rulebook: Rulebook) -> None:
    one, other = records(example_rulebook), records(example_rulebook, of="uniform")
    alike = [
        (first, second)
        for first, second in zip(one, other, strict=True)
        if first.action == second.action and first.reached and second.reached
    ]
    assert alike
    assert [first.at for first in one] == [second.at for second in other]


@given(
    shopper=st.text("abc", min_size=1, max_size=3),
    channel=st.sampled_from(["push", "email", "sms", "webpush", "inapp", "new"]),
    sent=st.lists(st.floats(NOW, NOW + 30 * DAY_S), max_size=5),
    at=st.floats(NOW, NOW + 30 * DAY_S),
)
def test_probabilities_are_probabilities_and_fatigue_only_hurts(
    shopper: str, channel: str, sent: list[float], at: float
) -> None:
    fresh, tired = Buyers(1), Buyers(1)
    for number, each in enumerate(sent):
        tired.respond(shopper, Notification(f"e{number}", channel, "cart", each))
    asked = Notification("asked", channel, "cart", at)
    assert 0 < tired.click_probability(shopper, asked) <= fresh.click_probability(shopper, asked) < 1
    assert 0 < fresh.out_probability(shopper, asked) <= tired.out_probability(shopper, asked) < 1


def test_clicks_come_as_often_as_their_probability_says() -> None:
    """20,000 notifications to new buyers: |z| < 4.5, false-alarm rate 7e-6."""
    buyers, happened, expected, variance = Buyers(3), 0, 0.0, 0.0
    for number in range(20_000):
        notification = Notification(f"e{number}", "push", "cart", NOW + number)
        p = buyers.click_probability(f"s{number}", notification)
        happened += any(each.type == "click" for each in buyers.respond(f"s{number}", notification))
        expected, variance = expected + p, variance + p * (1 - p)
    assert abs(happened - expected) < 4.5 * variance**0.5


def test_a_run_against_itself_differs_by_nothing(example_rulebook: Rulebook) -> None:
    run = Run.of("rule", records(example_rulebook), example_rulebook.catalogue)
    estimate = difference(run, run, run.last_quarter())
    assert (estimate.value, estimate.low, estimate.high) == (0.0, 0.0, 0.0)
    assert sum(week.decisions for week in run.weeks()) == len(purchases())


def test_the_interval_covers_the_mean_of_clustered_values_at_its_rate() -> None:
    """2,000 samples of 200 clusters: 95 % within ± 2 points, false-alarm rate 4e-5."""
    random = np.random.default_rng(1)
    clusters = np.repeat(np.arange(200), 5).astype(str)
    covered = 0
    for _ in range(2_000):
        values = np.repeat(random.normal(size=200), 5) + random.normal(size=1_000)
        estimate = clustered_mean(values, clusters)
        covered += estimate.low <= 0.0 <= estimate.high
    assert covered / 2_000 == pytest.approx(0.95, abs=0.02)
