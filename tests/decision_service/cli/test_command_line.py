"""The commands as a person types them: help, refusals, and a replay against a real replica."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
import uvicorn

from decision_service.api.application import build_api
from decision_service.app import Service, open_learner
from decision_service.cli import replay
from decision_service.learning.fleet import LocalFleet
from decision_service.learning.serving import Serving
from decision_service.settings import Settings
from tests.conftest import RealRedis

OPTIONS = (
    *("--host", "--port", "--data-dir", "--replicas", "--database-url", "--redis-url", "--catalog", "--clock"),
    *("--policy", "--seed"),
)


def decision_service(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "decision_service", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={"COLUMNS": "200", "PATH": ""})


def test_help_names_every_option_its_default_and_its_variable() -> None:
    done = decision_service("serve", "--help")
    assert done.returncode == 0
    for option in OPTIONS:
        assert option in done.stdout
        assert f"DECISION_SERVICE_{option[2:].replace('-', '_').upper()}" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["serve", "--port", "x"], "--port"),
        (["serve", "--clock", "sun"], "--clock"),
        (["serve", "--host", "0.0.0.0"], "--host"),
        (["serve", "--policy", "best"], "--policy"),
        (["serve", "--catalog", "nowhere.yaml"], "nowhere.yaml"),
        (["replay", "nowhere.csv", "--url", "http://127.0.0.1:1"], "nowhere.csv: cannot be read"),
        (
            ["simulate", "--seeds", "2", "--report", "no/such/dir/r.html"],
            "--report no/such/dir/r.html: cannot be written",
        ),
    ],
)
def test_a_bad_option_is_refused_by_name(arguments: list[str], complaint: str) -> None:
    done = decision_service(*arguments)
    assert done.returncode != 0
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr


@asynccontextmanager
async def run_replica(tmp_path: Path, redis: RealRedis, clock: str) -> AsyncIterator[str]:
    """Run a replica in this process, and yield the URL at which it answers."""
    settings = Settings.load({"data_dir": tmp_path, "redis_url": redis.url, "clock": clock, "seed": 1}, {})
    learner = open_learner(settings)

    def fleet(versions: Serving) -> LocalFleet:
        return LocalFleet(learner, versions)

    server = uvicorn.Server(uvicorn.Config(build_api(Service(settings, fleet)), port=0, log_level="error"))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server.serve)
        while not server.started:
            await anyio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
        server.should_exit = True
    learner.stop()


def transactions(tmp_path: Path) -> Path:
    file = tmp_path / "transactions.csv"
    lines = ["InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"]
    for number in range(60):
        day, hour = 1 + number // 4, 8 + number % 4
        lines.append(f"{number},1,LANTERN,2,2010-12-{day:02d} {hour:02d}:00:00,4.5,{number % 9},UK")
    file.write_text("\n".join(lines) + "\n")
    return file


@pytest.mark.anyio
async def test_a_replay_runs_against_a_fresh_service_and_refuses_a_used_one(
    tmp_path: Path, redis: RealRedis, capsys: pytest.CaptureFixture[str]
) -> None:
    file, results = transactions(tmp_path), tmp_path / "results.json"
    async with run_replica(tmp_path, redis, "request") as url:

        def run(seed: int) -> int:
            return replay.run(file, replay.ReplayOptions(url, limit=50, seed=seed, json=results))

        assert await anyio.to_thread.run_sync(run, 1) == 0
        document = json.loads(results.read_text())
        assert document["facts"]["seed"] == 1
        assert document["facts"]["purchases"] == 50
        names = {result["name"] for result in document["results"]}
        assert {"replay.service_minus_rule", "replay.service_minus_uniform", "replay.service.sends"} <= names
        assert {"replay.service_minus_planner", "replay.value.service_minus_planner"} <= names
        assert "reward per decision" in capsys.readouterr().out
        assert await anyio.to_thread.run_sync(run, 1) == 1
        assert "the log of" in capsys.readouterr().err


def test_a_replay_of_a_policy_in_this_process_needs_no_service(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, scenario = transactions(tmp_path), tmp_path / "mine.yaml"
    scenario.write_text("tolerance: 0.4\n")
    results = tmp_path / "results.json"
    assert replay.run(file, replay.ReplayOptions(policy="default", scenario=str(scenario), json=results)) == 0
    names = {result["name"] for result in json.loads(results.read_text())["results"]}
    assert {"replay.default_minus_rule", "replay.default_minus_uniform"} <= names
    assert {"replay.planner.value", "replay.default.value", "replay.value.default_minus_planner"} <= names
    differences = [line for line in capsys.readouterr().out.splitlines() if line.startswith("replay.")]
    assert differences
    for line in differences:
        unit = "margin per shopper" if line.startswith("replay.value.") else "reward per decision, last quarter"
        assert f"] {unit}; " in line
    for options, complaint in (
        (replay.ReplayOptions(), "either --url of a service, or --policy"),
        (replay.ReplayOptions("http://127.0.0.1:1", policy="rule"), "either --url of a service, or --policy"),
        (replay.ReplayOptions(policy="rule", scenario="drift", world=61), "--world 61 must not be given with"),
        (replay.ReplayOptions(policy="best"), "policy must be one of"),
        (replay.ReplayOptions(policy="rule", json=tmp_path / "no" / "r.json"), "cannot be written"),
        (replay.ReplayOptions("http://127.0.0.1:1", catalog=file), "catalog must not be given with --url"),
    ):
        assert replay.run(file, options) == 1
        assert complaint in capsys.readouterr().err


@pytest.mark.anyio
async def test_a_replay_refuses_the_wall_clock(
    tmp_path: Path, redis: RealRedis, capsys: pytest.CaptureFixture[str]
) -> None:
    file = transactions(tmp_path)
    async with run_replica(tmp_path, redis, "wall") as url:

        def run() -> int:
            return replay.run(file, replay.ReplayOptions(url, seed=1))

        assert await anyio.to_thread.run_sync(run) == 1
    assert "serve --clock request" in capsys.readouterr().err.replace("\n", " ")
