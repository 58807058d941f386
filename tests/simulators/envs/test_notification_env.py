"""The environment for one shopper: Gymnasium's own checker, its docstring, what a reset draws, masks and branches."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.envs.actions import HOLD
from simulators.envs.notification_env import NotificationEnv
from simulators.envs.notification_vector_env import NotificationVectorEnv
from simulators.envs.observations import OBSERVATIONS, OBSERVED, TRIGGERS
from simulators.envs.registration import ENV_ID
from simulators.scenarios.report_rules import TRUE_REPORTS, ReportRules
from simulators.scenarios.scenario import SCENARIOS, Outage, Promo, Scenario

JOINED, PROMOTION = OBSERVATIONS.index("joined"), OBSERVATIONS.index("promotion")


@pytest.mark.parametrize("reward", ["realised", "expected"])
@pytest.mark.parametrize("mask_in_observation", [False, True])
def test_the_environment_passes_gymnasiums_checker(reward: str, mask_in_observation: bool) -> None:
    env = gymnasium.make(ENV_ID, weeks=1, reward=reward, mask_in_observation=mask_in_observation, render_mode="ansi")
    check_env(env.unwrapped)


def test_the_docstring_is_the_environment() -> None:
    text, env = NotificationEnv.__doc__ or "", NotificationEnv()
    assert f"Discrete({env.action_space.n})" in text  # type: ignore[attr-defined]
    assert f"Box({OBSERVED})" in text
    assert f"| {OBSERVED - 1} | device |" in text
    assert ", ".join(TRIGGERS) in text
    assert "Version history" in text


@given(
    st.sampled_from(sorted(SCENARIOS)), st.integers(0, 2**31), st.lists(st.integers(0, HOLD), min_size=9, max_size=9)
)
@settings(max_examples=15)
def test_every_step_lies_in_the_spaces(scenario: str, seed: int, actions: list[int]) -> None:
    env = NotificationEnv(scenario, mask_in_observation=True)
    observed, info = env.reset(seed=seed)
    for action in actions:
        assert env.observation_space.contains(observed)
        assert (observed["action_mask"] == info["action_mask"]).all()
        assert (env.action_masks() == info["action_mask"]).all()
        assert env.action_masks().dtype == np.bool_
        observed, reward, terminated, truncated, info = env.step(np.int64(action))
        assert type(reward) is float
        assert not terminated
        assert not truncated


def test_the_mask_is_consent_and_an_illegal_action_sends_nothing() -> None:
    env = NotificationEnv(weeks=2)
    observed, info = env.reset(seed=1)
    mask = info["action_mask"]
    by_channel = mask[:HOLD].reshape(8, 5, 5)
    assert (by_channel == observed[3:8][None, :, None]).all()
    assert mask[HOLD] == 1
    illegal = int(np.flatnonzero(mask == 0)[0])
    observed, _, _, _, info = env.step(np.int64(illegal))
    assert info["illegal"]
    assert not observed[8:13].any(), "nothing was sent"
    legal = int(np.flatnonzero(mask)[0])
    observed, _, _, _, info = env.step(np.int64(legal))
    assert not info["illegal"]
    assert observed[8:13].sum() > 0


@pytest.mark.parametrize("action", [3.0, 3.7, np.float32(2.0), True, "3", None, [3], -1, HOLD + 1, float("nan")])
def test_an_action_that_is_no_number_of_an_action_is_refused(action: Any) -> None:
    env = NotificationEnv(weeks=1)
    env.reset(seed=1)
    before = pickle.dumps(env)
    with pytest.raises(ValueError, match="actions must be"):
        env.step(action)
    assert pickle.dumps(env) == before


@pytest.mark.parametrize("action", [np.int8(3), np.uint64(3), np.array(3), 3])
def test_whole_numbers_of_every_type_are_the_same_action(action: Any) -> None:
    rewards = []
    for choice in (np.int64(3), action):
        env = NotificationEnv(weeks=1, reward="expected")
        env.reset(seed=1)
        rewards.append([env.step(choice)[1] for _ in range(6)])
    assert rewards[0] == rewards[1]


def test_a_reset_draws_shopper_and_world_apart() -> None:
    env = NotificationEnv("seasonal_promo")

    def draw(**arguments: Any) -> tuple[Any, Any]:
        _, info = env.reset(**arguments)
        state = env._running().world.state
        assert info["world"] == env._number
        return state.population.taste.tobytes(), (state.appeal.direction.tobytes(), state.popularity.tobytes())

    shopper, world = draw(seed=3)
    assert draw(seed=3) == (shopper, world)
    next_shopper, next_world = draw()
    assert next_shopper != shopper
    assert next_world != world
    same_shopper, kept_world = draw(seed=3, options={"world": 7})
    assert same_shopper == shopper
    assert kept_world != world
    assert draw() == (next_shopper, kept_world), "later episodes keep the world"
    assert draw(seed=5)[1] == kept_world
    assert draw(seed=3, options={"world": None}) == (shopper, world), "None draws a world again"
    fixed = NotificationEnv("seasonal_promo", world=7)
    fixed.reset(seed=9)
    assert fixed._running().world.state.appeal.direction.tobytes() == kept_world[0]


def test_a_single_shopper_may_join_later_and_can_only_be_held_before() -> None:
    """300 episodes of 12 weeks: the share of late joiners within 4.5 standard deviations of that of a large world."""
    env = NotificationEnv("new_shoppers")
    env.reset(seed=1)
    late = 0
    for _ in range(300):
        observed, info = env.reset()
        assert info["action_mask"].sum() > 1 or not observed[JOINED] or not observed[3:8].any()
        late += not observed[JOINED]
    share = 0.24 / 1.24
    assert abs(late / 300 - share) < 4.5 * (share * (1 - share) / 300) ** 0.5


def test_nothing_falls_on_a_shopper_before_she_joins() -> None:
    """A year of sends in every legal and illegal way: until the shopper joins there is no reward and no consent."""
    env = NotificationEnv("new_shoppers", weeks=52)
    observed, info = env.reset(seed=1)
    while env._running().world.population.joins[0] < 150 * 24:
        observed, info = env.reset()
    random, days = np.random.default_rng(2), 0
    while not observed[JOINED]:
        assert info["action_mask"].tolist() == [0] * HOLD + [1]
        observed, reward, _, _, info = env.step(random.integers(HOLD + 1))
        assert reward == 0.0
        assert not observed[8:13].any()
        days += 1
    assert days > 149
    assert info["action_mask"].sum() > 1


def test_a_scenario_keeps_its_length_and_the_specification_says_it() -> None:
    for arguments, weeks in (({}, 12), ({"weeks": 2}, 2), ({"scenario": Scenario("mine", weeks=3)}, 3)):
        env = gymnasium.make(ENV_ID, **arguments)
        env.reset(seed=1)
        steps, truncated = 0, False
        while not truncated:
            _, _, _, truncated, _ = env.step(HOLD)
            steps += 1
        assert env.spec is not None
        assert steps == weeks * 7 - 1 == env.spec.max_episode_steps
        assert gymnasium.make(env.spec).spec.max_episode_steps == steps  # type: ignore[union-attr]
        with pytest.raises(gymnasium.error.ResetNeeded, match="has ended"):
            env.step(HOLD)
    longer = gymnasium.make(ENV_ID, weeks=20)
    assert longer.spec is not None
    assert longer.spec.max_episode_steps == 139, "no limit of the registration cuts a longer episode"


def test_the_observation_names_promotions_and_every_trigger_that_occurs() -> None:
    scenario = Scenario("lively", weeks=12, promos=(Promo(10, 2),), outages=(Outage("push", 3, 1),))
    env = NotificationVectorEnv(400, scenario)
    observed, _ = env.reset(seed=1)
    occurred = np.zeros(len(TRIGGERS), dtype=np.bool_)
    promotions, truncated = [], np.zeros(1, dtype=np.bool_)
    while not truncated.any():
        promotions.append(observed[:, PROMOTION].tolist())
        occurred |= observed[:, 16:28].any(axis=0)
        observed, _, _, truncated, _ = env.step(np.full(400, HOLD))
    assert [day for day, promotion in enumerate(promotions) if all(promotion)] == [10, 11]
    assert sum(map(sum, promotions)) == 800
    assert dict(zip(TRIGGERS, occurred.tolist(), strict=True)) == dict.fromkeys(TRIGGERS, True) | {"welcome": False}


@given(st.integers(0, 2**20), st.integers(0, 12), st.booleans())
@settings(max_examples=15)
def test_a_copy_is_a_branch_that_continues_as_the_original(seed: int, before: int, by_pickle: bool) -> None:
    env = NotificationEnv("seasonal_promo")
    env.reset(seed=seed)
    for _ in range(before):
        env.step(np.int64(seed % HOLD))
    branch = pickle.loads(pickle.dumps(env)) if by_pickle else copy.deepcopy(env)
    other = copy.deepcopy(env)
    for _ in range(5):
        other.step(np.int64(HOLD))
    for action in (0, 7, HOLD, 3, 199):
        steps = [one.step(np.int64(action)) for one in (env, branch)]
        assert steps[0][0].tolist() == steps[1][0].tolist()
        assert steps[0][1] == steps[1][1]
    assert env.reset()[1]["world"] == branch.reset()[1]["world"]


def test_an_environment_does_not_grow_over_a_long_episode() -> None:
    """Day 40 has as many waiting sends and triggers as day 269; a byte kept for each decision in between would show."""
    env = NotificationVectorEnv(8, weeks=40, reward="expected")
    env.reset(seed=1)
    sizes = []
    for day in range(270):
        env.step(np.full(8, day % HOLD))
        if day in (40, 269):
            sizes.append(len(pickle.dumps(env)))
    assert sizes[1] - sizes[0] < 8 * (269 - 40)


def test_the_text_of_a_shopper() -> None:
    env = NotificationEnv("seasonal_promo", render_mode="ansi")
    env.reset(seed=2)
    assert (env.render() or "").startswith("week 1, Monday, 8 h\nconsents: ")
    for _ in range(28):
        env.step(np.int64(HOLD))
    text = env.render() or ""
    assert text.startswith("week 5, Monday, 8 h, promotion\n")
    assert "seasonal" in text
    assert text.endswith("last action: hold; reward 0.000")
    assert NotificationEnv().render() is None


def test_the_identifier_names_a_module_instead_of_an_import() -> None:
    assert gymnasium.make("simulators.envs:NotificationEnv-v0", weeks=1).spec is not None


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"weeks": 0}, "weeks must lie"),
        ({"scenario": "drift", "weeks": 4}, "^weeks must be at least 6 for the scenario 'drift', not 4"),
        ({"scenario": "sunny"}, "scenario must be one of"),
        ({"reward": "best"}, "reward must be one of"),
        ({"world": -1}, "world must be at least 0"),
        ({"world": 1.5}, "world must be a whole number"),
        ({"render_mode": "human"}, "render_mode must be"),
    ],
)
def test_impossible_environments_are_refused_by_name(changes: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        NotificationEnv(**changes)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=complaint):
        NotificationVectorEnv(**changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"wrld": 7}, "options must be world, not wrld"),
        ({"reset_mask": np.array([True])}, "options must be world, not reset_mask"),
        ({"world": -7}, "world must be at least 0"),
        ({"world": "7"}, "world must be a whole number"),
    ],
)
def test_impossible_options_are_refused_by_name(options: dict[str, Any], complaint: str) -> None:
    env = NotificationEnv()
    env.reset(seed=1)
    before = pickle.dumps(env)
    with pytest.raises(ValueError, match=complaint):
        env.reset(seed=2, options=options)
    assert pickle.dumps(env) == before


def test_a_step_needs_a_reset() -> None:
    for act in ("action_masks", "action_values"):
        with pytest.raises(gymnasium.error.ResetNeeded):
            getattr(NotificationEnv(), act)()
    with pytest.raises(gymnasium.error.ResetNeeded):
        NotificationEnv().step(np.int64(0))


CLICKS = OBSERVATIONS.index("clicks")
OF_VISITS = [OBSERVATIONS.index(f"trigger_{kind}") for kind in ("cart_abandoned", "product_viewed", "wishlist")]
WRONG_REPORTS = ReportRules(
    attribution="any_touch",
    machine_clicks=0.3,
    missing=0.3,
    late=0.3,
    repeated=0.3,
    wrong_zones=0.5,
    zone_error_h=3.0,
    recognised=0.5,
)


def play(reports: ReportRules) -> tuple[Any, Any, Any]:
    """Send at random to 100 shoppers; return the observations and rewards of each day, and the values at the end."""
    scenario, random = Scenario("busy", visits_per_week=5.0, reports=reports), np.random.default_rng(1)
    env = NotificationVectorEnv(100, scenario, weeks=3)
    env.reset(seed=1)
    days = [env.step(random.integers(0, HOLD, 100))[:2] for _ in range(20)]
    observed, rewards = (np.stack(column) for column in zip(*days, strict=True))
    return observed, rewards, env.action_values()


def test_rewards_are_what_happens_and_observations_what_is_reported() -> None:
    (observed, *happens), (reported, *same) = play(TRUE_REPORTS), play(WRONG_REPORTS)
    for one, other in zip(happens, same, strict=True):
        np.testing.assert_array_equal(one, other)
    differ = (observed != reported).any(axis=(0, 1))
    assert np.flatnonzero(differ).tolist() == [CLICKS, *OF_VISITS]


def test_an_agent_does_not_see_what_the_shop_does_not_know() -> None:
    observed, _, _ = play(ReportRules(missing=1.0, recognised=0.0))
    assert not observed[..., [CLICKS, *OF_VISITS]].any()
