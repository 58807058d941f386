"""The simulate command: its results, its page, and what it refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path

import anyio
import pytest

from decision_service.cli import simulate
from policies.models.registry import BASELINES
from tests.conftest import RealRedis
from tests.decision_service.cli.test_command_line import run_replica


def options(tmp_path: Path, **changes: object) -> simulate.SimulateOptions:
    values: dict[str, object] = {
        "scenario": "stationary",
        "shoppers": 40,
        "weeks": 2,
        "seed": 3,
        "seeds": 2,
        "policy": "default",
        "url": None,
        "catalog": None,
        "baselines": True,
        "json": tmp_path / "out.json",
        "report": tmp_path / "out.html",
    }
    return simulate.SimulateOptions(**(values | changes))  # type: ignore[arg-type]


def test_simulate_compares_with_every_baseline_and_writes_the_results(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert simulate.run(options(tmp_path)) == 0
    document = json.loads((tmp_path / "out.json").read_text())
    values = {result["name"]: result for result in document["results"]}
    mails = ("1_e-mail", *(f"{count}_e-mails" for count in (2, 3, 5, 7)))
    contenders = ("default", "no_send", "push_daily", "3_per_week", *mails, *BASELINES, "planner")
    assert set(BASELINES) >= {"rule", "uniform"}
    assert {name.split(".")[1] for name in values} == set(contenders)
    assert values["simulate.no_send.value"]["value"] == 0.0
    assert values["simulate.push_daily.sends_per_week"]["value"] > values["simulate.3_per_week.sends_per_week"]["value"]
    for contender in contenders:
        reach = values[f"simulate.{contender}.reach_left"]
        assert 0.0 <= reach["low"] <= reach["value"] <= reach["high"] <= 1.0
        difference = values.get(f"simulate.{contender}.value_minus_rule")
        assert (difference is None) == (contender == "rule")
        if difference is not None:
            of_means = values[f"simulate.{contender}.value"]["value"] - values["simulate.rule.value"]["value"]
            assert difference["value"] == pytest.approx(of_means)
            assert difference["low"] < difference["value"] < difference["high"]
    assert values["simulate.default.value"]["low"] <= values["simulate.default.value"]["value"]
    assert document["facts"]["scenario"] == "stationary v2"
    page = (tmp_path / "out.html").read_text()
    assert page.count("<svg") == 17
    assert "Difference to the rule" in page
    assert "Learning curve" in page
    assert "value per shopper, week 2" in page, "the page must say which weeks the last third has"
    assert not re.findall(r"(?:src|href|url\()=?.?https?:", page), "the page must need nothing else"
    shown = capsys.readouterr().out
    assert "planner" in shown
    assert "default minus rule, week 2: " in shown


@pytest.mark.anyio
async def test_simulate_drives_a_fresh_service_and_refuses_a_used_one(
    tmp_path: Path, redis: RealRedis, capsys: pytest.CaptureFixture[str]
) -> None:
    async with run_replica(tmp_path, redis, "request") as url:
        chosen = options(tmp_path, url=url, seeds=1, shoppers=15, weeks=1, baselines=False)
        assert await anyio.to_thread.run_sync(simulate.run, chosen) == 0
        names = {result["name"] for result in json.loads((tmp_path / "out.json").read_text())["results"]}
        assert "simulate.service.value" in names
        assert await anyio.to_thread.run_sync(simulate.run, chosen) == 1
    errors = capsys.readouterr().err.replace("\n", " ")
    assert "the log of" in errors


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"scenario": "sunny"}, "scenario must be one of"),
        ({"world": 61}, "--world 61 must not be given with --scenario stationary"),
        ({"shoppers": 0}, "shoppers must be at least 1"),
        ({"weeks": 105}, "weeks must lie between 1 and 104"),
        ({"policy": "best"}, "policy must be one of"),
        ({"hold_share": 0.5}, "hold_share must lie between 0 and 0.1, not 0.5"),
        ({"policy": "planner", "hold_share": 0.1}, "hold-share must not be given with --policy planner"),
        ({"scenario": "seasonal_promo", "weeks": 4}, "--weeks 4 is not possible with the scenario seasonal_promo"),
        ({"report": Path("no/such/dir/r.html")}, "--report no/such/dir/r.html: cannot be written: No such file"),
        ({"json": Path("no/such/dir/r.json")}, "--json no/such/dir/r.json: cannot be written: No such file"),
        ({"report": Path("/")}, "--report /: cannot be written: Is a directory"),
        ({"url": "http://127.0.0.1:1", "seeds": 1}, "does not answer"),
    ],
)
def test_a_bad_option_is_refused_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, object], complaint: str
) -> None:
    assert simulate.run(options(tmp_path, **changes)) == 1
    assert complaint in capsys.readouterr().err.replace("\n", " ")


def test_your_own_policy_and_scenario_are_simulated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.yaml").write_text("base: fatigue\nweeks: 1\n")
    (tmp_path / "my_module_of_policies.py").write_text(
        "from policies.models.policy import Policy\ndef even(rulebook): return Policy('even')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    mine = options(
        tmp_path,
        scenario=str(tmp_path / "mine.yaml"),
        policy="my_module_of_policies:even",
        weeks=None,
        seeds=1,
        shoppers=15,
        baselines=False,
        report=None,
    )
    assert simulate.run(mine) == 0
    document = json.loads((tmp_path / "out.json").read_text())
    assert (document["facts"]["scenario"], document["facts"]["weeks"]) == ("mine v1", 1)
    assert "simulate.even.value" in {result["name"] for result in document["results"]}


def test_simulate_runs_a_world_of_the_family(tmp_path: Path) -> None:
    chosen = options(tmp_path, scenario=None, world=61, shoppers=5, seeds=1, weeks=1, baselines=False, report=None)
    assert simulate.run(chosen) == 0
    assert json.loads((tmp_path / "out.json").read_text())["facts"]["scenario"] == "world-61 v2"
