"""The direct method."""

from __future__ import annotations

from offline_eval.batch import LoggedBatch
from offline_eval.columns import FloatArray
from offline_eval.estimators.base import Limits, MeanOfOne


class DM(MeanOfOne):
    """The direct method: the mean of v̂(x), the reward model's value under the target.

    It has little variance and all of the reward model's bias, and its interval does not contain that bias.

    Examples
    --------
    >>> from offline_eval import LoggedBatch, estimate_values
    >>> batch = LoggedBatch.of(reward=[1.0], propensity=[0.5], target_propensity=[0.5], q_chosen=[0.9], v_target=[0.7])
    >>> estimate_values([DM()], batch)
    {'dm': 0.7}

    References
    ----------
    Beygelzimer, Langford (2009), The Offset Tree for Learning with Partial Labels.
    """

    name = "dm"
    model_columns = ("v_target",)
    term = "model"

    def trusts_model(self, largest_weight: float) -> bool:
        return True

    def terms(self, batch: LoggedBatch) -> dict[str, FloatArray]:
        return {"model": batch.v_target}

    def score_range(self, limits: Limits) -> tuple[float, float]:
        """Return the range of rewards, within which a reward model must predict."""
        return limits.reward_low, limits.reward_high
