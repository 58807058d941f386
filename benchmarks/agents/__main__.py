"""``make agents``: train MaskablePPO on `NotificationEnv-v0`, and compare it with policies that do not learn.

All contenders meet the same shoppers in the same world. The learner trains on other shoppers of this world.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from benchmarks.agents import curve_page, masked_ppo
from benchmarks.page import markdown
from decision_service.cli.measurements import check_writable, facts, write
from simulators.arrays import FloatArray
from simulators.envs.agents.constant import find_constant
from simulators.envs.agents.planner import PlannerAgent, find_load_price
from simulators.envs.agents.rule import RuleAgent
from simulators.envs.episodes import Agent, UniformAgent, play_returns
from simulators.envs.notification_vector_env import NotificationVectorEnv
from simulators.experiments.contender import RULE
from simulators.experiments.learning_curve import LEARNER, LearningCurve

PLANNER = "planner"
"""The name of the contender that knows the true probabilities."""

_SEARCH_SEED, _EVALUATION_SEED = 1_000, 2_000


@dataclass(frozen=True)
class Plan:
    """What is trained and measured: the settings of the command, by default those of docs/results/agents.md.

    Attributes
    ----------
    steps
        Decisions that each training run learns from.
    seeds
        Training runs.
    shoppers
        Shoppers of each run's evaluation.
    """

    scenario: str = "stationary"
    world: int = 7
    steps: int = 400_000
    checkpoints: int = 10
    seeds: int = 3
    shoppers: int = 400

    def make_env(self, shoppers: int) -> NotificationVectorEnv:
        return NotificationVectorEnv(
            shoppers, self.scenario, reward="expected", world=self.world, autoreset_mode="SameStep"
        )

    def evaluate(self, make_agent: Callable[[NotificationVectorEnv], Agent], run: int) -> FloatArray:
        """Return the returns of the shoppers of a training run, (N,)."""
        env = self.make_env(self.shoppers)
        return play_returns(env, make_agent(env), _EVALUATION_SEED + run)

    def command(self) -> str:
        options = (f"--{setting} {value}" for setting, value in asdict(self).items())
        return " ".join(["python -m benchmarks.agents", *options])


def measure(plan: Plan) -> tuple[LearningCurve, str]:
    """Train and evaluate; return the curve, and what the contenders with numbers of their own found, in words."""
    constant = find_constant(plan.make_env, _SEARCH_SEED)
    price = find_load_price(plan.make_env, _SEARCH_SEED)
    found_words = (
        f"The best constant policy is {constant.describe()}. The {PLANNER} pays {price:g} for the load of a "
        "push. Both were found on shoppers whom nobody is judged on."
    )
    _say(found_words)
    makers: dict[str, Callable[[NotificationVectorEnv], Agent]] = {
        "random": lambda env: UniformAgent(),
        "constant": lambda env: constant,
        RULE: lambda env: RuleAgent(),
        PLANNER: lambda env: PlannerAgent(env, price),
    }
    runs = range(1, plan.seeds + 1)
    others = {name: [plan.evaluate(make, run) for run in runs] for name, make in makers.items()}
    _say(", ".join(f"{name} {np.mean(returns):.3f}" for name, returns in others.items()))
    trained = [_train(plan, run) for run in runs]
    between = trained[0][0]
    steps = [between * number for number in range(plan.checkpoints + 1)]
    learner = list(zip(*(returns for _, returns in trained), strict=True))
    return LearningCurve(steps, learner, others), found_words


def _train(plan: Plan, run: int) -> tuple[int, list[FloatArray]]:
    """Train one model; return the steps between two checkpoints, and the returns at every checkpoint."""
    returns: list[FloatArray] = []

    def evaluate(agent: masked_ppo.MaskedPpoAgent) -> None:
        returns.append(plan.evaluate(lambda env: agent, run))
        _say(f"{LEARNER} run {run}, checkpoint {len(returns) - 1}: {returns[-1].mean():.3f}")

    env = plan.make_env(masked_ppo.SHOPPERS)
    return masked_ppo.train(env, run, plan.steps, plan.checkpoints, evaluate), returns


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.agents", description=__doc__)
    for setting, default in asdict(Plan()).items():
        parser.add_argument(f"--{setting}", type=type(default), default=default, help="default: %(default)s")
    for option in ("json", "markdown", "plot"):
        parser.add_argument(f"--{option}", type=Path, help="also write the results to this file")
    return parser


def main() -> None:
    """Train, evaluate, show the results and write them."""
    parser = _parser()
    arguments = parser.parse_args()
    plan = Plan(**{one.name: getattr(arguments, one.name) for one in fields(Plan)})
    try:
        check_writable(json=arguments.json, markdown=arguments.markdown, plot=arguments.plot)
        plan.make_env(plan.shoppers)
    except ValueError as error:
        parser.error(str(error))
    curve, found_words = measure(plan)
    about = facts(seed=f"1:{plan.seeds + 1}", world=plan.world, agents=masked_ppo.VERSIONS)
    plot = f"\n![learning curve]({arguments.plot.name})\n" if arguments.plot else ""
    page = markdown("A library's agent in the environment", plan.command(), curve_page.to_measurements(curve), about)
    page += f"\n{curve_page.describe(curve)} {found_words}\n{plot}\n{curve_page.to_table(curve)}"
    print(page)  # noqa: T201 - the command's output
    if arguments.json:
        write(arguments.json, [*curve_page.to_measurements(curve), *curve_page.to_curve_measurements(curve)], about)
    if arguments.markdown:
        arguments.markdown.write_text(page, encoding="utf-8")
    if arguments.plot:
        arguments.plot.write_text(curve_page.draw(curve), encoding="utf-8")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - progress


if __name__ == "__main__":
    main()
