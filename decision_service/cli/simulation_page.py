"""The report of a simulation as one HTML page. The markup is in ``simulation_page.html.jinja``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from numpy.typing import NDArray

from decision_service.cli.charts import bars, colours_of, lines
from policies.models.registry import POLICIES
from simulators.experiments.comparison import MeanEstimate
from simulators.experiments.study import Result, Study, estimate_over_seeds

Numbers = NDArray[np.float64]
Results = Mapping[str, Sequence[Result]]
"""The results of each contender, one per seed, by its name."""

_ORACLE = ("oracle", "the oracle")

_ENVIRONMENT = Environment(
    loader=PackageLoader("decision_service", "cli"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)

_TABLE: tuple[tuple[str, Callable[[Result], float], str], ...] = (
    ("value per shopper", lambda result: result.value, ".3f"),
    ("last third", lambda result: result.last_weeks, ".3f"),
    ("sends per week", lambda result: result.sends_per_week, ".2f"),
    ("clicks per send", lambda result: result.per_send("click"), ".2%"),
    ("orders per send", lambda result: result.per_send("conversion"), ".3%"),
    ("opt-outs per 1,000", lambda result: result.withdrawals_per_1000, ".2f"),
    ("reach left", lambda result: result.reach, ".1%"),
    ("revenue per send", lambda result: result.revenue_per_send, ".3f"),
)
"""Heading, number and format of each line of the table."""


@dataclass(frozen=True)
class _Section:
    """A heading with plots, and a note below them."""

    heading: str
    plots: Sequence[str]
    note: str = ""


def page(study: Study, names: Sequence[str], results: Sequence[Result], about: Mapping[str, Any]) -> str:
    """Return the page. The first of ``names`` is the policy that the page is about."""
    by_name = {name: [result for result in results if result.contender == name] for name in names}
    policy = names[0]
    rival = next((name for name in ("rule", "default") if name in by_name and name != policy), policy)
    compared = {name: by_name[name] for name in dict.fromkeys([policy, rival])}
    return _ENVIRONMENT.get_template("simulation_page.html.jinja").render(
        policy=policy,
        study=study,
        scenario=study.scenario,
        summary=_summarise(policy, by_name),
        names=list(by_name),
        table=[
            (heading, [_cell([number(result) for result in of_name], form) for of_name in by_name.values()])
            for heading, number, form in _TABLE
        ],
        sections=[*_curves(by_name), *_splits(study, compared)],
        facts={name: _fact(value) for name, value in about.items()},
    )


def _summarise(policy: str, by_name: Results) -> str:
    def last(name: str) -> float:
        return estimate_over_seeds([result.last_weeks for result in by_name[name]]).value

    parts = []
    for name, description in (*((factory.name, factory.description) for factory in POLICIES.values()), _ORACLE):
        if name in by_name and name != policy and last(name) > 0:
            parts.append(f"{last(policy) / last(name):.0%} of {description}")
    compared = f": {', '.join(parts)}" if parts else ""
    left = estimate_over_seeds([result.withdrawals_per_1000 for result in by_name[policy]]).value
    reach = estimate_over_seeds([result.reach for result in by_name[policy]]).value
    return (
        f"In the last third of the run it earns {last(policy):.3f} of margin per shopper beyond what comes without any "
        f"notification{compared}. It costs {left:.1f} opt-outs per 1,000 sends; {reach:.1%} of all consents are left."
    )


def _cell(values: Sequence[float], form: str) -> tuple[str, str]:
    """Return a mean over seeds, and half of its 95 % interval; "" for the latter with a single seed."""
    mean = estimate_over_seeds(values)
    return f"{mean.value:{form}}", "" if len(values) < 2 else f"{(mean.high - mean.low) / 2:{form}}"


def _curves(by_name: Results) -> list[_Section]:
    colours = colours_of(list(by_name))
    sending = {name: results for name, results in by_name.items() if results[0].sends}
    every = (1, 2, 3)

    def curve(results: Results, of: Callable[[Result], Numbers], ylabel: str, height: float = 3.2) -> list[str]:
        weekly = {name: _weekly(of_name, of) for name, of_name in results.items()}
        return [lines(weekly, colours, ylabel=ylabel, height=height)]

    return [
        _Section(
            "Learning curve",
            curve(by_name, lambda result: result.weekly, "margin per shopper and week", 3.8),
            "Expected incremental margin by week; the band is the 95 % interval over seeds.",
        ),
        _Section("Clicks per send by week", curve(sending, lambda result: _clicks(result, every), "clicks per send")),
        _Section(
            "Opt-outs per 1,000 sends by week",
            curve(sending, lambda result: _outs_1000(result, every), "per 1,000 sends"),
        ),
        _Section("Sends per shopper by week", curve(sending, _sends, "sends per shopper")),
    ]


def _weekly(results: Sequence[Result], of: Callable[[Result], Numbers]) -> list[MeanEstimate]:
    columns = np.stack([of(result) for result in results])
    return [estimate_over_seeds(column.tolist()) for column in columns.T]


def _rate(result: Result, kind: str, axes: tuple[int, ...]) -> Numbers:
    sends = result.counts.outcomes["delivered"].sum(axis=axes)
    return np.asarray(result.counts.outcomes[kind].sum(axis=axes) / np.maximum(sends, 1))


def _sends(result: Result) -> Numbers:
    return np.asarray(result.counts.outcomes["delivered"].sum(axis=(1, 2, 3)) / result.shoppers)


def _outs(result: Result, axes: tuple[int, ...]) -> Numbers:
    sends = result.counts.outcomes["delivered"].sum(axis=axes)
    return np.asarray(result.counts.withdrawals.sum(axis=axes) / np.maximum(sends, 1))


def _share(result: Result, axes: tuple[int, ...]) -> Numbers:
    sends = result.counts.outcomes["delivered"].sum(axis=axes)
    return np.asarray(sends / max(1, sends.sum()))


def _splits(study: Study, compared: Results) -> list[_Section]:
    space = study.rulebook.space
    return [
        _split("By channel", space.channels, (0, 2, 3), compared),
        _split("By message", space.messages, (0, 1, 3), compared),
        _split("By hour of sending", [str(hour) for hour in range(24)], (0, 1, 2), compared),
    ]


def _split(heading: str, labels: Sequence[str], axes: tuple[int, ...], compared: Results) -> _Section:
    """Draw shares and rates over one dimension; ``axes`` are the others, which are summed."""
    height = 3.6 if len(max(labels, key=len)) > 9 else 2.6

    def draw(ylabel: str, of: Callable[[Result, tuple[int, ...]], Numbers]) -> str:
        estimates = {name: _weekly(results, lambda result: of(result, axes)) for name, results in compared.items()}
        return bars(estimates, colours_of(list(compared)), labels, ylabel=ylabel, height=height)

    plots = [
        draw("share of sends", _share),
        draw("clicks per send", _clicks),
        draw("opt-outs per 1,000", _outs_1000),
        draw("revenue per send", _revenue),
    ]
    return _Section(heading, plots)


def _revenue(result: Result, axes: tuple[int, ...]) -> Numbers:
    sends = result.counts.outcomes["delivered"].sum(axis=axes)
    return np.asarray(result.counts.revenue.sum(axis=axes) / np.maximum(sends, 1))


def _clicks(result: Result, axes: tuple[int, ...]) -> Numbers:
    return _rate(result, "click", axes)


def _outs_1000(result: Result, axes: tuple[int, ...]) -> Numbers:
    return 1_000 * _outs(result, axes)


def _fact(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {part}" for name, part in value.items())
    return str(value)
