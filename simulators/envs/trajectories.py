"""Episodes as rows of the decision log: one row per shopper and day, with the distribution that was drawn from.

`offline_eval.logs.tables.log.write_rewarded_rows` writes the rows as Parquet in the schema of the exported log, so that
``decision-service evaluate`` and every estimator of `offline_eval` read them. The catalogue is that of
`simulators.envs.actions.action_rulebook`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from policies.catalogue.rulebook import Rulebook
from policies.decision_row import HOLD_BY_POLICY, NO_ELIGIBLE_ACTION
from policies.records.arms import TREATMENT
from policies.records.reasons import Reason
from policies.records.rows import DecisionRow, PolicyRecord, Scalar, TriggerRecord, pack
from policies.rules.rules import RULES
from simulators.envs.actions import DAILY, HOLD, action_rulebook
from simulators.envs.daily_decisions import DECISION_HOUR
from simulators.envs.episodes import Episode
from simulators.envs.observations import OBSERVATIONS, count_recent_sends
from simulators.scenario import MONDAY

_DAY_S, _HOUR_S = 86_400, 3_600


def decision_rows(episode: Episode, name: str, start: int = MONDAY) -> Iterator[tuple[DecisionRow, float]]:
    """Yield the decisions of an episode with their rewards, day by day.

    A reward is that of the day after the decision: the sum over a shopper's rows is the return of her episode. The
    context of a row is the observation, by the names in `OBSERVATIONS`, and the number of sends of the last seven days,
    ``recent_sends``, which sequential estimators read.

    Parameters
    ----------
    name
        The name of the policy. It begins every event id and shopper id.
    start
        Epoch seconds of the first midnight: ``Scenario.start``.

    Raises
    ------
    ValueError
        When the agent gave an illegal action a probability: its rows would be no decisions within the eligible set.
    """
    if (episode.probabilities[episode.masks == 0] > 0.0).any():
        raise ValueError("the agent must give illegal actions the probability 0")
    rulebook, days = action_rulebook(), len(episode.actions)
    for day in range(days):
        at = float(start + day * _DAY_S + DECISION_HOUR * _HOUR_S)
        for shopper, reward in enumerate(episode.rewards[day].tolist()):
            yield _row(episode, day, shopper, name, at, rulebook), reward


def _row(episode: Episode, day: int, shopper: int, name: str, at: float, rulebook: Rulebook) -> DecisionRow:
    mask, p = episode.masks[day, shopper] > 0, episode.probabilities[day, shopper]
    drawn = int(episode.actions[day, shopper])
    send = None if drawn == HOLD else rulebook.space[drawn]
    send_at = None if send is None else at + send.delay_s
    verdicts = np.where(mask[:HOLD], Reason.eligible, Reason.no_consent).astype(np.uint8)
    no_send = HOLD_BY_POLICY if mask[:HOLD].any() else NO_ELIGIBLE_ACTION
    return DecisionRow(
        at=at,
        event_id=f"{name}-{shopper}-{day}",
        shopper_id=f"{name}-{shopper}",
        fingerprint="",
        triggers=(TriggerRecord(DAILY, priority=5, expires_at=at + _DAY_S),),
        context=_context(episode.observations[day, shopper]),
        catalogue_version=rulebook.version,
        rules_version=RULES.version,
        policy=PolicyRecord(name, 0, "frozen"),
        arm=TREATMENT,
        answer="",
        verdicts=pack(verdicts),
        probabilities=pack(p[mask]),
        hold_eligible=True,
        drawn=drawn,
        drawn_trigger=None if send is None else 0,
        message=send.message if send else None,
        channel=send.channel if send else None,
        category=rulebook.catalogue.messages[send.message].category if send else None,
        delay_s=send.delay_s if send else None,
        propensity=float(p[drawn]),
        hold_reason=None if send else no_send,
        send_at=send_at,
        window_ends_at=None if send_at is None else send_at + _DAY_S,
        cost=0.0 if send is None else float(rulebook.costs[drawn]),
    )


def _context(observation: NDArray[np.float32]) -> dict[str, Scalar]:
    facts: dict[str, Scalar] = dict(zip(OBSERVATIONS, observation.tolist(), strict=True))
    return facts | {"recent_sends": count_recent_sends(observation)}
