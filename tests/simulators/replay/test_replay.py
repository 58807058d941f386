"""The replay: the same arrivals and moods for every shop, everybody's own pace, comparisons paired and clustered."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.catalogue.rulebook import Rulebook
from policies.models.rule import rule_policy
from policies.models.uniform import uniform_policy
from simulators.experiments.comparison import Run, clustered_mean, difference, realised_difference
from simulators.experiments.decision_log import DecisionOutcomes
from simulators.replay.pace import DAY_S, SHORTEST_S, Pace
from simulators.replay.purchases import Purchase
from simulators.replay.replay import Replay, scenario_of
from simulators.shops.base import Arrival
from simulators.shops.local import FixedPolicy, LocalShop
from tests.factories import NOW


def purchases(number: int = 300) -> list[Purchase]:
    return [
        Purchase(f"i{each}", f"s{each * each * 7 % 41}", NOW + each * 9_000.0, 10.0 + each % 30, "Lantern")
        for each in range(number)
    ]


class Listening(LocalShop):
    """A shop that remembers what it was asked."""

    arrivals: list[Arrival]

    def decide(self, arrivals):  # type: ignore[no-untyped-def]
        self.arrivals = [*getattr(self, "arrivals", []), *arrivals]
        return super().decide(arrivals)


def replayed(rulebook: Rulebook, *, seed: int = 1, of: str = "rule") -> tuple[list[DecisionOutcomes], Listening]:
    policy = {"rule": rule_policy(epsilon=0.0), "uniform": uniform_policy()}[of]
    shop = Listening(FixedPolicy(policy), rulebook, b"draws")
    return Replay(shop, rulebook, purchases(), seed).run(), shop


def test_a_seed_gives_the_same_replay_and_another_one_another(example_rulebook: Rulebook) -> None:
    assert replayed(example_rulebook)[0] == replayed(example_rulebook)[0]
    assert replayed(example_rulebook)[0] != replayed(example_rulebook, seed=2)[0]


def test_every_purchase_asks_and_shoppers_are_asked_again_at_their_own_pace(example_rulebook: Rulebook) -> None:
    records, shop = replayed(example_rulebook)
    kinds = [happening.type for arrival in shop.arrivals for happening in arrival.happenings]
    assert {"welcome", "first_order", "post_purchase", "replenishment"} <= set(kinds)
    assert sum(kind in {"welcome", "first_order"} for kind in kinds) == len({each.shopper for each in purchases()})
    assert len(records) == len(shop.arrivals) >= len(purchases())
    assert {told.type for record in records for told in record.outcomes} >= {"delivered", "open", "click"}
    assert all(record.action is not None for record in records if record.outcomes)


def test_nobody_is_reached_on_a_channel_after_leaving_it(example_rulebook: Rulebook) -> None:
    shop = LocalShop(FixedPolicy(rule_policy(epsilon=0.0)), example_rulebook, b"draws")
    irritable = dataclasses.replace(scenario_of(purchases()), irritability=20.0)
    left: dict[tuple[str, str], float] = {}
    for record in Replay(shop, example_rulebook, purchases(), 5, irritable).run():
        if record.action is None:
            continue
        key, send_at = (record.shopper, record.action.channel), record.at + record.action.delay_s
        if record.reached:
            assert send_at < left.get(key, np.inf) + 3_600.0  # the hour in which somebody leaves counts as one
        for outcome in record.outcomes:
            if outcome.type in {"opt_out", "complaint"}:
                left[key] = min(left.get(key, np.inf), outcome.at)
    assert left, "nobody left: this proves nothing"


def test_shops_meet_the_same_arrivals(example_rulebook: Rulebook) -> None:
    one, other = replayed(example_rulebook)[0], replayed(example_rulebook, of="uniform")[0]
    assert [(first.event_id, first.at, first.shopper) for first in one] == [
        (second.event_id, second.at, second.shopper) for second in other
    ]


@given(st.lists(st.floats(0, 200 * DAY_S), min_size=1, max_size=12).map(sorted))
def test_what_is_due_comes_after_the_order_and_only_if_no_other_order_came(times: list[float]) -> None:
    pace = Pace()
    for at in times:
        before = pace.due(at)
        assert all(when < at for when, _, _ in before)
        pace.ordered("s", at)
    due = pace.due(np.inf)
    assert [kind for _, _, kind in due] in (["replenishment", "win_back"], ["win_back"], [])
    assert all(when >= times[0] + SHORTEST_S for when, _, _ in due)


def test_a_run_against_itself_differs_by_nothing(example_rulebook: Rulebook) -> None:
    run = Run.of("rule", replayed(example_rulebook)[0], example_rulebook.catalogue)
    for estimate in (
        difference(run, run, run.last_quarter()),
        realised_difference(run, run, run.last_quarter()),
    ):
        assert (estimate.value, estimate.low, estimate.high) == (0.0, 0.0, 0.0)
    assert sum(week.decisions for week in run.weeks()) == len(run.rewards)


def test_expected_rewards_have_the_mean_of_the_realised_ones(example_rulebook: Rulebook) -> None:
    """Realised minus expected over ten replays of 300 purchases: |t| < 5.5, false-alarm rate 4e-4."""
    gaps = []
    for seed in range(10):
        run = Run.of("u", replayed(example_rulebook, seed=seed, of="uniform")[0], example_rulebook.catalogue)
        gaps.append(float((run.rewards - run.expected).mean()))
    assert abs(np.mean(gaps)) < 5.5 * np.std(gaps, ddof=1) / len(gaps) ** 0.5


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
