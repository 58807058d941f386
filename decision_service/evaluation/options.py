"""The options of ``decision-service evaluate``.

An option is one field of `EvaluateOptions`, with its type, default and help. The command line, the facts in the results
and the refusal of options that a plain table does not take are made from these fields.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from typing import Annotated, Any, get_type_hints

from decision_service.evaluation.log_decisions import CRITICAL, EVALUATED
from decision_service.evaluation.targets import KNOWN
from decision_service.queries.report.span import Span
from offline_eval import intervals
from offline_eval.errors import NotAvailable
from offline_eval.estimators import ESTIMATORS, find_parameters, make_estimators
from offline_eval.estimators.base import Limits
from offline_eval.intervals.bootstrap import DRAWS
from offline_eval.question import Question
from offline_eval.reports.report import DAY
from offline_eval.sequential.evaluation import RESAMPLES as SEQUENTIAL_DRAWS
from offline_eval.sequential.evaluation import SEQUENTIAL_ESTIMATORS

MODELS = ("linear", "none")
"""Reward models of a log."""


@dataclass(frozen=True)
class Option:
    """What the command line says about one field.

    ``name`` is the option without dashes, where the field has another name. ``of_log`` marks options that only a log
    takes, and ``is_fact`` options that decide about the values and therefore stand among the facts of the results.
    """

    help: str
    name: str = ""
    metavar: str | None = None
    of_log: bool = False
    is_fact: bool = True


@dataclass(frozen=True)
class EvaluateOptions:
    """What the command line asks for, as typed."""

    source: Annotated[
        list[str],
        Option(
            "A plain table (Parquet, CSV), an exported log (Parquet) or dsjson: files, globs, directories, or - for "
            "standard input. Or the service's log: its data directory or an SQLAlchemy URL.",
            is_fact=False,
        ),
    ]
    target: Annotated[
        str | None,
        Option(
            f"The policy to evaluate on a log: {KNOWN}. A policy that scores can end in a floor, such as rule@0.1.",
            of_log=True,
        ),
    ] = None
    against: Annotated[str | None, Option("Another target: also the paired difference to it.")] = None
    estimators: Annotated[
        str | None, Option(f"Names, with commas between; default: {', '.join(ESTIMATORS)}.", is_fact=False)
    ] = None
    parameters: Mapping[str, float] = field(default_factory=dict)
    """Of estimators, by name; see `offline_eval.estimators.find_parameters`."""
    interval: Annotated[str, Option(f"{', '.join(intervals.NAMES[:-1])} or {intervals.NAMES[-1]}.")] = "normal"
    alpha: Annotated[float, Option("Error probability of the intervals.")] = 0.05
    draws: Annotated[
        int | None,
        Option(f"Resamples of a bootstrap; default: {DRAWS}, of --sequential {SEQUENTIAL_DRAWS}.", is_fact=False),
    ] = None
    seed: Annotated[int | None, Option("Seed of a bootstrap, that of --sequential too.", is_fact=False)] = None
    reward_range: Annotated[str, Option("low,high: for finite-sample intervals.")] = "0,1"
    max_weight: Annotated[float, Option("Largest possible weight, likewise.")] = inf
    cluster: Annotated[bool, Option("Take a shopper's decisions as one unit.", is_fact=False)] = True
    by: Annotated[str, Option("Labels to split by, with commas between, such as channel,segment.", is_fact=False)] = ""
    columns: Annotated[str, Option("Of a table: our name=its name, with commas between.", is_fact=False)] = ""
    model: Annotated[str, Option("Reward model of a log: linear (cross-fitted by shopper) or none.", of_log=True)] = (
        "linear"
    )
    slots: Annotated[
        str,
        Option("Weigh a log by the marginal probability of these slots, such as message,channel.", of_log=True),
    ] = ""
    critical: Annotated[bool, Option("Evaluate a log's critical decisions instead.", of_log=True)] = False
    registry: Annotated[
        str | None, Option("URL of the registry, where it is not beside the log.", of_log=True, is_fact=False)
    ] = None
    start: Annotated[
        str | None,
        Option("Of a log, decisions from this ISO 8601 time on; without a zone UTC.", "from", of_log=True),
    ] = None
    end: Annotated[str | None, Option("Of a log, decisions before this time.", "to", of_log=True)] = None
    sequential: Annotated[
        bool,
        Option(
            f"Of a log, also {', '.join(estimator.name for estimator in SEQUENTIAL_ESTIMATORS)}: all in memory. "
            "They value the target's channels with the log's messages and delays."
        ),
    ] = False
    strict: Annotated[bool, Option("Exit with 3 when the verdict is 'do not use'.", is_fact=False)] = False
    json: Annotated[
        Path | None,
        Option("Write the results as JSON, without FILE to standard output.", metavar="[FILE]", is_fact=False),
    ] = None
    report: Annotated[Path | None, Option("Write an HTML page.", is_fact=False)] = None

    def question(self) -> Question:
        """Return the question to evaluate.

        Raises
        ------
        NotAvailable
            When an option has a value that is not allowed.
        """
        # A page of a log also shows the value over time.
        over_time = [DAY] if self.target is not None and self.report is not None else []
        return Question(
            estimators=make_estimators(_split(self.estimators) or ESTIMATORS, **self.parameters),
            interval=self.interval,
            alpha=self.alpha,
            limits=self._limits(),
            clustered=self.cluster,
            by=tuple(dict.fromkeys([*_split(self.by), *over_time])),
            draws=self.draws_or(DRAWS),
            seed=self.seed,
        )

    def draws_or(self, default: int) -> int:
        """Return the number of resamples."""
        return default if self.draws is None else self.draws

    def _limits(self) -> Limits:
        try:
            low, high = (float(bound) for bound in self.reward_range.split(","))
        except ValueError:
            raise NotAvailable(f"--reward-range is two numbers, low,high, not {self.reward_range!r}") from None
        if not low < high:
            raise NotAvailable(f"--reward-range must rise, not {self.reward_range!r}")
        return Limits(low, high, self.max_weight)

    @property
    def role(self) -> str:
        """The role of the decisions to evaluate."""
        return CRITICAL if self.critical else EVALUATED

    @property
    def span(self) -> Span:
        """The times between which decisions are evaluated.

        Raises
        ------
        NotAvailable
            When a time is not an ISO 8601 time.
        """
        times = {"start": _parse_time("--from", self.start), "end": _parse_time("--to", self.end)}
        return Span(**{name: time for name, time in times.items() if time is not None})

    @property
    def slot_names(self) -> tuple[str, ...]:
        """The slots to weigh by."""
        return tuple(_split(self.slots))

    def options_of_log(self) -> list[str]:
        """Return the options that were set and that only a log takes."""
        defaults = {entry.name: entry.default for entry in fields(self)}
        return [
            f"--{option.name or name}"
            for name, option in find_options()
            if option.of_log and getattr(self, name) != defaults[name]
        ]

    def facts(self) -> dict[str, Any]:
        """Return what a reader needs to ask the same again; infinity is None, because JSON has no infinity."""
        facts: dict[str, Any] = {}
        for name, option in find_options():
            if option.is_fact:
                facts[option.name or name] = getattr(self, name)
        for name, (parameter, _) in find_parameters().items():
            facts[parameter.option_name] = self.parameters.get(name, parameter.default)
        facts |= {"draws": self.draws_or(DRAWS), "sequential_draws": self.draws_or(SEQUENTIAL_DRAWS)}
        return {name: None if value == inf else value for name, value in facts.items()}


def find_options() -> Iterator[tuple[str, Option]]:
    """Yield the name of each field with its `Option`, in order."""
    hints = get_type_hints(EvaluateOptions, include_extras=True)
    for entry in fields(EvaluateOptions):
        for option in getattr(hints[entry.name], "__metadata__", ()):
            yield entry.name, option


def _parse_time(option: str, text: str | None) -> float | None:
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise NotAvailable(f"{option} is an ISO 8601 time, such as 2026-11-21T17:00:00Z, not {text!r}") from None
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


def _split(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]
