"""``NotificationEnv-v0`` for one shopper."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from simulators.arrays import BoolArray, FloatArray
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


class NotificationEnv(LimitedSpec, gymnasium.Env[Observation, np.int64]):
    """Decide once a day which notification one shopper gets, on which channel and when, or none.

    ## Description
    A shopper of the simulated `World` visits the shop, leaves carts and orders. Every day at 8 h local time the agent
    can send one of eight messages on one of five channels after one of five delays. Messages can cause clicks and
    orders. Too many messages tire the shopper, and an opt-out ends the consent to a channel for good.

    ## Action space
    `Discrete(201)`. Sends are numbered `(message * 5 + channel) * 5 + delay`; 200 is HOLD.

    | slot | values in order |
    |---|---|
    | message | cart_reminder, cart_offer, browse_hint, price_alert, stock_alert, order_thanks, welcome_hello, we_miss_you |
    | channel | push, email, sms, webpush, inapp |
    | delay | 0, 2, 8, 11, 14 hours: sent at 8, 10, 16, 19, 22 h |

    `info["action_mask"]` (201, int8) is 1 for legal actions: sends on channels with consent, and HOLD. `action_masks()`
    returns the same as booleans. Before a shopper joins, only HOLD is legal. An illegal action sends nothing, like
    HOLD, and `info["illegal"]` is then true. An action that is no whole number from 0 to 200 is refused.

    ## Observation space
    `Box(31)`, float32: facts that a shop can know about the shopper. Clicks and triggers are those that the shop hears
    of, by the rules of the scenario (`reports`). With `mask_in_observation=True` it is a `Dict` of `"observations"`
    (this box) and `"action_mask"` (201, int8).

    | index | observation | unit | min | max |
    |---|---|---|---|---|
    | 0, 1 | day of the week | sine, cosine | -1 | 1 |
    | 2 | time passed | share of the episode | 0 | 1 |
    | 3-7 | consent by channel | 0 or 1 | 0 | 1 |
    | 8-12 | sends decided on the last seven days, by channel | sends / 7 | 0 | 1 |
    | 13 | time since the last send; none is 1 | weeks, at most 1 | 0 | 1 |
    | 14 | recent clicks, fading with 28 days | clicks / 10, at most 1 | 0 | 1 |
    | 15 | recent orders without a message, fading with 90 days | orders / 10, at most 1 | 0 | 1 |
    | 16-27 | trigger in the last 24 hours: cart_abandoned, product_viewed, wishlist, post_purchase, price_drop, back_in_stock, low_stock, review_request, replenishment, win_back, welcome, seasonal | 0 or 1 | 0 | 1 |
    | 28 | a promotion runs today | 0 or 1 | 0 | 1 |
    | 29 | the shopper has joined | 0 or 1 | 0 | 1 |
    | 30 | device | 1 mobile, 0 desktop | 0 | 1 |

    `simulators.envs.observations.OBSERVATIONS` are the names of the numbers.

    ## Rewards
    The outcomes of the day after the action, by the API's default weights: .1 per click, .3 of the value of an order
    after a click or an open but at most 20 (and the same with a minus sign for an order that is sent back), -4 for an
    opt-out, -12 for a complaint, minus the costs of the sends decided (SMS .015, e-mail .0005, an offer .4 more).
    Outcomes may belong to sends of earlier days. With `reward="expected"` click,
    order and opt-out are replaced by their true probabilities when the message is seen: the same mean with much less
    noise, and outcomes after the end of the episode are not lost. Rewards are what happens, whatever the shop hears;
    only the delay `report_lag_h` of a scenario also delays the realised rewards of clicks and orders.

    `action_values()` returns the true expected reward of every action now, if nothing else is sent (201, float64; NaN
    for illegal actions): a known truth for contextual bandits, and no part of what an agent may see. It does not
    price the future: what a message costs later by tiring the shopper is not in it.

    ## Starting state
    Monday 8 h, or 8 h of the scenario's first day. `reset` draws two things, each with its own number:

    - the **shopper**: her traits, and all that chance decides about her. `reset(seed=...)` decides them, and every
      further `reset()` draws another shopper. With growth in the scenario she may join later, in any week: the share of
      episodes with a late joiner is the share of late joiners in a large world.
    - the **world** of the shop: how each message appeals to shoppers, and its weekly changes. `info["world"]` is its
      number. Without a choice every reset draws a new world too. `reset(options={"world": 7})` keeps world 7 for
      this and all later episodes, `options={"world": None}` draws a new one each time again. The argument `world` of
      the constructor does the same from the first episode on.

    The scenario with its calendar stays the same over all episodes.

    ## Branching
    `copy.deepcopy(env)` (or pickle) is a branch: it continues as the original would, with the same random numbers
    whatever is sent, so two branches differ by the effect of their actions alone.

    ## Episode end
    Truncated after the weeks of the scenario; the last decision is on the last day but one, so an episode has
    `7 * weeks - 1` steps (`env.spec.max_episode_steps`). Never terminated: a shopper without any consent still
    visits, and only HOLD is legal. A step after the end is refused.

    ## Arguments
    - `scenario`: name of a scenario, or a `Scenario`. Default `"stationary"`.
    - `weeks`: length of an episode, 1 to 104. Default None: the length of the scenario, 12 for all named ones.
    - `reward`: `"realised"` or `"expected"`. Default `"realised"`.
    - `world`: number of the world that all episodes share. Default None: a new world in each episode.
    - `mask_in_observation`: whether observations are a `Dict` with the mask. Default False.
    - `render_mode`: `"ansi"` or None. `render()` returns the shopper's state as text.

    ## Version history
    - v0: first version.
    """  # noqa: E501

    metadata: dict[str, Any] = {"render_modes": RENDER_MODES, "render_fps": 1}  # noqa: RUF012 - the base class declares it so

    def __init__(
        self,
        scenario: str | Scenario = "stationary",
        weeks: int | None = None,
        reward: str = "realised",
        world: int | None = None,
        mask_in_observation: bool = False,
        render_mode: str | None = None,
    ) -> None:
        self.settings = EnvSettings.of(
            scenario, weeks, reward, mask_in_observation=mask_in_observation, render_mode=render_mode
        )
        self.render_mode = render_mode
        self.observation_space = self.settings.observation_space()
        self.action_space = spaces.Discrete(SENDS + 1)
        self._world = check_world(world)
        self._daily: DailyDecisions | None = None
        self._action: int | None = None
        self._rewards = np.zeros(1)
        self._number = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Observation, Info]:
        """Begin an episode with another shopper, in the world of ``options["world"]`` or a new one."""
        world = world_option(options, self._world)
        super().reset(seed=seed)
        self._world = world
        shopper, drawn_world = self.np_random.integers(1 << 31, size=2).tolist()
        self._number = drawn_world if self._world is None else self._world
        seeds = Seeds(self._number, shopper)
        self._daily = DailyDecisions(self.settings.scenario, 1, seeds, expected=self.settings.expected)
        self._action = None
        return row_of(self.settings.observe(self._daily), 0), self._info()

    def step(self, action: np.int64) -> tuple[Observation, float, bool, bool, Info]:
        """Send for today, and let a day pass."""
        daily = self._running()
        if daily.has_ended:
            raise gymnasium.error.ResetNeeded("the episode has ended: call reset before the next step")
        self._rewards = daily.step(np.array([action]))
        self._action = int(action)
        observation = row_of(self.settings.observe(daily), 0)
        return observation, float(self._rewards[0]), False, daily.has_ended, self._info()

    def action_masks(self) -> BoolArray:
        """Return whether each action is legal, (201,)."""
        return np.asarray(self._running().mask()[0], dtype=np.bool_)

    def action_values(self) -> FloatArray:
        """Return the true expected reward of every action if nothing else is sent, (201,); NaN where it is illegal."""
        return np.asarray(self._running().action_values()[0])

    def render(self) -> str | None:
        """Return the shopper's state as text, with ``render_mode="ansi"``."""
        return None if self.render_mode is None else render_row(self._running(), 0, self._action, self._rewards)

    def _running(self) -> DailyDecisions:
        if self._daily is None:
            raise gymnasium.error.ResetNeeded("call reset before the first step")
        return self._daily

    def _info(self) -> Info:
        daily = self._running()
        mask: NDArray[np.int8] = daily.mask()[0]
        return {"action_mask": mask, "illegal": bool(daily.illegal[0]), "world": self._number}
