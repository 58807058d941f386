"""HAProxy's wrapper binds every port of Serve to a private socket, and the plain proxy serves where there is none."""

from __future__ import annotations

import importlib.util
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from decision_service.runtime import haproxy
from decision_service.runtime.runtime_directory import RuntimeDirectory

IDENTITY = "00c0ffee"
RENDERED = """frontend prometheus
    bind :9101
frontend http_frontend
    bind 127.0.0.1:8000
backend http-app
    http-check expect status 200
listen stats
  bind *:8404
"""


@pytest.fixture
def runtime() -> Iterator[RuntimeDirectory]:
    directory = RuntimeDirectory.create("mark")
    yield directory
    directory.remove()


def test_the_wrapper_binds_every_port_to_a_private_socket_and_passes_its_arguments_on(
    runtime: RuntimeDirectory, tmp_path: Path
) -> None:
    config = tmp_path / "with space.cfg"
    config.write_text(RENDERED)
    wrapper = haproxy.build_environment(Path("/bin/echo"), runtime, IDENTITY)["RAY_SERVE_HAPROXY_BINARY_PATH"]
    done = subprocess.run([wrapper, "-db", "-f", str(config), "-x", "s"], capture_output=True, text=True, check=True)
    assert done.stdout == f"-db -f {config} -x s\n"
    lines = [line.strip() for line in config.read_text().splitlines()]
    binds = [line.split()[1:] for line in lines if line.startswith("bind")]
    assert [words[1:] for words in binds] == [["mode", "600"]] * 3
    assert all(words[0].startswith(f"unix@{runtime.path}/") for words in binds)
    assert binds[1][0] == f"unix@{runtime.serve_socket}"
    check = lines.index("http-check expect status 200")
    assert lines[check - 1] == f"http-check send hdr decision-service-run {IDENTITY}"


def test_the_wrapper_corrects_the_configuration_that_serve_really_writes(
    runtime: RuntimeDirectory, tmp_path: Path
) -> None:
    ray = importlib.util.find_spec("ray")  # read and not imported: Ray warns when imported
    assert ray is not None
    assert ray.origin is not None
    template = (Path(ray.origin).parent / "serve" / "_private" / "haproxy_templates.py").read_text()
    config = tmp_path / "c"
    config.write_text(re.sub(r"{{.*?}}", "1", template.replace("{{ config.frontend_host }}", "127.0.0.1")))
    wrapper = haproxy.build_environment(Path("/bin/echo"), runtime, IDENTITY)["RAY_SERVE_HAPROXY_BINARY_PATH"]
    subprocess.run([wrapper, "-db", "-f", str(config)], capture_output=True, check=True)
    binds = [line.split()[1] for line in config.read_text().splitlines() if line.strip().startswith("bind ")]
    unused = [bind for bind in binds if not bind.startswith("unix@")]
    assert unused == ["1:1"], "gRPC alone, which the service does not use"
    assert f"http-check send hdr decision-service-run {IDENTITY}" in config.read_text()


def test_serve_gets_private_paths(runtime: RuntimeDirectory) -> None:
    variables = haproxy.build_environment(Path("/bin/echo"), runtime, IDENTITY)
    assert variables["RAY_SERVE_ENABLE_HA_PROXY"] == "1"
    paths = [value for value in variables.values() if value.startswith("/")]
    assert len(paths) == 6
    assert all(Path(path).is_relative_to(runtime.path) for path in paths)


def test_without_a_binary_the_plain_proxy_serves(runtime: RuntimeDirectory) -> None:
    variables = haproxy.build_environment(None, runtime, IDENTITY)
    assert variables == {"RAY_SERVE_ENABLE_HA_PROXY": "0", "RAY_SERVE_ENABLE_DIRECT_INGRESS": "0"}
