"""The running service on another loopback address than 127.0.0.1: what callers see while its parts come and go."""

from __future__ import annotations

import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from decision_service.log.sql import SqlLog
from decision_service.runtime import leftovers
from tests.decision_service.runtime.started import Started
from tests.reference.traffic import Answer, Traffic, drop_early_refusals, find_broken, send_traffic

pytestmark = [pytest.mark.service, pytest.mark.xdist_group("service")]

HOST = "127.0.0.2"
REPLICA = "ServeReplica:decision-service:replica"


class Service(Started):
    """The real service, with callers from the first moment on."""

    def __init__(self, data_dir: Path, temp_dir: Path) -> None:
        super().__init__(data_dir, temp_dir, serve=["--host", HOST])
        while self.data.last_run() is None and self.process.poll() is None:
            time.sleep(0.01)
        with send_traffic(self.url) as traffic:
            self.await_line("is ready")
            assert traffic.wait_for_normal(0.0), self.output
        self.answers_of_the_start = traffic.answers

    @property
    def url(self) -> str:
        return self.run().url

    def find(self, part: str) -> list[psutil.Process]:
        processes = leftovers.find_processes(self.run().token)
        return [process for process in processes if part in " ".join(process.cmdline())]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    temp_dir = Path(tempfile.mkdtemp(prefix="t-", dir="/tmp"))
    started = Service(tmp_path_factory.mktemp("ingress") / "data", temp_dir)
    yield started
    started.signal_group(signal.SIGTERM)
    shutil.rmtree(temp_dir)


def decisions(answers: list[Answer]) -> int:
    return sum(answer.path == "/v1/decide" and answer.is_normal for answer in answers)


def test_from_the_first_accepted_connection_on_the_service_answers_or_says_when_to_come_again(
    service: Service,
) -> None:
    answers = drop_early_refusals(service.answers_of_the_start)
    assert find_broken(answers) == ()
    assert {answer.status for answer in answers if answer.path == "/v1/decide"} == {200, 503}


def test_at_another_address_the_callers_have_their_decisions_in_its_own_log(service: Service) -> None:
    log = SqlLog.open(f"sqlite:///{service.data.path}/decisions.sqlite")
    before = log.head().position
    traffic = Traffic(service.url)
    answers = [traffic.ask("/v1/decide") for _ in range(5)]
    assert decisions(answers) == 5
    kinds = [row.kind for row in log.read(before, 1_000)]
    log.close()
    assert kinds.count("decision") == 5


@pytest.mark.parametrize("path", ["/-/healthz", "/-/routes", "/nothing", "/v1/nothing"])
def test_no_path_is_answered_in_plain_text(service: Service, path: str) -> None:
    answer = Traffic(service.url).ask(path)
    assert (answer.status, answer.media_type) == (404, "application/problem+json")


def send_half(url: str, size: int) -> socket.socket:
    host, _, port = url.removeprefix("http://").partition(":")
    connection = socket.create_connection((host, int(port)), timeout=30)
    head = f"POST /v1/events HTTP/1.1\r\nHost: service\r\nContent-Length: {size}\r\n\r\n"
    connection.sendall(head.encode() + b" " * (size // 2))
    return connection


def test_half_sent_bodies_stop_nobody(service: Service) -> None:
    with ExitStack() as stack:
        for number in range(600):
            stack.enter_context(send_half(service.url, (900, 300_000)[number % 2]))
        traffic = Traffic(service.url)
        answers = [traffic.ask(path) for path in ("/healthz", "/readyz", "/metrics", "/v1/decide", "/v1/catalog")]
    assert [answer.status for answer in answers] == [200] * 5


@pytest.mark.parametrize("victim", ["haproxy -db", "HAProxyManager"])
def test_while_a_proxy_restarts_the_rule_holds(service: Service, victim: str) -> None:
    with send_traffic(service.url) as traffic:
        assert traffic.wait_for_normal(0.0)
        victims = service.find(victim)
        assert victims
        for process in victims:
            process.kill()
        assert traffic.wait_for_normal(time.monotonic() + 1.0)
    assert find_broken(traffic.answers, cut_is_allowed=True) == ()


def test_a_frozen_replica_is_replaced(service: Service) -> None:
    (frozen,) = service.find(REPLICA)
    with send_traffic(service.url) as traffic:
        assert traffic.wait_for_normal(0.0)
        frozen.send_signal(signal.SIGSTOP)
        assert traffic.wait_for_normal(time.monotonic())
    assert find_broken(traffic.answers, cut_is_allowed=True) == ()
    assert not frozen.is_running()
