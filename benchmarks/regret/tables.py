"""The tables of a comparison as Markdown, and its plot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import isfinite

from benchmarks.page import number, with_interval
from benchmarks.regret.measurements import ENOUGH_SENDS, count_per_1k
from decision_service.cli.charts import colours_of, lines
from decision_service.cli.measurements import Measured
from simulators.experiments.mean_estimate import MeanEstimate
from simulators.experiments.result import describe_last_third
from simulators.regret.finished_run import FinishedRun, ReactionSums, SendCell, SendSums, group_cells
from simulators.regret.send_table import LOAD_EDGES
from simulators.regret.standing import Score, Standing
from simulators.regret.standings import Standings

ABSENT = "–"


def to_tables(standings: Standings) -> str:
    """Return the meaning of the figures, the standings by scenario, and the sends of each contender."""
    first = next(standings.runs_of(standings.rule))
    sections = [_explain(len(first.values)), _standing_table(standings)]
    if standings.is_family:
        sections.append("\n".join(_describe_losses(standings, contender) for contender in standings.contenders))
    for contender in standings.contenders:
        runs = [*standings.runs_of(contender)]
        title = f"## {contender}: its sends, with predicted and true rates"
        sections += [title, _describe_runs(runs), _choice_table(runs), _load_table(runs)]
    return "\n\n".join(sections) + "\n"


def draw_values(standings: Standings) -> str:
    """Return the value per shopper in each week as a plot, one line for each contender."""
    names = sorted(standings.contenders, key=lambda name: name in (standings.rule, standings.planner))
    values = {
        name: [MeanEstimate(value, value, value) for value in standings.weekly_value(name).tolist()] for name in names
    }
    return lines(values, colours_of(names), ylabel="value per shopper and week")


def _explain(weeks: int) -> str:
    return (
        "Value per shopper: expected incremental margin by the true probabilities, minus costs, minus the worth of the "
        f"consents lost in expectation; that of {describe_last_third(weeks)} where nothing else is said. Intervals: "
        "95 %, by Student's t over seeds (of a scenario) or worlds (of the family), all paired. *Gain*: value minus "
        "the rule's, as a share of the planner's value. Opt-outs include complaints."
    )


def _standing_table(standings: Standings) -> str:
    rows = [
        "| scenario | contender | value | share of planner | ratio to rule | gain | sends a week "
        "| opt-outs per 1,000 sends | that came | reach |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for scenario in standings.runs:
        for contender in standings.contenders:
            standing = standings.of_scenario(scenario, contender, Score.of_last_third)
            rows.append(f"| {scenario} | {contender} | {' | '.join(_standing_cells(standing))} |")
    return "\n".join(rows)


def _standing_cells(standing: Standing) -> Iterator[str]:
    yield with_interval(_without_infinity(standing.value))
    gain = number(float(standing.gains.mean())) if len(standing.gains) else ABSENT
    for estimate in (standing.share_of_planner, standing.ratio_to_rule):
        yield ABSENT if estimate is None else with_interval(_without_infinity(estimate))
    yield gain
    yield number(standing.sends_per_week.value)
    for estimate in (standing.optouts_per_1k_sends, standing.realised_optouts_per_1k_sends, standing.reach_left):
        yield ABSENT if estimate is None else number(estimate.value)


def _describe_losses(standings: Standings, contender: str) -> str:
    """Return in words in which worlds a contender earns less than the rule."""
    standing = standings.of_family(contender, Score.of_last_third)
    worlds = [name for name, loses in zip(standings.runs, standing.values < standing.rule_values, strict=True) if loses]
    words = f"{contender} earns less than the rule in {len(worlds)} of {len(standings.runs)} worlds"
    return f"- {words}: {', '.join(worlds)}" if worlds else f"- {words}"


def _describe_runs(runs: Sequence[FinishedRun]) -> str:
    """Return in words how much is sent in each week, how calibrated the heads are, and how long a decision takes."""
    weekly = [sum(run.sends[week] for run in runs) for week in range(len(runs[0].sends))]
    words = [f"Sends by week: {', '.join(f'{sends:,}' for sends in weekly)}."]
    for head, name in (("click", "clicks"), ("out", "opt-outs")):
        for column, sends in (("slopes", "sends"), ("uniform_slopes", "uniformly drawn eligible sends")):
            slopes = [by_head[head] for run in runs if head in (by_head := getattr(run, column))]
            if slopes:
                words.append(f"Calibration slope of {name} over {sends}: {number(sum(slopes) / len(slopes))}.")
    times = [(run.decide_us, run.learn_us) for run in runs if run.decide_us is not None and run.learn_us is not None]
    if times:
        decide, learn = (sum(column) / len(times) for column in zip(*times, strict=True))
        words.append(f"Processor time: {number(decide)} µs per decision, {number(learn)} µs to learn from it.")
    return " ".join(words)


def _choice_table(runs: Sequence[FinishedRun]) -> str:
    """Return what was chosen in the last third beside what was predicted and true: it shows lock-in."""
    groups = group_cells((cell for run in runs for cell in run.cells), "channel", "delay_s")
    total = sum(sums.sends for sums in groups.values())
    head = "predicted | true | came"
    rows = [
        f"| channel | delay | share of sends | clicks: {head} | opt-outs per 1,000: {head} |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for (channel, delay_s), sums in groups.items():
        reactions = _rates(sums.clicks, sums.watched, 1.0), _rates(sums.withdrawals, sums.watched, 1_000.0)
        cells = (str(channel), f"{int(delay_s) / 3_600:g} h", f"{100 * sums.sends / total:.1f} %", *reactions)
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def _load_table(runs: Sequence[FinishedRun]) -> str:
    """Return predicted ÷ true opt-outs by channel and load bucket, and over all of either."""
    cells = [cell for run in runs for cell in run.cells]
    channels, edges = sorted({cell.channel for cell in cells}), (0.0, *LOAD_EDGES, None)
    rows = [f"| load | {' | '.join(channels)} | all |", f"|---|{'--:|' * (1 + len(channels))}"]
    for bucket, (low, high) in enumerate(pairwise(edges)):
        of_bucket = [cell for cell in cells if cell.load == bucket]
        rows.append(_load_row(f"{low:g} to {'∞' if high is None else f'{high:g}'}", channels, of_bucket))
    note = (
        "Predicted ÷ true opt-outs in bold, then the true ones and those that came (with a 95 % interval) per 1,000 of "
        f"so many sends whose messages had all their time to be seen; {ABSENT} below {ENOUGH_SENDS} such sends."
    )
    return "\n".join([*rows, _load_row("all", channels, cells), "", note])


def _load_row(name: str, channels: Sequence[str], cells: Sequence[SendCell]) -> str:
    groups = group_cells(cells, "channel") | group_cells(cells)
    keys: list[tuple[str, ...]] = [*((channel,) for channel in channels), ()]
    return f"| {name} | {' | '.join(_opt_out_cell(groups.get(key, SendSums())) for key in keys)} |"


def _opt_out_cell(sums: SendSums) -> str:
    if sums.watched < ENOUGH_SENDS:
        return ABSENT
    ratio, rate = sums.withdrawals.predicted_to_expected, 1_000.0 * sums.withdrawals.expected / sums.watched
    cell = f"true {number(rate)}, came {with_interval(count_per_1k(sums))}, of {sums.watched:,}"
    return cell if ratio is None else f"**{number(ratio)}**: {cell}"


def _rates(reactions: ReactionSums, sends: int, per: float) -> str:
    sums = (reactions.predicted, reactions.expected, reactions.realised)
    return " | ".join(ABSENT if part is None or not sends else number(per * part / sends) for part in sums)


def _without_infinity(estimate: MeanEstimate) -> MeanEstimate | Measured:
    """Return an estimate whose interval is left out where nothing tells it."""
    return estimate if isfinite(estimate.low) else Measured("", estimate.value)
