"""The report as one HTML page: no scripts, no files beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from math import isfinite, log10

from offline_eval.diagnostics.weights import EDGES, WeightSummary
from offline_eval.report import Estimate, Group, Report

_STYLE = """
:root { color-scheme: light dark; --ink: #1d2433; --soft: #5b6474; --line: #d8dde6; --bar: #2f6fb2; --paper: #fff; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ef; --soft: #a4acba; --line: #3a4252; --bar: #6aa5e0; --paper: #161a22; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
       max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
table { border-collapse: collapse; width: 100%; } caption { text-align: left; color: var(--soft); }
th, td { text-align: right; padding: .3rem .6rem; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
td.wide { width: 45%; padding: 0; } svg { display: block; width: 100%; } text { fill: var(--soft); font-size: 11px; }
.verdict { border-left: 6px solid; padding: .6rem 1rem; margin: 1rem 0; background: #8881; }
.trust { border-color: #2e8b57; } .caution { border-color: #d99a1c; } .do_not_use { border-color: #c0392b; }
.verdict strong { font-size: 1.1rem; } .facts { color: var(--soft); }
"""


def page(title: str, report: Report, about: Mapping[str, object]) -> str:
    """Write the page.

    Parameters
    ----------
    title
        What was evaluated.
    about
        Facts for whoever judges the numbers: source, target, versions.
    """
    parts = [
        f"<h1>{escape(title)}</h1>",
        _verdict(report),
        _estimates("Estimates", report.estimates, report.mean_reward),
        _estimates("Difference to the other policy", report.differences, None) if report.differences else "",
        _weights(report.diagnostics.weights),
        *(_groups(name, groups) for name, groups in report.groups.items()),
        _calibration(report),
        _diagnostics(report),
        _facts(about),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>\n"
        + "\n".join(part for part in parts if part)
        + "\n</body></html>\n"
    )


def _verdict(report: Report) -> str:
    level = report.verdict.level
    reasons = "".join(
        f"<li>{escape(reason.text)} <span class='facts'>({escape(reason.level.text)})</span></li>"
        for reason in report.verdict.reasons
    )
    said = f"<ul>{reasons}</ul>" if reasons else "<p>Nothing speaks against these estimates.</p>"
    return f"<div class='verdict {level.name}'><strong>Verdict: {escape(level.text)}</strong>{said}</div>"


def _estimates(title: str, estimates: Sequence[Estimate], reference: Estimate | None) -> str:
    shown = [*estimates, *([reference] if reference else [])]
    scale = _Scale.of(bound for each in shown for bound in (each.low, each.value, each.high))
    rows = "".join(
        f"<tr><td>{escape(each.name)}</td><td>{number(each.value)}</td>"
        f"<td>{_interval(each.low, each.high)}</td>"
        f"<td class='wide'>{scale.bar(each.low, each.value, each.high)}</td></tr>"
        for each in shown
    )
    caption = "reward per decision, with its interval" + (
        "; mean reward is what the logging policy earned" if reference else ""
    )
    return (
        f"<h2>{escape(title)}</h2><table><caption>{caption}</caption><tr><th>estimator</th><th>value</th>"
        f"<th>interval</th><th></th></tr>{rows}</table>"
    )


def _weights(weights: WeightSummary) -> str:
    labels = ["below", *(f"{edge:.3g}" for edge in EDGES)]
    counts = [*weights.histogram]
    used = [place for place, count in enumerate(counts) if count]
    first, last = (min(used), max(used)) if used else (0, 0)
    bars = [("0", weights.zeros)] if weights.zeros else []
    bars += list(zip(labels[first : last + 1], counts[first : last + 1], strict=True))
    caption = (
        f"{weights.rows:,} rows count as {weights.effective_sample_size:,.1f}; mean {weights.mean:.4g}, "
        f"largest {weights.largest:.4g}; each bar begins at its label, four to a decade; heights by square root"
    )
    return f"<h2>Importance weights</h2><p class='facts'>{caption}</p>{_columns(bars)}"


def _columns(bars: Sequence[tuple[str, int]]) -> str:
    """Draw a histogram; square roots keep small counts visible."""
    width, height = 900 / max(1, len(bars)), 140.0
    tallest = max((count for _, count in bars), default=0) or 1
    step = max(1, len(bars) // 18)
    drawn = []
    for place, (label, count) in enumerate(bars):
        top = height * (count / tallest) ** 0.5
        left = place * width
        drawn.append(
            f"<rect x='{left + 1:.1f}' y='{150 - top:.1f}' width='{max(1.0, width - 2):.1f}' height='{top:.1f}' "
            f"fill='var(--bar)'><title>from {escape(label)}: {count:,}</title></rect>"
        )
        if place % step == 0:
            drawn.append(f"<text x='{left + 1:.1f}' y='166'>{escape(label)}</text>")
    return f"<svg viewBox='0 0 900 172' role='img' aria-label='histogram'>{''.join(drawn)}</svg>"


def _groups(name: str, groups: Sequence[Group]) -> str:
    scale = _Scale.of(bound for each in groups for bound in (each.low, each.value, each.high))
    rows = "".join(
        f"<tr><td>{escape(each.label or '(none)')}</td><td>{each.rows:,}</td><td>{each.share_logged:.1%}</td>"
        f"<td>{each.share_target:.1%}</td><td>{each.effective_sample_size:,.0f}</td><td>{number(each.value)}</td>"
        f"<td class='wide' style='width:30%'>{scale.bar(each.low, each.value, each.high)}</td></tr>"
        for each in groups
    )
    caption = "self-normalised value within the group; shares say how often logging and target policy are there"
    return (
        f"<h2>By {escape(name)}</h2><table><caption>{caption}</caption><tr><th>{escape(name)}</th><th>rows</th>"
        f"<th>logged</th><th>target</th><th>effective</th><th>value</th><th></th></tr>{rows}</table>"
    )


def _calibration(report: Report) -> str:
    bins = [each for each in report.diagnostics.reward_bins if each.rows > 0]
    if len(bins) < 2:
        return ""
    rows = "".join(
        f"<tr><td>{each.rows:,}</td><td>{number(each.predicted)}</td><td>{number(each.observed)}</td></tr>"
        for each in bins
    )
    caption = "rows with similar predictions for what was drawn: mean prediction and mean reward"
    return (
        f"<h2>Reward model</h2><table><caption>{caption}</caption><tr><th>rows</th><th>predicted</th>"
        f"<th>observed</th></tr>{rows}</table>"
    )


def _diagnostics(report: Report) -> str:
    found, weights = report.diagnostics, report.diagnostics.weights
    told: dict[str, str] = {
        "independent units": f"{found.units:,}",
        "mean weight": f"{weights.mean:.4f} ± {found.mean_weight_error:.4f} (standard error; must be 1)",
        "share of the largest weight": f"{weights.largest_share:.2%}",
        "share of the heaviest rows (1 in 1,000)": f"{weights.heaviest_share:.2%}",
        "tail index of the weights": f"{weights.tail_index:.2f}",
        "weight clipped away": f"{found.clipped:.2%}",
        "target mass without support": f"{found.unsupported:.2%}",
        "repeated rows": f"{found.repeats.share:.2%}" if found.repeats.known else "cannot be told apart",
        "reward model against rewards": f"{found.model_z:+.1f} standard errors",
    }
    if found.served:
        told["served frequencies against propensities"] = f"chance {found.served_chance:.2g}"
    rows = "".join(f"<tr><td>{escape(name)}</td><td>{escape(text)}</td></tr>" for name, text in told.items())
    return f"<h2>Diagnostics</h2><table>{rows}</table>"


def _facts(about: Mapping[str, object]) -> str:
    told = "".join(f"<li>{escape(str(name))}: {escape(str(value))}</li>" for name, value in about.items())
    return f"<h2>Facts</h2><ul class='facts'>{told}</ul>"


class _Scale:
    """Maps values to places along a bar."""

    def __init__(self, low: float, high: float) -> None:
        pad = (high - low) * 0.05 or abs(high) * 0.05 or 1.0
        self._low, self._high = low - pad, high + pad

    @classmethod
    def of(cls, values: Iterable[float]) -> _Scale:
        finite = [value for value in values if isfinite(value)]
        return cls(min(finite, default=0.0), max(finite, default=1.0))

    def _place(self, value: float) -> float:
        return 400 * (value - self._low) / (self._high - self._low)

    def bar(self, low: float, value: float, high: float) -> str:
        """Draw an interval with its value."""
        if not isfinite(value):
            return ""
        line = ""
        if isfinite(low) and isfinite(high):
            left, right = self._place(low), self._place(high)
            line = f"<line x1='{left:.1f}' x2='{right:.1f}' y1='10' y2='10' stroke='var(--bar)' stroke-width='3'/>"
        zero = ""
        if self._low < 0 < self._high:
            at = self._place(0.0)
            zero = f"<line x1='{at:.1f}' x2='{at:.1f}' y1='0' y2='20' stroke='var(--soft)' stroke-dasharray='2 2'/>"
        dot = f"<circle cx='{self._place(value):.1f}' cy='10' r='5' fill='var(--bar)'/>"
        return f"<svg viewBox='0 0 400 20' preserveAspectRatio='none'>{zero}{line}{dot}</svg>"


def number(value: float) -> str:
    """Write a number with five digits that count.

    >>> number(0.00123456), number(123456.7), number(float("nan"))
    ('0.0012346', '123,457', '-')
    """
    if not isfinite(value):
        return "-"
    if value == 0:
        return "0"
    digits = max(0, 4 - int(log10(abs(value)) // 1))
    return f"{value:,.{digits}f}"


def _interval(low: float, high: float) -> str:
    return f"{number(low)} … {number(high)}" if isfinite(low) and isfinite(high) else "-"
