"""HAProxy's wrapper binds what Serve left open to loopback, and the plain proxy serves where there is none."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from decision_service.runtime import haproxy
from decision_service.runtime.ports import Ports
from decision_service.runtime.runtime_directory import RuntimeDirectory

PORTS = Ports(8000, 24000, 24001, 24002)
RENDERED = """frontend prometheus
    bind :24001
frontend http_frontend
    bind 127.0.0.1:8000
listen stats
  bind *:24000
"""


@pytest.fixture
def runtime() -> Iterator[RuntimeDirectory]:
    directory = RuntimeDirectory.create("mark")
    yield directory
    directory.remove()


def test_the_wrapper_binds_every_port_to_loopback_and_passes_its_arguments_on(
    runtime: RuntimeDirectory, tmp_path: Path
) -> None:
    config = tmp_path / "with space.cfg"
    config.write_text(RENDERED)
    wrapper = haproxy.build_environment(Path("/bin/echo"), runtime, PORTS)["RAY_SERVE_HAPROXY_BINARY_PATH"]
    done = subprocess.run([wrapper, "-db", "-f", str(config), "-x", "s"], capture_output=True, text=True, check=True)
    assert done.stdout == f"-db -f {config} -x s\n"
    binds = [line.split()[1] for line in config.read_text().splitlines() if "bind" in line]
    assert binds == ["127.0.0.1:24001", "127.0.0.1:8000", "127.0.0.1:24000"]


def test_serve_gets_the_ports_and_private_paths(runtime: RuntimeDirectory) -> None:
    variables = haproxy.build_environment(Path("/bin/echo"), runtime, PORTS)
    assert variables["RAY_SERVE_ENABLE_HA_PROXY"] == "1"
    assert (variables["RAY_SERVE_HAPROXY_STATS_PORT"], variables["RAY_SERVE_HAPROXY_METRICS_PORT"]) == (
        "24000",
        "24001",
    )
    paths = [value for value in variables.values() if value.startswith("/")]
    assert len(paths) == 6
    assert all(Path(path).is_relative_to(runtime.path) for path in paths)


def test_without_a_binary_the_plain_proxy_serves(runtime: RuntimeDirectory) -> None:
    variables = haproxy.build_environment(None, runtime, PORTS)
    assert variables == {"RAY_SERVE_ENABLE_HA_PROXY": "0", "RAY_SERVE_ENABLE_DIRECT_INGRESS": "0"}
