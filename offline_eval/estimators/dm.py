"""The direct method."""

from __future__ import annotations

from offline_eval.batch import FloatArray, LoggedBatch
from offline_eval.estimators.base import Limits, MeanOfOne


class DM(MeanOfOne):
    """The direct method: the mean of v̂(x), the reward model's value under the target.

    Little variance, and all the bias of the reward model, which its interval does not know.

    Examples
    --------
    >>> from offline_eval import LoggedBatch, values
    >>> rows = LoggedBatch.of(reward=[1.0], propensity=[0.5], target_propensity=[0.5], q_chosen=[0.9], v_target=[0.7])
    >>> values([DM()], rows)
    {'dm': 0.7}

    References
    ----------
    Beygelzimer, Langford (2009), The Offset Tree for Learning with Partial Labels.
    """

    name = "dm"
    term = "model"

    def terms(self, rows: LoggedBatch) -> dict[str, FloatArray]:
        """Give the model's values."""
        return {"model": rows.v_target}

    def score_range(self, limits: Limits) -> tuple[float, float]:
        """Give the range of rewards, in which a reward model must predict."""
        return limits.reward_low, limits.reward_high
