"""The processes in the place of Ray's agents: they write that no agent listens, wait, and die with the raylet."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psutil

from decision_service.runtime import idle_agent
from decision_service.runtime.die_with_parent import wrap_command

RAYLET = "import subprocess, sys; subprocess.Popen(sys.argv[1:]); sys.stdin.read()"
"""Starts an agent and waits."""


def test_it_says_that_no_agent_listens_and_dies_with_its_parent(tmp_path: Path) -> None:
    agent = wrap_command([sys.executable, "-I", "-S", str(idle_agent.__file__)])
    options = ["/ray/agent.py", f"--session-dir={tmp_path}", "--node-id=4711", "--head", "--x=a=b"]
    raylet = subprocess.Popen([sys.executable, "-c", RAYLET, *agent, *options], stdin=subprocess.PIPE)
    with raylet:
        while len(list(tmp_path.glob("*_port_4711"))) < 4:
            time.sleep(0.02)
        (process,) = psutil.Process(raylet.pid).children()
        raylet.kill()
    assert psutil.wait_procs([process], timeout=10)[1] == [] or process.status() == psutil.STATUS_ZOMBIE
    assert {path.read_text() for path in tmp_path.iterdir()} == {"-1"}
    assert {path.name.removesuffix("_port_4711") for path in tmp_path.iterdir()} == {
        "dashboard_agent_listen",
        "metrics_agent",
        "metrics_export",
        "runtime_env_agent",
    }
