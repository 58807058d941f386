"""What docs/simulator.md says of the simulator is true: its formulae, its tables of parameters and its examples.

Blocks of ``formula`` are computed and compared with the code. Blocks of ``python`` run in order, as one program; a
block whose first line names a file is also written to this file. Blocks of ``sh`` are commands, which run in the
directory of these files. Blocks of ``py`` need libraries that are no dependencies, and are not run.
"""

from __future__ import annotations

import copy
import json
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass, fields
from functools import cached_property
from math import exp, log
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from decision_service.__main__ import app
from simulators.random_streams import Purpose
from simulators.scenarios.channels import TRAITS
from simulators.scenarios.parameters import PARAMETERS
from simulators.scenarios.scenario import Promo, Scenario
from simulators.shoppers.mental_state import MentalState, fade_intent
from simulators.shoppers.response import Chances, tired_logit, visit_order_probability
from simulators.shoppers.sight import look_probability, share_unseen
from simulators.world.deliveries import SeenMessages
from simulators.world.reactions import compute_chances
from simulators.world.tick import Tick
from simulators.world.world import World

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "simulator.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


FORMULAE = dict(line.split(" = ", 1) for block in blocks("formula") for line in block.splitlines())
"""Name → expression, in the order of the page."""

HOUR, OFFER, EMAIL = 200, 1, 1
HOURS = 30
"""The hours since everything that fades happened."""
ONE = np.zeros(1, dtype=np.int64)
"""The number of the shopper of the case."""


@dataclass(frozen=True)
class Case:
    """A shopper in a promotion, who reads an offer by e-mail that answers a trigger and arrived at night.

    30 hours ago she ordered, read two e-mails, and paid less attention.
    """

    world: World
    intent_then: float = 0.9
    inattention_then: float = 0.4
    load_of_an_email: float = 12.0

    @classmethod
    def make(cls) -> Case:
        promo = Promo(HOUR // 24, 1, orders=1.6, offer_logit=0.8)
        parameters = PARAMETERS.with_values({"offer_logit": 0.3})
        case = cls(World(Scenario("case", promos=(promo,), parameters=parameters), 5, 3))
        while case.world.hour < HOUR:
            case.world.step()
        case.world.population.refunds[:] = 0.1
        mental, then = case.mental_state, HOUR - HOURS
        mental.record_orders(then, ONE)
        for _ in range(2):
            mental.record_views(then, ONE, np.array([OFFER]), np.array([case.load_of_an_email]))
        mental.change_attention(then, ONE, np.array([-case.inattention_then]))
        return case

    @property
    def mental_state(self) -> MentalState:
        return self.world.state.mental_state

    @cached_property
    def random(self) -> float:
        """The number that decides when an order of this hour is sent back."""
        return float(self.world.state.streams.uniforms(HOUR, [Purpose.refund_lag], ONE)[0, 0])

    @cached_property
    def seen(self) -> SeenMessages:
        email, decided = np.array([EMAIL]), np.array([float(HOUR - HOURS)])
        intent, night = np.array([self.intent_then]), np.array([True])
        return SeenMessages(
            np.array([HOUR + 0.5]), ONE, ONE, np.array([OFFER]), email, np.array([1.0]), intent, decided, night
        )

    @cached_property
    def chances(self) -> Chances:
        return compute_chances(self.world.state, HOUR, self.seen)

    def wait(self) -> float:
        """Return the wait for the next visit, in hours of mean presence."""
        state = self.world.state
        state.plan_visits(HOUR, ONE, np.array([self.random]))
        at = np.array([state.next_visit[0], HOUR + 1.0]) - state.population.shift_h[0]
        after, before = state.presence.integral_at(at)
        return float(after - before)

    def refund_lag(self) -> float:
        world = copy.deepcopy(self.world)
        world.population.refunds[:] = 1.0
        world._orders.place(Tick(HOUR), ONE, np.array([10.0]))
        due, _ = world._orders._refunds.pop(1e9)
        return float(due[-1] - HOUR)

    def expected_margin(self) -> float:
        before = self.world.margins.expected[0]
        self.world._reactions._book_expected_orders(HOUR, self.seen, self.chances)
        return float(self.world.margins.expected[0] - before)

    def attention_after(self, clicked: bool) -> float:
        """Return the attention after a message that she sees now."""
        world = copy.deepcopy(self.world)
        world._reactions._tire(HOUR, self.seen, np.array([clicked]))
        return float(world.state.mental_state.attention(HOUR, ONE)[0])


@pytest.fixture(scope="module")
def case() -> Case:
    return Case.make()


def givens(case: Case) -> dict[str, Any]:
    """Return what the names of the page mean that no formula computes."""
    state, people = case.world.state, case.world.population
    appeal, parameters = state.appeal, state.scenario.parameters
    return {
        **{one.name: getattr(parameters, one.name) for one in fields(parameters)},
        **{trait: getattr(parameters.email, trait) for trait in TRAITS},
        "random": case.random,
        "hours": HOURS,
        "visits_per_hour": float(people.visits_per_hour[0]),
        "shopper_logit": float(people.click_logit[0]),
        "channel_logit": float(people.channel_taste[0, EMAIL]),
        "irritability": float(people.irritability[0]),
        "tolerance": float(people.tolerance[0]),
        "refunds": float(people.refunds[0]),
        "match": float(people.taste[0] @ appeal.direction[OFFER]),
        "message_logit": float(appeal.level[OFFER]),
        "promotion_logit": state.scenario.promos[0].offer_logit,
        "promotion": state.scenario.promos[0].orders,
        "night": parameters.opt_out_factor_at_night,
        "triggered": 1.0,
        "presence": 1.4,
        "presence_since": 5.0,
        "inattention": 1.0 - float(case.mental_state.attention(HOUR, ONE)[0]),
        "intent_then": case.intent_then,
        "inattention_then": case.inattention_then,
        "load_then": 2 * case.load_of_an_email,
        "staleness_then": 2.0,
        **{"min": min, "max": max, "exp": exp, "log": log, "sigmoid": lambda x: 1.0 / (1.0 + exp(-x))},
    }


def compute_formulae(names: dict[str, Any]) -> dict[str, float]:
    """Return what the formulae of the page say, each from the formulae before."""
    for name, expression in FORMULAE.items():
        python = expression.replace("·", "*").replace("−", "-").replace("^", "**")
        names[name] = eval(python, {"__builtins__": {}}, names)
    return {name: names[name] for name in FORMULAE}


def read_code(case: Case, intent: float, need: float) -> dict[str, Any]:
    """Return the numbers of the code, by the names of the formulae."""
    state, mental, p = case.world.state, case.mental_state, case.chances
    reader = mental.reader_state(HOUR, ONE, np.array([OFFER]))
    email, parameters, since = PARAMETERS.email, state.scenario.parameters, np.array([5.0])
    return {
        "wait": case.wait(),
        "order_in_visit": visit_order_probability(
            np.array([intent]), np.array([need]), state.order_factor(HOUR), parameters
        ),
        "intent": fade_intent(case.seen.intent, np.array([float(HOURS)]), parameters),
        "need": reader.need,
        "looks": look_probability(np.array([email.looked]), np.array([email.hour_effect]), np.array([1.4])),
        "unseen": share_unseen(since, np.array([email.per_hour]), np.array([email.tail])),
        "unseen_without_tail": share_unseen(since, np.array([email.per_hour]), np.zeros(1)),
        "load": mental._load[0] * exp(-mental._load_decay * HOUR),
        "staleness": reader.staleness,
        "overload": reader.overload,
        "inattention_after_click": 1.0 - case.attention_after(clicked=True),
        "inattention_after_no_click": 1.0 - case.attention_after(clicked=False),
        "attention": reader.attention,
        "tired": tired_logit(reader, parameters),
        "appeal": state.appeal_logits(HOUR, ONE, np.array([OFFER]), np.array([EMAIL])),
        "click": p.click,
        "conversion": p.order,
        "returns": p.return_visit,
        "order_on_return": p.order_on_return,
        "order": p.kept_orders / p.kept,
        "leaves": p.opt_out,
        "leaves_after_click": p.opt_out_after_click,
        "withdrawal": p.withdrawals,
        "mean_order_value": parameters.mean_order_value,
        "refund_lag": case.refund_lag(),
        "expected_margin": case.expected_margin(),
    }


def test_the_formulae_are_those_of_the_code(case: Case) -> None:
    page = compute_formulae(givens(case))
    code = read_code(case, page["intent"], page["need"])
    assert page.keys() == code.keys()
    for name, value in page.items():
        assert value == pytest.approx(float(np.squeeze(code[name])), rel=1e-5), name
    assert PARAMETERS.most_opt_out_overload < page["overload"] < PARAMETERS.most_overload
    assert all(page.values()), "a formula whose number is 0 proves little"


def test_the_tables_have_the_parameters_of_the_code() -> None:
    command = [sys.executable, "-m", "benchmarks", "parameters", "--check"]
    done = subprocess.run(command, cwd=DOCS.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_link_of_the_page_leads_to_a_file_or_a_heading() -> None:
    titles = re.findall("^#+ (.*)", PAGE, re.MULTILINE)
    headings = {re.sub(r"[^\w -]", "", title).strip().lower().replace(" ", "-") for title in titles}
    for target in re.findall(r"\]\(([^)]*)\)", PAGE):
        file, _, anchor = target.partition("#")
        if not target.startswith("https:"):
            assert (DOCS / file).exists(), target
            assert file or anchor in headings, target


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "my_policy", raising=False)
    for block in blocks("python") + blocks("yaml"):
        if name := re.match(r"# (\S+\.(py|yaml))\n", block):
            (tmp_path / name[1]).write_text(block, encoding="utf-8")
    assert {"my_policy.py", "my_scenario.yaml"} == {path.name for path in tmp_path.iterdir()}
    (command,) = [shlex.split(line) for block in blocks("sh") for line in block.splitlines()]
    assert command[0] == "decision-service"
    output = CliRunner().invoke(app, command[1:], catch_exceptions=False)
    assert output.exit_code == 0, output.output
    scores = json.loads((tmp_path / "scores.json").read_text(encoding="utf-8"))
    assert scores["facts"]["scenario"] == "my_scenario v1"
    assert "simulate.policy.value" in {one["name"] for one in scores["results"]}
    program: dict[str, Any] = {}
    assert len(blocks("python")) > 6
    for block in blocks("python"):
        exec(block, program)
    assert (tmp_path / "trajectories.parquet").exists()
