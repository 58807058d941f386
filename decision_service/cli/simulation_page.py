"""The report of a simulation: one HTML page that needs nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decision_service.cli.charts import bars, colours_of, lines
from policies.models.registry import POLICIES
from simulators.experiments.comparison import Estimate
from simulators.experiments.study import Result, Study, over_seeds

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.7rem; margin-bottom: .2rem } h2 { font-size: 1.2rem; margin: 2.2rem 0 .3rem }
p.lead { font-size: 1.1rem } p.note { color: #555; font-size: .9rem; margin-top: .2rem }
table { border-collapse: collapse; width: 100%; font-size: .9rem }
th, td { padding: .3rem .5rem; text-align: right; border-bottom: 1px solid #ddd; white-space: nowrap }
th:first-child, td:first-child { text-align: left } td:nth-child(2) { font-weight: 600 }
td small { color: #777; font-weight: 400 } svg { max-width: 100%; height: auto }
table.facts td { white-space: normal; text-align: left } .scroll { overflow-x: auto }
"""

Numbers = NDArray[np.float64]

_ORACLE = ("oracle", "the oracle")


def page(study: Study, names: Sequence[str], results: Sequence[Result], about: Mapping[str, Any]) -> str:
    """Write the page. The first of ``names`` is the policy that the page is about."""
    by_name = {name: [result for result in results if result.contender == name] for name in names}
    policy = names[0]
    rival = next((name for name in ("rule", "default") if name in by_name and name != policy), policy)
    shown = {name: by_name[name] for name in dict.fromkeys([policy, rival])}
    scenario = study.scenario
    seeds = "1 seed" if len(study.seeds) == 1 else f"{len(study.seeds)} seeds"
    sections = [
        f"<h1>{escape(policy.capitalize())} among simulated shoppers</h1>",
        f"<p class=note>Scenario <b>{escape(scenario.name)}</b> v{scenario.version}: {escape(scenario.about)} "
        f"{study.shoppers:,} shoppers, {scenario.weeks} weeks, {seeds}.</p>",
        f"<p class=lead>{_verdict(policy, by_name)}</p>",
        _table(by_name),
        *_curves(by_name),
        *_details(study, shown, colours_of(list(by_name))),
        _facts(about),
    ]
    title = f"{escape(policy)}: {escape(scenario.name)}"
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>'
    body = "\n".join(sections)
    return f"<!doctype html>\n<html lang=en><head>{head}<style>{_STYLE}</style></head>\n<body>{body}</body></html>\n"


def _verdict(policy: str, by_name: Mapping[str, Sequence[Result]]) -> str:
    def last(name: str) -> float:
        return over_seeds([result.last_weeks for result in by_name[name]]).value

    own, parts = last(policy), []
    for name, description in (*((factory.name, factory.description) for factory in POLICIES.values()), _ORACLE):
        if name in by_name and name != policy and last(name) > 0:
            parts.append(f"{own / last(name):.0%} of {description}")
    compared = f": {', '.join(parts)}" if parts else ""
    left = over_seeds([result.withdrawals_per_1000 for result in by_name[policy]]).value
    reach = over_seeds([result.reach for result in by_name[policy]]).value
    return (
        f"In the last third of the run it earns {own:.3f} of margin per shopper beyond what comes without any "
        f"notification{compared}. It costs {left:.1f} opt-outs per 1,000 sends; {reach:.1%} of all consents are left."
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


def _table(by_name: Mapping[str, Sequence[Result]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in by_name)
    rows = [
        f"<tr><td>{heading}</td>"
        + "".join(f"<td>{_cell([of(each) for each in results], form)}</td>" for results in by_name.values())
        + "</tr>"
        for heading, of, form in _TABLE
    ]
    return (
        f"<h2>All contenders</h2><div class=scroll><table><tr><th></th>{head}</tr>{''.join(rows)}</table></div>"
        "<p class=note>Value: expected incremental margin per shopper, costs of sends taken off, against the same "
        "shoppers with the same random numbers who get nothing. Behind ±: half of the 95 % interval over seeds. "
        "Revenue per send is what a shop would book to the notification (orders after a click or an open), which "
        "is not what the notification caused. No send, push daily and 3 per week know no guardrails; push daily "
        "and 3 per week broadcast, the others answer triggers.</p>"
    )


def _cell(values: Sequence[float], form: str) -> str:
    found = over_seeds(values)
    spread = "" if len(values) < 2 else f"<br><small>± {(found.high - found.low) / 2:{form}}</small>"
    return f"{found.value:{form}}{spread}"


def _curves(by_name: Mapping[str, Sequence[Result]]) -> list[str]:
    colours = colours_of(list(by_name))
    sending = {name: results for name, results in by_name.items() if results[0].sends}
    weekly = {name: _weekly(results, lambda result: result.weekly) for name, results in by_name.items()}
    rates = {
        name: _weekly(results, lambda result: _rate(result, "click", (1, 2, 3))) for name, results in sending.items()
    }
    sends = {name: _weekly(results, _sends) for name, results in sending.items()}
    outs = {
        name: _weekly(results, lambda result: 1_000 * _outs(result, (1, 2, 3))) for name, results in sending.items()
    }
    return [
        "<h2>Learning curve</h2>",
        lines(weekly, colours, ylabel="margin per shopper and week"),
        "<p class=note>Expected incremental margin by week; the band is the 95 % interval over seeds.</p>",
        "<h2>Clicks per send by week</h2>",
        lines(rates, colours, ylabel="clicks per send", height=3.2),
        "<h2>Opt-outs per 1,000 sends by week</h2>",
        lines(outs, colours, ylabel="per 1,000 sends", height=3.2),
        "<h2>Sends per shopper by week</h2>",
        lines(sends, colours, ylabel="sends per shopper", height=3.2),
    ]


def _weekly(results: Sequence[Result], of: Callable[[Result], Numbers]) -> list[Estimate]:
    columns = np.stack([of(result) for result in results])
    return [over_seeds(column.tolist()) for column in columns.T]


def _rate(result: Result, kind: str, axes: tuple[int, ...]) -> Numbers:
    sends = result.tally.counts["delivered"].sum(axis=axes)
    return np.asarray(result.tally.counts[kind].sum(axis=axes) / np.maximum(sends, 1))


def _sends(result: Result) -> Numbers:
    return np.asarray(result.tally.counts["delivered"].sum(axis=(1, 2, 3)) / result.shoppers)


def _outs(result: Result, axes: tuple[int, ...]) -> Numbers:
    sends = result.tally.counts["delivered"].sum(axis=axes)
    return np.asarray(result.tally.withdrawals.sum(axis=axes) / np.maximum(sends, 1))


def _share(result: Result, axes: tuple[int, ...]) -> Numbers:
    sends = result.tally.counts["delivered"].sum(axis=axes)
    return np.asarray(sends / max(1, sends.sum()))


def _details(study: Study, shown: Mapping[str, Sequence[Result]], colours: Mapping[str, str]) -> list[str]:
    space = study.rulebook.space
    return [
        *_split("By channel", space.channels, (0, 2, 3), shown, colours),
        *_split("By message", space.messages, (0, 1, 3), shown, colours),
        *_split("By hour of sending", [str(hour) for hour in range(24)], (0, 1, 2), shown, colours),
    ]


def _split(
    heading: str,
    labels: Sequence[str],
    axes: tuple[int, ...],
    shown: Mapping[str, Sequence[Result]],
    colours: Mapping[str, str],
) -> list[str]:
    """Draw shares and rates over one dimension; ``axes`` are the others, which are summed."""

    def drawn(ylabel: str, of: Callable[[Result, tuple[int, ...]], Numbers]) -> str:
        groups = {name: _weekly(results, lambda result: of(result, axes)) for name, results in shown.items()}
        return bars(
            groups, colours_of(list(shown)), labels, ylabel=ylabel, height=3.6 if len(max(labels, key=len)) > 9 else 2.6
        )

    return [
        f"<h2>{heading}</h2>",
        drawn("share of sends", _share),
        drawn("clicks per send", _clicks),
        drawn("opt-outs per 1,000", _outs_1000),
        drawn("revenue per send", _revenue),
    ]


def _revenue(result: Result, axes: tuple[int, ...]) -> Numbers:
    sends = result.tally.counts["delivered"].sum(axis=axes)
    return np.asarray(result.tally.revenue.sum(axis=axes) / np.maximum(sends, 1))


def _clicks(result: Result, axes: tuple[int, ...]) -> Numbers:
    return _rate(result, "click", axes)


def _outs_1000(result: Result, axes: tuple[int, ...]) -> Numbers:
    return 1_000 * _outs(result, axes)


def _fact(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {each}" for name, each in value.items())
    return str(value)


def _facts(about: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td>{escape(str(name))}</td><td>{escape(_fact(value))}</td></tr>" for name, value in about.items()
    )
    return f"<h2>Facts</h2><div class=scroll><table class=facts>{rows}</table></div>"
