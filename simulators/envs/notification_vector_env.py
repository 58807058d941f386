"""``NotificationEnv-v0`` for many shoppers at once."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from simulators.arrays import BoolArray, FloatArray, Indices
from simulators.envs.actions import SENDS
from simulators.envs.daily_decisions import DailyDecisions
from simulators.envs.settings import (
    RENDER_MODES,
    EnvSettings,
    Info,
    LimitedSpec,
    Observation,
    check_world,
    render_row,
    row_of,
    world_option,
)
from simulators.random_streams import Seeds
from simulators.scenarios.scenario import Scenario

Step = tuple[Observation, FloatArray, BoolArray, BoolArray, Info]


class NotificationVectorEnv(LimitedSpec, VectorEnv[Observation, NDArray[np.int64], NDArray[Any]]):
    """Many shoppers of one world at once; each row is like a `NotificationEnv`.

    The rows share the world of the shop, which `NotificationEnv` describes, and its calendar: all episodes begin and
    end together. The arrays of observations, masks, rewards and infos have a first axis of length ``num_envs``.

    ## Seeds
    `reset(seed=3)` draws the shoppers of all rows, and a row is the same shopper whatever `num_envs`; row 0 is the
    shopper of `NotificationEnv().reset(seed=3)`. `reset(seed=[3, 1, 4])` has one seed per row: each row is the shopper
    of a single environment with this seed, now and in all later episodes. Rows share the world of row 0, unless
    `options["world"]` or the argument `world` names another.

    ## Autoreset
    `autoreset_mode` is an `AutoresetMode` or its value. NEXT_STEP (default): the step after the end ignores its actions
    and begins new episodes with rewards of 0. SAME_STEP: the last step returns the first observations of the new
    episodes, and `info["final_obs"]` and `info["final_info"]` those of the end. DISABLED: a step after the end is
    refused until `reset`. As all episodes end together, `options["reset_mask"]` must be true for all rows.

    ## Arguments
    Those of `NotificationEnv`, and

    - `num_envs`: the number of rows. Default 1.
    - `autoreset_mode`: see above.
    - `max_episode_steps`: truncates episodes after so many steps. Default None: the length of the scenario.
    """

    metadata: ClassVar[dict[str, Any]] = {  # type: ignore[misc]
        "render_modes": RENDER_MODES,
        "render_fps": 1,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        num_envs: int = 1,
        scenario: str | Scenario = "stationary",
        weeks: int | None = None,
        reward: str = "realised",
        world: int | None = None,
        mask_in_observation: bool = False,
        render_mode: str | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        max_episode_steps: int | None = None,
    ) -> None:
        if num_envs < 1:
            raise ValueError(f"num_envs must be at least 1, not {num_envs}")
        if max_episode_steps is not None and max_episode_steps < 1:
            raise ValueError(f"max_episode_steps must be at least 1, not {max_episode_steps}")
        self.settings = EnvSettings.of(
            scenario, weeks, reward, mask_in_observation=mask_in_observation, render_mode=render_mode
        )
        self.num_envs = num_envs
        self.render_mode = render_mode
        self.single_observation_space = self.settings.observation_space()
        self.single_action_space = spaces.Discrete(SENDS + 1)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._mode = AutoresetMode(autoreset_mode)
        self.metadata = {**self.metadata, "autoreset_mode": self._mode}  # type: ignore[misc]
        self._longest = max_episode_steps
        self._world = check_world(world)
        self._daily: DailyDecisions | None = None
        self._generators: list[np.random.Generator] = []
        self._actions: Indices | None = None
        self._rewards = np.zeros(num_envs)
        self._steps = self._number = 0

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, Info]:
        """Begin episodes with other shoppers, in the world of ``options["world"]`` or a new one."""
        if options and "reset_mask" in options:
            self._check_reset_mask(options["reset_mask"])
        world = world_option(options, self._world, ("world", "reset_mask"))
        if isinstance(seed, Sequence | np.ndarray):
            self._seed_rows(seed)
        elif seed is not None:
            super().reset(seed=seed)
            self._generators = []
        self._world = world
        return self._begin()

    def _check_reset_mask(self, mask: BoolArray) -> None:
        if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape != (self.num_envs,):
            raise ValueError(f"reset_mask must be an array of {self.num_envs} booleans")
        if not mask.all():
            raise ValueError(
                "reset_mask must be true for all rows: they share one calendar, and their episodes end together"
            )

    def _seed_rows(self, seeds: Sequence[int | None]) -> None:
        if len(seeds) != self.num_envs:
            raise ValueError(f"seed must be a number, or one number per row: {self.num_envs}, not {len(seeds)}")
        self._generators = [seeding.np_random(None if seed is None else operator.index(seed))[0] for seed in seeds]
        self.np_random = self._generators[0]

    def _begin(self) -> tuple[Observation, Info]:
        """Draw shoppers and world, and return the first observations."""
        seeds = self._draw_seeds()
        self._number = seeds.shop
        self._daily = DailyDecisions(self.settings.scenario, self.num_envs, seeds, expected=self.settings.expected)
        self._actions, self._steps = None, 0
        return self.settings.observe(self._daily), self._info(self._daily)

    def _draw_seeds(self) -> Seeds:
        draws = [random.integers(1 << 31, size=2).tolist() for random in self._generators or [self.np_random]]
        shop = draws[0][1] if self._world is None else self._world
        return Seeds(shop, tuple(shopper for shopper, _ in draws) if self._generators else draws[0][0])

    def step(self, actions: NDArray[np.int64]) -> Step:
        """Send to every shopper for today, and let a day pass."""
        daily, nobody = self._running(), np.zeros(self.num_envs, dtype=np.bool_)
        if self._has_ended(daily):
            if self._mode == AutoresetMode.DISABLED:
                raise gymnasium.error.ResetNeeded("the episodes have ended: call reset before the next step")
            observation, info = self._begin()
            return observation, np.zeros(self.num_envs), nobody, nobody.copy(), info
        self._rewards = daily.step(actions)
        self._actions, self._steps = np.asarray(actions), self._steps + 1
        truncated = np.full(self.num_envs, self._has_ended(daily))
        observation, info = self.settings.observe(daily), self._info(daily)
        if truncated.all() and self._mode == AutoresetMode.SAME_STEP:
            final = self._final(observation, info)
            observation, info = self._begin()
            info |= final
        return observation, self._rewards.copy(), nobody, truncated, info

    def _has_ended(self, daily: DailyDecisions) -> bool:
        return daily.has_ended or self._steps == self._longest

    def _final(self, observation: Observation, info: Info) -> Info:
        """Return the last observations and infos of the episodes, as Gymnasium's vector environments return them."""
        last = np.empty(self.num_envs, dtype=object)
        for row in range(self.num_envs):
            last[row] = row_of(observation, row)
        everybody = np.ones(self.num_envs, dtype=np.bool_)
        return {"final_obs": last, "_final_obs": everybody, "final_info": info, "_final_info": everybody.copy()}

    def action_masks(self) -> BoolArray:
        """Return whether each action is legal, (num_envs, 201)."""
        return self._running().mask().astype(np.bool_)

    def action_values(self) -> FloatArray:
        """Return the true expected reward of every action now, (num_envs, 201): see `NotificationEnv.action_values`."""
        return self._running().action_values()

    def render(self) -> tuple[str, ...] | None:
        """Return the state of each shopper as text, with ``render_mode="ansi"``."""
        if self.render_mode is None:
            return None
        daily, actions = self._running(), self._actions
        return tuple(
            render_row(daily, row, None if actions is None else int(actions[row]), self._rewards)
            for row in range(self.num_envs)
        )

    def _running(self) -> DailyDecisions:
        if self._daily is None:
            raise gymnasium.error.ResetNeeded("call reset before the first step")
        return self._daily

    def _info(self, daily: DailyDecisions) -> Info:
        world = np.full(self.num_envs, self._number)
        return {"action_mask": daily.mask(), "illegal": daily.illegal.copy(), "world": world}
