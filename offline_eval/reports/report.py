"""The report: estimates with intervals, diagnostics, verdict, and the same by group."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from math import isfinite
from typing import Any

from offline_eval.diagnostics.calibration import Bin, Served
from offline_eval.diagnostics.duplicates import Repeats
from offline_eval.diagnostics.overlap import Overlap
from offline_eval.diagnostics.verdict import Verdict
from offline_eval.diagnostics.weights import EDGES

DAY = "day"
"""The label of the UTC day, which every decision of a log has; a page draws it over time."""


@dataclass(frozen=True)
class Estimate:
    """A value in reward per decision with its interval; each is NaN where there is none, null in JSON."""

    name: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Group:
    """The rows that share a label.

    ``value`` is self-normalised within the group: the target's reward per decision there. ``share_logged`` and
    ``share_target`` say how often the logging and the target policy are there. ``mean_weight`` must be 1 where the
    label was known before the draw; ``mean_weight_error`` is its standard error, clustered over ``units`` as the
    interval is, ``mean_weight_z`` its distance from 1 in standard errors, corrected for skew.
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
    """What was found out about the log; see the fields' own classes.

    ``served`` holds the channels, ``served_worst`` the joint action or channel that is furthest from its propensities.
    ``units`` counts the independent units, and ``against`` is the overlap of the other policy, where there is one.
    """

    units: int
    repeats: Repeats
    reward_bins: list[Bin]
    against: Overlap | None = None
    model_z: float = 0.0
    served: list[Served] = field(default_factory=list)
    served_worst: Served | None = None
    served_chance: float = 1.0


@dataclass(frozen=True)
class Report:
    """All that an evaluation found.

    ``mean_reward`` is what the logging policy itself earned; its interval is the normal one, or the confidence
    sequence where that is asked for.
    """

    estimates: list[Estimate]
    differences: list[Estimate]
    mean_reward: Estimate
    diagnostics: Diagnostics
    verdict: Verdict
    groups: Mapping[str, list[Group]]

    def document(self) -> dict[str, Any]:
        """Give diagnostics, verdict and groups as JSON can hold them."""
        about = asdict(self.diagnostics)
        about["weights"]["histogram_edges"] = EDGES.tolist()
        document: dict[str, Any] = finite(
            {
                "verdict": {
                    "level": self.verdict.level.text,
                    "reasons": [
                        {"level": reason.level.text, "code": reason.code, "text": reason.text}
                        for reason in self.verdict.reasons
                    ],
                },
                "mean_reward": asdict(self.mean_reward),
                "diagnostics": about,
                "groups": {name: [asdict(group) for group in groups] for name, groups in self.groups.items()},
            }
        )
        return document


def finite(value: Any) -> Any:
    """Write numbers that JSON lacks as null."""
    if isinstance(value, dict):
        return {name: finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [finite(each) for each in value]
    return None if isinstance(value, float) and not isfinite(value) else value
