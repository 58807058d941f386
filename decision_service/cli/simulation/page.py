"""The report of a simulation as one HTML page. The markup is in ``page.html.jinja``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from numpy.typing import NDArray

from decision_service.cli.charts import bars, colours_of, lines
from decision_service.cli.simulation.comparisons import group_by_contender
from decision_service.cli.simulation.statistics import STATISTICS, Statistic
from policies.models.registry import POLICIES
from simulators.experiments.contender import RULE
from simulators.experiments.mean_estimate import MeanEstimate, estimate_over_seeds
from simulators.experiments.result import Result, describe_last_third
from simulators.experiments.study import Study
from simulators.experiments.study_comparison import StudyComparison
from simulators.shops.planner import PLANNER

Numbers = NDArray[np.float64]
Results = Mapping[str, Sequence[Result]]
"""The results of each contender, one per seed, by its name."""

_PLANNER = (PLANNER, "the planner, the best policy known")

_ENVIRONMENT = Environment(
    loader=PackageLoader("decision_service", "cli/simulation"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)

_ALL_BUT_WEEK = (1, 2, 3)
"""The axes of `Counts` that are summed for a curve by week. The axes: week, channel, message, hour."""


@dataclass(frozen=True)
class _Section:
    """A heading with plots, and a note below them."""

    heading: str
    plots: Sequence[str]
    note: str = ""


def page(study: Study, results: Sequence[Result], facts: Mapping[str, Any]) -> str:
    """Return the page. The contender of the first result is the policy that the page is about.

    ``facts`` are the facts behind the numbers, by name: versions, processor, options.
    """
    by_name = group_by_contender(results)
    policy = results[0].contender
    # The bars show two contenders, to stay readable. The business rule is what a shop would otherwise use; a page
    # about the rule itself shows the policy that learns.
    rival = next((name for name in (RULE, "default") if name in by_name and name != policy), policy)
    pair = {name: by_name[name] for name in dict.fromkeys([policy, rival])}
    return _ENVIRONMENT.get_template("page.html.jinja").render(
        policy=policy,
        study=study,
        scenario=study.scenario,
        summary=_summarise(policy, by_name),
        names=list(by_name),
        table=_table(by_name, describe_last_third(study.scenario.weeks)),
        sections=[*_difference_section(by_name), *_curve_sections(by_name), *_bar_sections(study, pair)],
        facts={name: _fact(value) for name, value in facts.items()},
    )


def _summarise(policy: str, by_name: Results) -> str:
    of_policy = by_name[policy]
    value = estimate_over_seeds([result.value_of_last_third for result in of_policy])
    opt_outs = estimate_over_seeds([result.withdrawals_per_1000 for result in of_policy]).value
    reach = estimate_over_seeds([result.reach for result in of_policy]).value
    weeks = describe_last_third(len(of_policy[0].weekly))
    return (
        f"In {weeks}, the policy earns {value.value:.3f} per shopper more than sending nothing does (margin, minus "
        "what the lost consents would earn later). "
        f"{_compare(policy, by_name)}It causes {opt_outs:.1f} opt-outs per 1,000 sends; {reach:.1%} of all consents "
        "remain."
    )


def _compare(policy: str, by_name: Results) -> str:
    """Return how the policy compares with the others in the last third of the weeks, each with its interval."""
    sentences = []
    for name, description in (*((factory.name, factory.description) for factory in POLICIES.values()), _PLANNER):
        if name not in by_name or name == policy:
            continue
        comparison = StudyComparison.of(by_name[policy], by_name[name])
        difference, ratio = comparison.in_last_third, comparison.ratio_in_last_third
        if not isfinite(difference.low):
            continue
        text = f"{difference.value:+.3f} ({difference.low:+.3f} to {difference.high:+.3f}) against {description}"
        if ratio is not None:
            text += f", which is {ratio.value:.0%} ({ratio.low:.0%} to {ratio.high:.0%})"
        sentences.append(text)
    return f"Paired differences per shopper with their 95 % intervals: {'; '.join(sentences)}. " if sentences else ""


def _table(by_name: Results, last_third: str) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the lines of the table: a label, and the cell of each contender."""
    return [
        (statistic.label.format(last_third=last_third), [_cell(statistic, results) for results in by_name.values()])
        for statistic in STATISTICS
        if statistic.label
    ]


def _cell(statistic: Statistic, results: Sequence[Result]) -> tuple[str, str]:
    """Return a mean over seeds, and its 95 % interval; the second is empty with one seed."""
    mean, form = statistic.estimate(results), statistic.form
    return f"{mean.value:{form}}", "" if len(results) < 2 else f"{mean.low:{form}} to {mean.high:{form}}"


def _difference_section(by_name: Results) -> list[_Section]:
    """Return the plot of the differences to the rule; none where the rule did not run, or nothing else ran."""
    others = [name for name in by_name if name != RULE and by_name[name][0].sends]
    if RULE not in by_name or not others:
        return []
    differences = {name: StudyComparison.of(by_name[name], by_name[RULE]).by_week for name in others}
    plot = lines(differences, colours_of(list(by_name)), ylabel="margin per shopper and week", shows_band=True)
    note = (
        "The value by week minus that of the business rule, which is the line at 0. The shoppers and "
        f"their random numbers are the same; the band is the 95 % interval of the line of {others[0]}."
    )
    return [_Section("Difference to the rule", [plot], note)]


def _curve_sections(by_name: Results) -> list[_Section]:
    colours = colours_of(list(by_name))
    sending = {name: results for name, results in by_name.items() if results[0].sends}

    def curve(results: Results, measure: Callable[[Result], Numbers], ylabel: str, height: float = 3.2) -> list[str]:
        weekly = {name: _estimate_columns(results_of_one, measure) for name, results_of_one in results.items()}
        return [lines(weekly, colours, ylabel=ylabel, height=height)]

    return [
        _Section(
            "Learning curve",
            curve(by_name, lambda result: result.weekly, "margin per shopper and week", 3.8),
            "Expected incremental margin minus the worth of lost consents, by week, mean over seeds.",
        ),
        _Section(
            "Clicks per send by week",
            curve(sending, lambda result: _clicks_per_send(result, _ALL_BUT_WEEK), "clicks per send"),
        ),
        _Section(
            "Opt-outs per 1,000 sends by week",
            curve(sending, lambda result: _opt_outs_per_1000(result, _ALL_BUT_WEEK), "per 1,000 sends"),
        ),
        _Section("Sends per shopper by week", curve(sending, _sends_per_shopper, "sends per shopper")),
    ]


def _estimate_columns(results: Sequence[Result], measure: Callable[[Result], Numbers]) -> list[MeanEstimate]:
    """Estimate the mean over seeds of each number that ``measure`` returns for a result."""
    rows = np.stack([measure(result) for result in results])  # one row per seed
    return [estimate_over_seeds(column.tolist()) for column in rows.T]


def _sends_per_shopper(result: Result) -> Numbers:
    return np.asarray(result.counts.outcomes["delivered"].sum(axis=_ALL_BUT_WEEK) / result.shoppers)


def _share_of_sends(result: Result, axes: tuple[int, ...]) -> Numbers:
    sends = result.counts.outcomes["delivered"].sum(axis=axes)
    return np.asarray(sends / max(1, sends.sum()))


def _bar_sections(study: Study, pair: Results) -> list[_Section]:
    space = study.rulebook.space
    return [
        _bar_section("By channel", space.channels, (0, 2, 3), pair),
        _bar_section("By message", space.messages, (0, 1, 3), pair),
        _bar_section("By hour of sending", [str(hour) for hour in range(24)], (0, 1, 2), pair),
    ]


def _bar_section(heading: str, labels: Sequence[str], axes: tuple[int, ...], pair: Results) -> _Section:
    """Draw shares and rates along one axis of `Counts`; the counts are summed over ``axes``, the other axes."""
    height = 3.6 if len(max(labels, key=len)) > 9 else 2.6

    def draw(ylabel: str, measure: Callable[[Result, tuple[int, ...]], Numbers]) -> str:
        estimates = {
            name: _estimate_columns(results, lambda result: measure(result, axes)) for name, results in pair.items()
        }
        return bars(estimates, colours_of(list(pair)), labels, ylabel=ylabel, height=height)

    plots = [
        draw("share of sends", _share_of_sends),
        draw("clicks per send", _clicks_per_send),
        draw("opt-outs per 1,000", _opt_outs_per_1000),
        draw("revenue per send", _revenue_per_send),
    ]
    return _Section(heading, plots)


def _revenue_per_send(result: Result, axes: tuple[int, ...]) -> Numbers:
    return _per_send(result, result.counts.revenue, axes)


def _clicks_per_send(result: Result, axes: tuple[int, ...]) -> Numbers:
    return _per_send(result, result.counts.outcomes["click"], axes)


def _opt_outs_per_1000(result: Result, axes: tuple[int, ...]) -> Numbers:
    return 1_000 * _per_send(result, result.counts.withdrawals, axes)


def _per_send(result: Result, amounts: NDArray[np.int64] | Numbers, axes: tuple[int, ...]) -> Numbers:
    sends = result.counts.outcomes["delivered"].sum(axis=axes)
    return np.asarray(amounts.sum(axis=axes) / np.maximum(sends, 1))


def _fact(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {part}" for name, part in value.items())
    return str(value)
