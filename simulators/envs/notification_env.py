"""The environments for reinforcement learning: ``NotificationEnv-v0``, single and vectorised."""

from __future__ import annotations

from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from simulators.envs.daily_decisions import HOLD, OBSERVED, SENDS, DailyDecisions
from simulators.scenario import Scenario, find_scenario

ENV_ID = "NotificationEnv-v0"

Observation = NDArray[np.float32]
Info = dict[str, Any]

_REWARDS = ("realised", "expected")


def observation_space() -> spaces.Box:
    """Return the space of one shopper's observation."""
    low = np.zeros(OBSERVED, dtype=np.float32)
    low[:2] = -1.0
    return spaces.Box(low, np.ones(OBSERVED, dtype=np.float32))


class NotificationEnv(gymnasium.Env[Observation, np.int64]):
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

    `info["action_mask"]` (201, int8) is 1 for legal actions: sends on channels with consent, and HOLD. An illegal
    action sends nothing, like HOLD, and `info["illegal"]` is then 1.

    ## Observation space
    `Box(28)`, float32: facts that a shop can know about the shopper.

    | index | observation | unit | min | max |
    |---|---|---|---|---|
    | 0, 1 | day of the week | sine, cosine | -1 | 1 |
    | 2 | time passed | share of the episode | 0 | 1 |
    | 3-7 | consent by channel | 0 or 1 | 0 | 1 |
    | 8-12 | sends decided on the last seven days, by channel | sends / 7 | 0 | 1 |
    | 13 | time since the last send; none is 1 | weeks, at most 1 | 0 | 1 |
    | 14 | recent clicks, fading with 28 days | clicks / 10, at most 1 | 0 | 1 |
    | 15 | recent orders without a message, fading with 90 days | orders / 10, at most 1 | 0 | 1 |
    | 16-26 | trigger in the last 24 hours: cart_abandoned, product_viewed, wishlist, price_drop, back_in_stock, low_stock, post_purchase, review_request, replenishment, win_back, welcome | 0 or 1 | 0 | 1 |
    | 27 | device | 1 mobile, 0 desktop | 0 | 1 |

    ## Rewards
    The outcomes of the day after the action, by the API's default weights: .1 per click, .3 of the value of an order
    after a click or an open but at most 20, -4 for an opt-out, -12 for a complaint, minus the costs of the sends
    decided (SMS .015, e-mail .0005). Outcomes may belong to sends of earlier days. With `reward="expected"` click,
    order and opt-out are replaced by their true probabilities when the message is seen: the same mean with much less
    noise, and outcomes after the end of the episode are not lost.

    ## Starting state
    Monday 8 h, with a shopper drawn from the population; `reset(seed=...)` decides the shopper's traits and reactions.

    ## Episode end
    Truncated after `weeks` weeks; the last decision is on the last day but one. Never terminated: a shopper without
    any consent still visits, and only HOLD is legal.

    ## Arguments
    - `scenario`: name of a scenario, or a `Scenario`. Default `"stationary"`.
    - `weeks`: length of an episode, 1 to 104. Default 12.
    - `reward`: `"realised"` or `"expected"`. Default `"realised"`.

    ## Version history
    - v0: first version.
    """  # noqa: E501

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 - the base class declares it so

    def __init__(
        self,
        scenario: str | Scenario = "stationary",
        weeks: int = 12,
        reward: str = "realised",
        render_mode: None = None,
    ) -> None:
        self._scenario = _resolve_scenario(scenario, weeks, reward)
        self._expected = reward == "expected"
        self.render_mode = render_mode
        self.observation_space = observation_space()  # type: ignore[assignment] # Box is typed by all its kinds
        self.action_space = spaces.Discrete(SENDS + 1)
        self._daily: DailyDecisions | None = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Observation, Info]:
        """Begin an episode with another shopper."""
        super().reset(seed=seed)
        self._daily = DailyDecisions(self._scenario, 1, int(self.np_random.integers(1 << 31)), expected=self._expected)
        return self._daily.observe()[0], self._info(self._daily)

    def step(self, action: np.int64) -> tuple[Observation, float, bool, bool, Info]:
        """Send for today, and let a day pass."""
        if self._daily is None:
            raise gymnasium.error.ResetNeeded("call reset before the first step")
        rewards = self._daily.step(np.array([action]))
        return self._daily.observe()[0], float(rewards[0]), False, self._daily.has_ended, self._info(self._daily)

    def _info(self, daily: DailyDecisions) -> Info:
        return {"action_mask": daily.mask()[0], "illegal": bool(daily.illegal[0])}


class NotificationVectorEnv(VectorEnv[Observation, NDArray[np.int64], NDArray[Any]]):
    """Many shoppers of one world at once; each sub-environment is like `NotificationEnv`.

    All episodes end together, and the next step begins new ones (autoreset mode NEXT_STEP).
    `info["action_mask"]` has shape (num_envs, 201).
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": [], "autoreset_mode": AutoresetMode.NEXT_STEP}  # type: ignore[misc]

    def __init__(
        self,
        num_envs: int = 1,
        scenario: str | Scenario = "stationary",
        weeks: int = 12,
        reward: str = "realised",
        render_mode: None = None,
    ) -> None:
        if num_envs < 1:
            raise ValueError(f"num_envs must be at least 1, not {num_envs}")
        self._scenario = _resolve_scenario(scenario, weeks, reward)
        self._expected = reward == "expected"
        self.num_envs = num_envs
        self.render_mode = render_mode
        self.single_observation_space = observation_space()
        self.single_action_space = spaces.Discrete(SENDS + 1)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._daily: DailyDecisions | None = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Observation, Info]:
        """Begin episodes with other shoppers."""
        super().reset(seed=seed)
        self._daily = self._new_world()
        return self._daily.observe(), self._info(self._daily)

    def _new_world(self) -> DailyDecisions:
        seed = int(self.np_random.integers(1 << 31))
        return DailyDecisions(self._scenario, self.num_envs, seed, expected=self._expected)

    def step(self, actions: NDArray[np.int64]) -> tuple[Observation, NDArray[Any], NDArray[Any], NDArray[Any], Info]:
        """Send to every shopper for today, and let a day pass."""
        if self._daily is None:
            raise gymnasium.error.ResetNeeded("call reset before the first step")
        nobody = np.zeros(self.num_envs, dtype=np.bool_)
        if self._daily.has_ended:
            self._daily = self._new_world()
            rewards = np.zeros(self.num_envs)
        else:
            rewards = self._daily.step(actions)
        truncated = np.full(self.num_envs, self._daily.has_ended)
        return self._daily.observe(), rewards, nobody, truncated, self._info(self._daily)

    def _info(self, daily: DailyDecisions) -> Info:
        return {"action_mask": daily.mask(), "illegal": daily.illegal}


def _resolve_scenario(scenario: str | Scenario, weeks: int, reward: str) -> Scenario:
    if reward not in _REWARDS:
        raise ValueError(f"reward must be one of {', '.join(_REWARDS)}, not {reward!r}")
    chosen = find_scenario(scenario) if isinstance(scenario, str) else scenario
    return chosen if chosen.weeks == weeks else chosen.with_weeks(weeks)


def register() -> None:
    """Register the environment for ``gymnasium.make("NotificationEnv-v0")`` and ``make_vec``.

    Importing this module registers it: ``gymnasium.make("simulators.envs.notification_env:NotificationEnv-v0")``.
    """
    if ENV_ID not in gymnasium.registry:
        gymnasium.register(
            ENV_ID,
            entry_point="simulators.envs.notification_env:NotificationEnv",
            vector_entry_point="simulators.envs.notification_env:NotificationVectorEnv",
        )


register()

__all__ = ["ENV_ID", "HOLD", "NotificationEnv", "NotificationVectorEnv", "observation_space", "register"]
