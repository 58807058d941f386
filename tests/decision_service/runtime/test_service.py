"""Whole services with a tiny application: they start, refuse, stop, and leave nothing, however they end."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from decision_service.app import open_log
from decision_service.log.facts import agree_on_facts
from decision_service.runtime import leftovers
from decision_service.settings import Settings
from tests.decision_service.runtime.started import Started, processes_of

pytestmark = [pytest.mark.service, pytest.mark.xdist_group("service")]


@pytest.fixture(scope="module")
def temp_dir() -> Iterator[Path]:
    """Make a temporary directory of the services' own, short and outside pytest's, to see what stays in it."""
    path = Path(tempfile.mkdtemp(prefix="t-", dir="/tmp"))
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, temp_dir: Path) -> Iterator[Started]:
    """One running service on a directory deeper than a socket's path may be."""
    deep = tmp_path_factory.mktemp("service") / ("d" * 100) / ("e" * 100)
    started = Started(deep, temp_dir)
    started.await_line("is ready")
    yield started
    if started.process.poll() is None:
        started.signal_group(signal.SIGTERM)


def test_it_answers_where_it_says_with_a_redis_of_its_own(service: Started) -> None:
    assert service.get("/healthz") == {"status": "alive"}
    assert service.get("/state")["redis_url"].startswith("unix:///tmp/")
    assert f"{service.run().url}/docs" in service.output


def test_the_output_of_ray_stays_out_of_the_terminal(service: Started) -> None:
    assert "ray.init" not in service.output
    assert "INFO" not in service.output
    assert "Started a local Ray instance" in service.data.service_log.read_text()


def _connections(process: psutil.Process) -> list[Any]:
    """Return the connections of a process; some of Ray's processes live for a moment only."""
    try:
        return list(process.net_connections("tcp"))
    except (psutil.NoSuchProcess, FileNotFoundError):
        return []


def test_nothing_but_serves_own_authenticated_port_listens_beyond_loopback(service: Started) -> None:
    connections = [
        connection for process in leftovers.find_processes(service.run().token) for connection in _connections(process)
    ]
    listening = [c.laddr for c in connections if c.status == psutil.CONN_LISTEN]
    beyond = {address for address in listening if not address.ip.endswith("127.0.0.1")}
    replicas = 1
    assert len(beyond) == replicas
    assert len(listening) > replicas


def test_each_of_its_processes_can_be_found_by_its_token(service: Started) -> None:
    """Ray's agents overwrite their environment, so they outlived a killed service by a minute, with a port."""
    started = {process.pid for process in service.driver().children(recursive=True)}
    assert started - {process.pid for process in leftovers.find_processes(service.run().token)} == set()


def test_it_runs_without_the_agents_whose_death_ends_ray(service: Started) -> None:
    names = set()
    for process in service.driver().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # a process of Ray may end in between
            names.add(process.name())
    assert "raylet" in names
    assert not {name for name in names if "Agent" in name}


def test_a_second_start_on_its_directory_is_refused(service: Started, temp_dir: Path) -> None:
    second = Started(service.data.path, temp_dir)
    assert second.exit_code() == 1
    assert f"is used by the service of process {service.process.pid} at {service.run().url}" in second.output


def test_a_start_on_its_port_is_refused_before_ray_starts(service: Started, temp_dir: Path, tmp_path: Path) -> None:
    port = int(service.run().url.rsplit(":", 1)[1])
    second = Started(tmp_path, temp_dir, port)
    assert second.exit_code() == 1
    assert f"--port: 127.0.0.1:{port} is taken by haproxy" in second.output
    assert "Ray" not in second.output


@pytest.mark.parametrize("options", [["--redis-url", "redis://:secret@127.0.0.1:1/0"], ["--seed", "8"]])
def test_data_that_cannot_be_used_are_refused_before_ray_starts(
    temp_dir: Path, tmp_path: Path, options: list[str]
) -> None:
    log = open_log(Settings.load({"data_dir": str(tmp_path)}, {}))
    agree_on_facts(log, "wall", 7)
    log.close()
    started = Started(tmp_path, temp_dir, serve=options)
    assert started.exit_code() == 1
    assert f"decision-service: {options[0]}: " in started.output
    assert "Ray" not in started.output
    assert "secret" not in started.output


def test_a_start_stopped_half_way_leaves_nothing(temp_dir: Path, tmp_path: Path) -> None:
    before = set(temp_dir.iterdir())
    started = Started(tmp_path, temp_dir)
    started.await_line("Starting Ray")
    run = started.run()
    assert started.signal_group(signal.SIGINT) == 0
    assert processes_of(run) == []
    assert set(temp_dir.iterdir()) == before


def test_a_start_that_does_not_hear_is_stopped_all_the_same(temp_dir: Path, tmp_path: Path) -> None:
    before = set(temp_dir.iterdir())
    os.mkfifo(tmp_path / "deaf")
    started = Started(tmp_path, temp_dir, application="build_deaf")
    (tmp_path / "deaf").open().close()  # opens when the other end does
    run = started.run()
    assert started.signal_group(signal.SIGINT) == 0
    assert "Stopped" in started.output
    assert processes_of(run) == []
    assert set(temp_dir.iterdir()) == before


def test_an_application_that_fails_is_reported_with_its_cause(temp_dir: Path, tmp_path: Path) -> None:
    started = Started(tmp_path, temp_dir, application="build_missing")
    assert started.exit_code() == 1
    assert "has no attribute 'build_missing'" in started.output
    assert f"See {tmp_path}/logs/service.log" in started.output


def test_a_replica_that_cannot_be_made_is_reported_with_its_cause(temp_dir: Path, tmp_path: Path) -> None:
    before = set(temp_dir.iterdir())
    started = Started(tmp_path, temp_dir, application="build_broken")
    assert started.exit_code() == 1
    assert "could not be deployed: ValueError: the catalogue has no messages" in started.output
    assert "Traceback" not in started.output
    assert "Traceback" in started.data.service_log.read_text()
    assert set(temp_dir.iterdir()) == before


def test_a_killed_tree_is_cleared_by_the_next_start_and_a_killed_driver_ends_the_service(
    service: Started, temp_dir: Path, tmp_path: Path
) -> None:
    """Both beside another service, which goes on."""
    before = set(temp_dir.iterdir())
    first = Started(tmp_path, temp_dir)
    first.await_line("is ready")
    assert service.get("/healthz") == first.get("/healthz")
    old, driver = first.run(), first.driver()
    first.process.kill()
    driver.kill()
    first.exit_code()
    second = Started(tmp_path, temp_dir)
    second.await_line("is ready")
    assert "The last run was killed" in second.output
    assert processes_of(old) == []
    assert not Path(old.runtime).exists()

    new, driver = second.run(), second.driver()
    processes = driver.children(recursive=True)
    driver.kill()
    assert second.exit_code() == 1
    assert "the service died (exit code -9)" in second.output
    assert processes_of(new) == []
    assert psutil.wait_procs(processes, timeout=10)[1] == []
    assert set(temp_dir.iterdir()) == before
    assert service.get("/healthz") == {"status": "alive"}


def test_a_driver_whose_supervisor_was_killed_stops_by_itself_with_nothing_left(
    service: Started, temp_dir: Path
) -> None:
    run = service.run()
    service.process.kill()
    assert processes_of(run) == []
    assert not any(temp_dir.glob("decide-*"))
    service.exit_code()
