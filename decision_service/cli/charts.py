"""Charts: plots as SVG text. The only module that imports matplotlib."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from simulators.experiments.mean_estimate import MeanEstimate

_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: readable, searchable, small
    "svg.hashsalt": "decision-service",  # equal plots give equal bytes
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "axes.axisbelow": True,
}

# The palette of Okabe and Ito (2008), for all kinds of colour vision; the policy that the page is about is black.
COLOURS = ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#999999")

EstimatesByName = Mapping[str, Sequence[MeanEstimate]]
"""The estimates of one line or of one colour of bars, by its name; all names have equally many estimates."""

_WIDTH = 9.0
_MOST_WITH_ERRORS = 12
"""With more groups of bars, the error bars would hide the bars."""


def lines(
    estimates_by_name: EstimatesByName,
    colours: Mapping[str, str],
    *,
    ylabel: str,
    xlabel: str = "week",
    x: Sequence[float] | None = None,
    height: float = 3.8,
    shows_band: bool = False,
) -> str:
    """Draw one line per name; without ``x`` the x values are 1, 2, 3, … (weeks).

    With ``shows_band`` the first line gets a band for its interval, which the axis then fits. More bands would overlap.
    """
    with matplotlib.rc_context(_SETTINGS):
        figure = Figure(figsize=(_WIDTH, height), layout="constrained")
        axes = figure.subplots()
        x = range(1, 1 + max(map(len, estimates_by_name.values()))) if x is None else x
        for place, (name, estimates) in enumerate(estimates_by_name.items()):
            colour = colours[name]
            is_main = colour == COLOURS[0]
            values = [estimate.value for estimate in estimates]
            axes.plot(x, values, color=colour, linewidth=2.2 if is_main else 1.4, label=name)
            if shows_band and place == 0:
                lows, highs = [estimate.low for estimate in estimates], [estimate.high for estimate in estimates]
                axes.fill_between(x, lows, highs, color=colour, alpha=0.1, linewidth=0)
        axes.set(xlabel=xlabel, ylabel=ylabel)
        axes.set_xlim(x[0], max(x[0] + 1, x[-1]))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_ylim(*_axis_limits(estimates_by_name, with_first_band=shows_band))
        if shows_band:
            axes.axhline(0.0, color="#777777", linewidth=1.0)
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
        return _svg(figure)


def bars(
    estimates_by_name: EstimatesByName,
    colours: Mapping[str, str],
    labels: Sequence[str],
    *,
    ylabel: str,
    height: float = 3.2,
) -> str:
    """Draw grouped bars: one group per label, one bar per name; with error bars as long as there are few groups."""
    with matplotlib.rc_context(_SETTINGS):
        figure = Figure(figsize=(_WIDTH, height), layout="constrained")
        axes = figure.subplots()
        thickness = 0.8 / len(estimates_by_name)
        for place, (name, estimates) in enumerate(estimates_by_name.items()):
            x = [number - 0.4 + (place + 0.5) * thickness for number in range(len(labels))]
            values = [estimate.value for estimate in estimates]
            below = [estimate.value - estimate.low for estimate in estimates]
            above = [estimate.high - estimate.value for estimate in estimates]
            axes.bar(x, values, thickness * 0.92, color=colours[name], label=name)
            if len(labels) <= _MOST_WITH_ERRORS:
                axes.errorbar(x, values, yerr=[below, above], fmt="none", ecolor="#777777", elinewidth=1.0)
        _label(axes, labels, ylabel)
        axes.set_ylim(0.0, _axis_limits(estimates_by_name)[1])
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
        return _svg(figure)


def _axis_limits(estimates_by_name: EstimatesByName, *, with_first_band: bool = False) -> tuple[float, float]:
    """Return the limits of the y axis.

    The axis fits the values, and the first band where there is one. Other intervals would make the axis too long.
    """
    values = [estimate.value for estimates in estimates_by_name.values() for estimate in estimates]
    if with_first_band:
        first = next(iter(estimates_by_name.values()))
        values += [bound for estimate in first for bound in (estimate.low, estimate.high) if isfinite(bound)]
    low, high = min(0.0, *values), max(0.0, *values)
    room = 0.25 * (high - low) or 1.0
    return low - room * (low < 0.0), high + room


def _label(axes: Axes, labels: Sequence[str], ylabel: str) -> None:
    tilts = max((len(label) for label in labels), default=0) > 9 and len(labels) > 6
    axes.set_xticks(range(len(labels)), labels, rotation=35 if tilts else 0, ha="right" if tilts else "center")
    axes.set_ylabel(ylabel)
    axes.grid(axis="x", visible=False)


def colours_of(names: Sequence[str]) -> dict[str, str]:
    """Return the colour of each name, the same in every plot; after the eighth name the colours repeat."""
    return {name: COLOURS[number % len(COLOURS)] for number, name in enumerate(names)}


def _svg(figure: Figure) -> str:
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    svg = text.getvalue()
    return svg[svg.index("<svg") :]
