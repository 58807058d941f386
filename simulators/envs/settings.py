"""What the single and the vectorised environment share: their arguments, spaces, observations and texts."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec

from simulators.arrays import FloatArray
from simulators.envs.actions import CHANNELS, SENDS, describe_action
from simulators.envs.daily_decisions import DECISION_HOUR, DailyDecisions, episode_steps
from simulators.envs.observations import OBSERVATIONS, OBSERVED, TRIGGERS, is_promotion
from simulators.scenarios.scenario import Scenario, find_scenario

Observation = Any
"""An array of float32; with ``mask_in_observation`` a dictionary of arrays, which a type could not tell apart."""
Info = dict[str, Any]

RENDER_MODES = ["ansi"]
_REWARDS = ("realised", "expected")
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True)
class EnvSettings:
    """The arguments of an environment, validated."""

    scenario: Scenario
    expected: bool
    mask_in_observation: bool
    render_mode: str | None

    @classmethod
    def of(
        cls,
        scenario: str | Scenario,
        weeks: int | None,
        reward: str,
        *,
        mask_in_observation: bool,
        render_mode: str | None,
    ) -> EnvSettings:
        """Validate the arguments of an environment.

        Raises
        ------
        ValueError
            When an argument has an impossible value; the message names the argument.
        """
        if reward not in _REWARDS:
            raise ValueError(f"reward must be one of {', '.join(_REWARDS)}, not {reward!r}")
        if render_mode not in (None, *RENDER_MODES):
            raise ValueError(f"render_mode must be None or one of {', '.join(RENDER_MODES)}, not {render_mode!r}")
        chosen = find_scenario(scenario) if isinstance(scenario, str) else scenario
        fitting = chosen if weeks is None else chosen.with_weeks(weeks)
        return cls(fitting, reward == "expected", mask_in_observation, render_mode)

    def spec(self, spec: EnvSpec, longest: int | None = None) -> EnvSpec:
        """Return the specification of an environment with the length of its episodes."""
        steps = episode_steps(self.scenario)
        return replace(spec, max_episode_steps=steps if longest is None else min(steps, longest))

    def observation_space(self) -> spaces.Space[Any]:
        """Return the space of one shopper's observation."""
        low = np.zeros(OBSERVED, dtype=np.float32)
        low[:2] = -1.0
        facts = spaces.Box(low, np.ones(OBSERVED, dtype=np.float32))
        if not self.mask_in_observation:
            return facts
        mask = spaces.Box(0, 1, (SENDS + 1,), dtype=np.int8)
        return spaces.Dict({"observations": facts, "action_mask": mask})

    def observe(self, daily: DailyDecisions) -> Observation:
        """Return the observations of all shoppers."""
        facts = daily.observe()
        return {"observations": facts, "action_mask": daily.mask()} if self.mask_in_observation else facts


class LimitedSpec:
    """The specification of an environment, in which the length of its episodes stands: the environments share it."""

    settings: EnvSettings
    _spec: EnvSpec | None = None
    _longest: int | None = None

    @property
    def spec(self) -> EnvSpec | None:
        """The specification from which the environment was made, with the length of its episodes."""
        return self._spec

    @spec.setter
    def spec(self, spec: EnvSpec | None) -> None:
        self._spec = None if spec is None else self.settings.spec(spec, self._longest)


def world_option(
    options: Mapping[str, Any] | None, world: int | None, known: tuple[str, ...] = ("world",)
) -> int | None:
    """Return the number of the world in the options of a reset; ``world`` if the options name none.

    Raises
    ------
    ValueError
        When an option is unknown, or the number of the world is no number of at least 0.
    """
    if unknown := set(options or ()) - set(known):
        raise ValueError(f"options must be {' or '.join(known)}, not {', '.join(sorted(unknown))}")
    return check_world(options["world"]) if options and "world" in options else world


def check_world(world: int | None) -> int | None:
    """Return the number of a world, or None for a new world in each episode.

    Raises
    ------
    ValueError
        When it is no number of at least 0.
    """
    try:
        number = None if world is None else operator.index(world)
    except TypeError:
        raise ValueError(f"world must be a whole number or None, not {world!r}") from None
    if number is not None and number < 0:
        raise ValueError(f"world must be at least 0, not {number}")
    return number


def row_of(observation: Observation, row: int) -> Observation:
    """Return the observation of one shopper."""
    if isinstance(observation, dict):
        return {name: column[row] for name, column in observation.items()}
    return observation[row]


def render_row(daily: DailyDecisions, row: int, action: int | None, rewards: FloatArray) -> str:
    """Return a shopper's state in words: the day, the consents, the triggers, the last action and its reward."""
    world = daily.world
    day, state = world.hour // 24, daily.observe()[row]
    first = OBSERVATIONS.index(f"trigger_{TRIGGERS[0]}")
    consents = [name for name, has_consent in zip(CHANNELS, world.consent[row], strict=True) if has_consent]
    triggers = [
        name for name, is_recent in zip(TRIGGERS, state[first : first + len(TRIGGERS)], strict=True) if is_recent
    ]
    weekday = _WEEKDAYS[(world.scenario.first_hour // 24 + day) % 7]
    lines = [
        f"week {day // 7 + 1}, {weekday}, {DECISION_HOUR} h"
        + (", promotion" * is_promotion(world.scenario, world.hour)),
        f"consents: {', '.join(consents) or 'none'}" if world.has_joined[row] else "has not joined yet",
        f"triggers of the last day: {', '.join(triggers) or 'none'}",
    ]
    if action is not None:
        legality = ", illegal: nothing was sent" if daily.illegal[row] else ""
        lines.append(f"last action: {describe_action(action)}{legality}; reward {rewards[row]:.3f}")
    return "\n".join(lines)
