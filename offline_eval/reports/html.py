"""The report as one HTML page: no scripts, and no other files. The markup is in ``report.html.jinja``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import isfinite, log10

from jinja2 import Environment, PackageLoader, StrictUndefined

from offline_eval.diagnostics.calibration import ServedFrequency
from offline_eval.diagnostics.duplicates import Repeats
from offline_eval.diagnostics.weights import EDGES, WeightSummary
from offline_eval.reports.report import DAY, EvaluationReport, Group, ValueEstimate


def render_page(title: str, report: EvaluationReport, about: Mapping[str, object]) -> str:
    """Return the page.

    Parameters
    ----------
    title
        What was evaluated.
    about
        Facts for a reader who judges the numbers: source, target, versions.
    """
    page = _ENVIRONMENT.get_template("report.html.jinja")
    return page.render(title=title, report=report, about=about, diagnostics=_describe_diagnostics(report), DAY=DAY)


def format_number(value: float) -> str:
    """Return a number with five significant digits.

    >>> format_number(0.00123456), format_number(123456.7), format_number(float("nan"))
    ('0.0012346', '123,457', '-')
    """
    if not isfinite(value):
        return "-"
    if value == 0:
        return "0"
    digits = max(0, 4 - int(log10(abs(value)) // 1))
    return f"{value:,.{digits}f}"


class _Scale:
    """Maps values to places in a drawing."""

    def __init__(self, low: float, high: float) -> None:
        margin = (high - low) * 0.05 or abs(high) * 0.05 or 1.0
        self._low, self._high = low - margin, high + margin

    @classmethod
    def of(cls, results: Iterable[ValueEstimate | Group]) -> _Scale:
        """Make a scale for values with their intervals."""
        values = [value for result in results for value in (result.low, result.value, result.high)]
        finite = [value for value in values if isfinite(value)]
        return cls(min(finite, default=0.0), max(finite, default=1.0))

    @property
    def has_zero(self) -> bool:
        return self._low < 0 < self._high

    def x(self, value: float) -> float:
        """Return the place of a value in a drawing that is 400 units wide."""
        return 400 * (value - self._low) / (self._high - self._low)

    def y(self, value: float) -> float:
        """Return the place of a value in a drawing that is 180 units high, low values at the bottom."""
        return 180 - 170 * (value - self._low) / (self._high - self._low)

    def ticks(self) -> list[float]:
        """Return four values to draw lines at."""
        return [self._low + (self._high - self._low) * part / 4 for part in (0.5, 1.5, 2.5, 3.5)]


def _list_weight_bars(weights: WeightSummary) -> list[tuple[str, int]]:
    """Return label and count of each bar of the histogram of weights, without empty bars at its ends.

    The label of a bar is the smallest weight that the bar counts. The weights below all edges have a bar of their own,
    and so have the weights of exactly 0.
    """
    labels = [f"<{EDGES[0]:.3g}", *(f"{edge:.3g}" for edge in EDGES)]
    used = [place for place, count in enumerate(weights.histogram) if count]
    first, last = (min(used), max(used)) if used else (0, 0)
    zeros = [("0", weights.zeros)] if weights.zeros else []
    return zeros + list(zip(labels[first : last + 1], weights.histogram[first : last + 1], strict=True))


def _most_drawn_first(served: Sequence[ServedFrequency]) -> list[ServedFrequency]:
    return sorted(served, key=lambda frequency: -frequency.drawn)


def _describe_diagnostics(report: EvaluationReport) -> dict[str, str]:
    diagnostics, weights = report.diagnostics, report.diagnostics.weights
    lines: dict[str, str] = {
        "independent units": f"{diagnostics.units:,}",
        "effective units": f"{diagnostics.effective_units:,.1f}",
        "share of the total weight in the heaviest unit": f"{diagnostics.largest_unit:.2%}",
        "mean weight (should be 1)": f"{weights.mean:.4f} ± {diagnostics.mean_weight_error:.4f} standard error",
        "share of the total weight in the heaviest row": f"{weights.largest_share:.2%}",
        "share of the total weight in the heaviest rows (1 in 1,000)": f"{weights.heaviest_share:.2%}",
        "tail index of the weights": f"{weights.tail_index:.2f}",
        "weight clipped away": f"{diagnostics.clipped:.2%}",
        "target mass without support": f"{diagnostics.unsupported:.2%}",
        "repeated rows": _describe_repeats(diagnostics.repeats),
        "weighted rewards minus the reward model's predictions": f"{diagnostics.model_z:+.1f} standard errors",
    }
    if (other_policy := diagnostics.other_policy) is not None:
        lines |= {
            "other policy: effective rows": f"{other_policy.weights.effective_sample_size:,.1f}",
            "other policy: mean weight (should be 1)": (
                f"{other_policy.weights.mean:.4f} ± {other_policy.mean_weight_error:.4f} standard error"
            ),
            "other policy: mass without support": f"{other_policy.unsupported:.2%}",
        }
    if (least_probable := diagnostics.served_least_probable) is not None:
        drawn = f"{least_probable.label} drawn {least_probable.drawn:,} times, {least_probable.expected:,.1f} expected"
        lines["served frequencies against propensities"] = (
            f"p-value {diagnostics.served_p_value:.2g}; largest deviation: {drawn}"
        )
    return lines


def _describe_repeats(repeats: Repeats) -> str:
    if repeats.known:
        return f"{repeats.share:.2%}"
    return "unknown: the rows have no ids, and different rows are too alike to recognise repeated ones"


def _make_environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("offline_eval", "reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": format_number, "most_drawn_first": _most_drawn_first}
    environment.tests["finite"] = isfinite
    environment.globals |= {"scale_of": _Scale.of, "weight_bars": _list_weight_bars}
    return environment


_ENVIRONMENT = _make_environment()
