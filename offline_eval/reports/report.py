"""The report: estimates with intervals, diagnostics, verdict, and the same by group."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from math import isfinite
from typing import Any

from offline_eval.diagnostics.calibration import CalibrationBin, ServedFrequency
from offline_eval.diagnostics.duplicates import Repeats
from offline_eval.diagnostics.overlap import Overlap
from offline_eval.diagnostics.verdict import Verdict
from offline_eval.diagnostics.weights import EDGES

DAY = "day"
"""The label of the UTC day, which every decision of a log has; a page draws the value over time."""


@dataclass(frozen=True)
class ValueEstimate:
    """A value in reward per decision with its interval; a number that does not exist is NaN, and null in JSON."""

    name: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Group:
    """The rows that share a label.

    ``value`` is the target's reward per decision in this group, self-normalised. ``share_logged`` and ``share_target``
    are the shares of the logging and of the target policy's decisions in it. ``mean_weight`` should be 1 where the
    label is known before the draw; ``mean_weight_error`` is its standard error, clustered over ``units`` as the
    interval is, and ``mean_weight_z`` its distance from 1 in standard errors, corrected for skewness.
    """

    label: str
    rows: int
    share_logged: float
    share_target: float
    effective_sample_size: float
    units: int
    mean_weight: float
    mean_weight_error: float
    mean_weight_z: float
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Diagnostics(Overlap):
    """The diagnostics of a log; the classes of the fields describe them.

    ``served`` are the frequencies of the channels. ``served_least_probable`` is the frequency, of a joint action or a
    channel, that is the least probable under the logged propensities. ``served_p_value`` is the probability that any
    frequency differs so much by chance. ``units`` is the number of independent units, and ``other_policy`` the overlap
    of the other policy, where there is one. ``model_z`` is the mean of the weighted rewards minus the reward model's
    predictions, in standard errors.
    """

    units: int
    repeats: Repeats
    reward_bins: list[CalibrationBin]
    other_policy: Overlap | None = None
    model_z: float = 0.0
    served: list[ServedFrequency] = field(default_factory=list)
    served_least_probable: ServedFrequency | None = None
    served_p_value: float = 1.0


_JSON_NAMES = {
    "other_policy": "against",
    "served_least_probable": "served_worst",
    "served_p_value": "served_chance",
}
"""The public names of fields of `Diagnostics` that have another name in JSON."""


@dataclass(frozen=True)
class EvaluationReport:
    """The results of an evaluation.

    ``mean_reward`` is the mean reward of the logging policy; its interval is the normal one, or the confidence sequence
    where a sequence is asked for.
    """

    estimates: list[ValueEstimate]
    differences: list[ValueEstimate]
    mean_reward: ValueEstimate
    diagnostics: Diagnostics
    verdict: Verdict
    groups: Mapping[str, list[Group]]

    def document(self) -> dict[str, Any]:
        """Return diagnostics, verdict and groups for JSON."""
        about = {_JSON_NAMES.get(name, name): value for name, value in asdict(self.diagnostics).items()}
        about["weights"]["histogram_edges"] = EDGES.tolist()
        document: dict[str, Any] = to_json(
            {
                "verdict": {
                    "level": self.verdict.level.text,
                    "reasons": [
                        {"level": finding.level.text, "code": finding.code, "text": finding.text}
                        for finding in self.verdict.findings
                    ],
                },
                "mean_reward": asdict(self.mean_reward),
                "diagnostics": about,
                "groups": {name: [asdict(group) for group in groups] for name, groups in self.groups.items()},
            }
        )
        return document


def to_json(value: Any) -> Any:
    """Return a value for JSON, with None for numbers that are not finite."""
    if isinstance(value, dict):
        return {name: to_json(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    return None if isinstance(value, float) and not isfinite(value) else value
