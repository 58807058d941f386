"""The report as one HTML page: no scripts, no files beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from math import isfinite, log10

from offline_eval.diagnostics.weights import EDGES, WeightSummary
from offline_eval.reports.report import DAY, Estimate, Group, Report

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
        *(_over_time(groups) if name == DAY else _groups(name, groups) for name, groups in report.groups.items()),
        _served(report),
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
        "; mean reward is what the logging policy earned, with a normal interval unless a sequence was asked for"
        if reference
        else ""
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
        f"<td>{each.share_target:.1%}</td><td>{each.effective_sample_size:,.0f}</td>"
        f"<td>{each.mean_weight:.3f} ± {number(each.mean_weight_error)}</td><td>{number(each.value)}</td>"
        f"<td class='wide' style='width:30%'>{scale.bar(each.low, each.value, each.high)}</td></tr>"
        for each in groups
    )
    caption = (
        "self-normalised value within the group; shares say how often logging and target policy are there; "
        "the mean weight must be 1 where the label was known before the draw"
    )
    return (
        f"<h2>By {escape(name)}</h2><table><caption>{caption}</caption><tr><th>{escape(name)}</th><th>rows</th>"
        "<th>logged</th><th>target</th><th>effective</th><th>mean weight</th><th>value</th><th></th></tr>"
        f"{rows}</table>"
    )


def _over_time(groups: Sequence[Group]) -> str:
    """Draw the value day by day: self-normalised within each day, with its interval."""
    scale = _Scale.of(bound for each in groups for bound in (each.low, each.value, each.high))
    step, width = max(1, len(groups) // 9), 840 / max(1, len(groups))
    drawn = [
        f"<text x='0' y='{scale.height(value):.1f}'>{number(value)}</text>"
        f"<line x1='60' x2='900' y1='{scale.height(value):.1f}' y2='{scale.height(value):.1f}' stroke='var(--line)'/>"
        for value in scale.ticks()
    ]
    for place, each in enumerate(groups):
        at = 60 + (place + 0.5) * width
        if isfinite(each.value):
            drawn.append(_day(at, each, scale))
        if place % step == 0:
            drawn.append(f"<text x='{at - 28:.1f}' y='196'>{escape(each.label)}</text>")
    caption = "reward per decision, self-normalised within each UTC day, with its interval"
    return (
        f"<h2>Value over time</h2><p class='facts'>{caption}</p>"
        f"<svg viewBox='0 0 900 200' role='img' aria-label='value by day'>{''.join(drawn)}</svg>"
    )


def _day(at: float, each: Group, scale: _Scale) -> str:
    bar = ""
    if isfinite(each.low) and isfinite(each.high):
        top, bottom = scale.height(each.high), scale.height(each.low)
        bar = f"<line x1='{at:.1f}' x2='{at:.1f}' y1='{top:.1f}' y2='{bottom:.1f}' stroke='var(--bar)'/>"
    told = f"{each.label}: {number(each.value)} ({each.rows:,} rows)"
    return (
        f"{bar}<circle cx='{at:.1f}' cy='{scale.height(each.value):.1f}' r='3.5' fill='var(--bar)'>"
        f"<title>{escape(told)}</title></circle>"
    )


def _served(report: Report) -> str:
    served = report.diagnostics.served
    if not served:
        return ""
    rows = "".join(
        f"<tr><td>{escape(each.label)}</td><td>{each.drawn:,}</td><td>{each.expected:,.1f}</td><td>{each.z:+.2f}</td></tr>"
        for each in sorted(served, key=lambda each: -each.drawn)
    )
    caption = "how often each was drawn, beside the sum of its logged propensities; z: apart in standard errors"
    return (
        f"<h2>Served frequencies</h2><table><caption>{caption}</caption><tr><th>channel</th><th>drawn</th>"
        f"<th>expected</th><th>z</th></tr>{rows}</table>"
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
        "effective units": f"{found.effective_units:,.1f}",
        "share of the heaviest unit": f"{found.largest_unit:.2%}",
        "mean weight": f"{weights.mean:.4f} ± {found.mean_weight_error:.4f} (standard error; must be 1)",
        "share of the largest weight": f"{weights.largest_share:.2%}",
        "share of the heaviest rows (1 in 1,000)": f"{weights.heaviest_share:.2%}",
        "tail index of the weights": f"{weights.tail_index:.2f}",
        "weight clipped away": f"{found.clipped:.2%}",
        "target mass without support": f"{found.unsupported:.2%}",
        "repeated rows": f"{found.repeats.share:.2%}" if found.repeats.known else "cannot be told apart",
        "reward model against rewards": f"{found.model_z:+.1f} standard errors",
    }
    if found.against is not None:
        other = found.against
        told |= {
            "other policy: effective rows": f"{other.weights.effective_sample_size:,.1f}",
            "other policy: mean weight": f"{other.weights.mean:.4f} ± {other.mean_weight_error:.4f}",
            "other policy: mass without support": f"{other.unsupported:.2%}",
        }
    if (worst := found.served_worst) is not None:
        furthest = f"{worst.label} drawn {worst.drawn:,} times, {worst.expected:,.1f} expected"
        told["served frequencies against propensities"] = f"chance {found.served_chance:.2g}; furthest: {furthest}"
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

    def height(self, value: float) -> float:
        """Give the place of a value in a drawing of 180 units, low at the bottom."""
        return 180 - 170 * (value - self._low) / (self._high - self._low)

    def ticks(self) -> list[float]:
        """Give four values to draw lines at."""
        return [self._low + (self._high - self._low) * part / 4 for part in (0.5, 1.5, 2.5, 3.5)]

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
