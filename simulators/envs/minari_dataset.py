"""Episodes as a Minari data set, with the propensity of every action. Needs the extra ``minari``.

Minari is imported when a data set is written, so that this module can be imported without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import gymnasium
import numpy as np

from simulators.envs.episodes import Episode

if TYPE_CHECKING:
    from minari import MinariDataset

REQUIREMENT = "notification-decision-service[minari]"


def write_minari(dataset_id: str, episode: Episode, env: gymnasium.Env, algorithm: str) -> MinariDataset:
    """Write an episode as one Minari episode per shopper, in Minari's local folder, and return the data set.

    ``infos["propensity"][t]`` is the probability of the action t, ``infos["action_mask"][t]`` its mask (201). Minari
    keeps infos as long as observations, so both have one more entry, NaN and zeros: after the end nothing is drawn.

    Parameters
    ----------
    dataset_id
        Such as ``notification/uniform-v0``.
    env
        An environment from ``gymnasium.make`` with the arguments of the one that was played; ``recover_environment``
        makes it again, if its arguments can be written as JSON: name a scenario, and do not pass a `Scenario`.
    algorithm
        The name of the agent.

    Raises
    ------
    ModuleNotFoundError
        When Minari is not installed; the message says how to install it.
    """
    try:
        import minari
        from minari.data_collector import EpisodeBuffer
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"a Minari data set needs Minari: pip install '{REQUIREMENT}'") from error
    days, shoppers = episode.actions.shape
    last = np.arange(days) == days - 1
    propensities = np.pad(episode.propensities, ((0, 1), (0, 0)), constant_values=np.nan)
    masks = np.pad(episode.masks, ((0, 1), (0, 0), (0, 0)))
    buffers = [
        EpisodeBuffer(
            id=shopper,
            observations=episode.observations[:, shopper],
            actions=episode.actions[:, shopper],
            rewards=episode.rewards[:, shopper],
            terminations=np.zeros(days, dtype=np.bool_),
            truncations=last,
            infos={"propensity": propensities[:, shopper].tolist(), "action_mask": masks[:, shopper]},
        )
        for shopper in range(shoppers)
    ]
    return minari.create_dataset_from_buffers(
        dataset_id,
        buffers,
        env=env,
        algorithm_name=algorithm,
        description="NotificationEnv-v0: one episode per simulated shopper, actions drawn with known propensities.",
        data_format="arrow",
        requirements=[REQUIREMENT.partition("[")[0]],
    )
