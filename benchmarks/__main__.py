"""The command line of the benchmarks: ``python -m benchmarks``."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import typer

from benchmarks import commands
from benchmarks.calibration import commands as calibration
from benchmarks.evaluation import commands as evaluation
from benchmarks.faults import commands as faults
from benchmarks.incrementality import commands as incrementality
from benchmarks.learning import commands as learning
from benchmarks.regret import commands as regret
from benchmarks.speed import commands as speed
from benchmarks.speed.logs import commands as logs
from benchmarks.worlds import commands as worlds

COMMANDS: Mapping[str, Callable[..., None]] = {
    "replay": learning.replay,
    "coverage": evaluation.coverage,
    "fatigue": evaluation.fatigue,
    "offers": evaluation.offers,
    "open-bandit": evaluation.open_bandit,
    "chaos": faults.chaos,
    "reinforce": learning.reinforce,
    "plan": learning.plan,
    "planner": learning.planner,
    "regret": regret.regret,
    "search": regret.search,
    "parameters": calibration.parameters,
    "calibrate": calibration.calibrate,
    "triangle": evaluation.triangle,
    "deployed": evaluation.deploy,
    "faults": faults.repeat_faults,
    "scale": speed.scale,
    "simulator": speed.simulator,
    "guardrails": speed.guardrails,
    "policy": speed.policy,
    "heads": speed.heads,
    "decide": speed.decide,
    "stages": speed.stages,
    "append": logs.append,
    "learn": logs.learn,
    "growth": logs.growth,
    "memory": speed.memory,
    "restart": logs.restart,
    "figures": commands.figures,
    "incrementality": incrementality.measure_incrementality,
    "worlds": worlds.measure_worlds,
    "ranges": worlds.print_ranges,
}
"""Name → the function that declares its options; each room has its own in ``commands.py``. The help keeps the order."""

app = typer.Typer(
    help="Measure the service. Every command writes its results with the facts of the machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

for name, command in COMMANDS.items():
    app.command(name)(command)


if __name__ == "__main__":
    app()
