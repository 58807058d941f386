"""Rebuilding and verifying the states, on a real Redis with missing, stale or invented states."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import msgspec
import pytest
import redis as redis_client
from typer.testing import CliRunner

from decision_service.__main__ import app
from decision_service.cli import rebuild_state
from decision_service.runtime.data_directory import DataDirectory, RunRecord
from decision_service.settings import Settings, option, variable
from decision_service.state.shopper_keys import is_pseudonym
from policies.shopper.fold import FOLD_VERSION
from policies.shopper.state import NEW_SHOPPER, Send, ShopperState
from tests.conftest import RealRedis
from tests.decision_service.conftest import Replica, Start
from tests.decision_service.learning.test_learner import iso, live
from tests.factories import small_document
from tests.stories.test_recovery import fold_of_the_log

pytestmark = pytest.mark.anyio

CATALOGUE = small_document(caps=[{"max": 3, "window_s": 7 * 86_400}])
OPTIONS = ("--data-dir", "--database-url", "--redis-url", "--verify")


async def create_states(service: Replica) -> None:
    """Make rows of every kind that changes a state."""
    await live(service, 2)
    await service.decide(event_id="deferred", shopper_id="s-20", defer_activation=True, now=iso(60))
    await service.decide(event_id="activated", shopper_id="s-21", defer_activation=True, now=iso(60))
    await service.post("/v1/decisions/activated/activate", {})
    await service.decide(event_id="cancelled", shopper_id="s-21", now=iso(61))
    await service.post("/v1/decisions/cancelled/cancel", {})
    await service.post(
        "/v1/events", {"id": "o-1", "shopper_id": "s-22", "type": "purchase", "attributes": {"value": 9}}
    )
    await service.client.put("/v1/shoppers/s-23/preferences", json={"consent": {"push": False}, "locale": "es"})
    await service.client.delete("/v1/shoppers/s-3")


class Command:
    """The command on one log and one Redis, as a person runs it."""

    def __init__(self, path: Path, redis: RealRedis, capsys: pytest.CaptureFixture[str]) -> None:
        self._options = {"data_dir": str(path), "database_url": None, "redis_url": redis.url}
        self._capsys = capsys

    async def __call__(self, *, verify: bool = False) -> tuple[int, str, str]:
        code = await anyio.to_thread.run_sync(lambda: rebuild_state.run(self._options, verify=verify))
        output = self._capsys.readouterr()
        return code, output.out, output.err


@pytest.fixture
def command(tmp_path: Path, redis: RealRedis, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(tmp_path, redis, capsys)


@contextmanager
def client_of(redis: RealRedis) -> Iterator[redis_client.Redis]:
    with redis_client.Redis.from_url(redis.url) as client:
        yield client


def prefix_of(client: redis_client.Redis) -> str:
    (meta,) = client.keys("ds:*:meta")
    return meta.decode().removesuffix("meta") + "s:" if isinstance(meta, bytes) else ""


async def test_lost_states_are_rebuilt_from_the_log(replica: Start, redis: RealRedis, command: Command) -> None:
    async with replica(CATALOGUE, policy="rule") as service:
        await create_states(service)
    code, out, _ = await command(verify=True)
    assert code == 0
    assert "no differences" in out
    with client_of(redis) as client:
        client.flushall()
        code, _, err = await command(verify=True)
        assert code == 1
        assert "contains the log up to position 0 only" in err
        assert "s-1: is not stored" in err
        client.set("somebody else's", "stays")
        code, out, _ = await command()
        assert code == 0
        assert out.startswith("Rebuilt the states of ")
        assert client.get("somebody else's") == b"stays"
    assert (await command(verify=True))[0] == 0
    async with replica(CATALOGUE, policy="rule") as service:
        states = fold_of_the_log(service)
        assert len(states) > 12
        for shopper_id, state in states.items():
            stored = await service.service.store.read(service.service.shopper_keys.key(shopper_id))
            assert stored.state == (NEW_SHOPPER if is_pseudonym(shopper_id) else state)
        assert (await service.service.store.read(service.service.shopper_keys.key("s-3"))).state.erased


async def test_states_that_an_older_fold_made_are_named_and_rebuilt_by_the_next_start(
    replica: Start, redis: RealRedis, command: Command
) -> None:
    async with replica(CATALOGUE, policy="rule") as service:
        await create_states(service)
        key = service.service.shopper_keys.key("s-3")
    with client_of(redis) as client:
        (meta,) = client.keys("ds:*:meta")
        client.hdel(meta, "fold")
        # The previous version forgot an erasure as soon as preferences were put.
        client.hset(prefix_of(client) + key, "b", msgspec.msgpack.encode(ShopperState(locale="en")))
        code, _, err = await command(verify=True)
        assert code == 1
        assert "an earlier version of the fold made the states" in err
        assert f"key {key}: " in err
        async with replica(CATALOGUE, policy="rule") as service:
            assert (await service.service.store.read(key)).state.erased
        assert client.hget(meta, "fold") == str(FOLD_VERSION).encode()
    assert (await command(verify=True))[0] == 0


async def test_every_kind_of_difference_is_named_and_repaired(
    replica: Start, redis: RealRedis, command: Command
) -> None:
    async with replica(CATALOGUE, policy="rule") as service:
        await create_states(service)
        names = {name: service.service.shopper_keys.key(name) for name in ("s-1", "s-2", "s-22", "nobody")}
    with client_of(redis) as client:
        prefix = prefix_of(client)
        stored = client.hget(prefix + names["s-1"], "b")
        assert isinstance(stored, bytes)
        state = msgspec.msgpack.decode(stored, type=ShopperState)
        other = msgspec.structs.replace(state, sends=(), locale="xx")
        client.hset(prefix + names["s-1"], "b", msgspec.msgpack.encode(other))
        client.delete(prefix + names["s-2"])
        client.hset(prefix + names["s-22"], "b", b"\xff")
        client.hset(prefix + names["nobody"], "b", msgspec.msgpack.encode(ShopperState(locale="en")))
        code, out, err = await command(verify=True)
        assert code == 1
        assert "4 differences" in out
        assert "s-1: locale, sends differ" in err
        assert "s-2: is not stored" in err
        assert "s-22: what is stored cannot be read" in err
        assert f"key {names['nobody']}: is stored, but the log knows no such shopper" in err
        assert (await command())[0] == 0
        assert (await command(verify=True))[0] == 0
        assert not client.exists(prefix + names["nobody"])


async def test_the_spent_budget_is_verified_too(replica: Start, redis: RealRedis, command: Command) -> None:
    async with replica(CATALOGUE, policy="rule") as service:
        await service.decide(exclude=[{"channel": "push"}])
    with client_of(redis) as client:
        (spent,) = client.keys("ds:*:spent")
        assert (await command(verify=True))[0] == 0
        ((day, _),) = client.hgetall(spent).items()
        client.hincrby(spent, day, 1)
        code, _, err = await command(verify=True)
        assert code == 1
        assert "what email cost on 2026-11-" in err
        await command()
        assert (await command(verify=True))[0] == 0


async def test_the_uses_of_names_are_verified_too(replica: Start, redis: RealRedis, command: Command) -> None:
    async with replica(CATALOGUE, policy="rule") as service:
        await create_states(service)
    with client_of(redis) as client:
        (uses,) = client.keys("ds:*:uses")
        client.hincrby(uses, "channels.push -1", 1)
        code, _, err = await command(verify=True)
        assert code == 1
        assert "how often channels.push is used differs" in err
        assert (await command())[0] == 0
        assert (await command(verify=True))[0] == 0


async def test_a_claim_ahead_of_the_log_is_no_difference(replica: Start, redis: RealRedis, command: Command) -> None:
    async with replica(CATALOGUE, policy="rule") as service:
        await service.decide()
        with client_of(redis) as client:
            send, key = (
                Send(event_id="coming", send_at=1.8e9, message="hint", channel="push", category="browse"),
                service.service.shopper_keys.key,
            )
            client.hset(prefix_of(client) + key("s-9"), "p:coming/1", msgspec.msgpack.encode(send))
            client.hset(prefix_of(client) + key("s-1"), "w:1", "push")
        assert (await command(verify=True))[0] == 0


async def test_services_go_on_after_a_rebuild(replica: Start, redis: RealRedis, command: Command) -> None:
    """Two replicas decide all the while: neither exceeds a cap, and both go on with the new states."""
    async with replica(CATALOGUE, policy="rule") as one, replica(CATALOGUE, policy="rule") as two:
        done = asyncio.Event()

        async def shop(service: Replica, name: str) -> int:
            number = 0
            while not done.is_set():
                await service.decide(event_id=f"{name}-{number}", shopper_id=f"s-{number % 20}", now=iso(number / 100))
                number += 1
                await asyncio.sleep(0)
            return number

        async def rebuild() -> None:
            try:
                for _ in range(3):
                    code, _, err = await command(verify=True)
                    assert (code, err) == (0, "")
                    assert (await command())[0] == 0
                    await one.wait_until_ready()
                    await two.wait_until_ready()
            finally:
                done.set()

        made, also, _ = await asyncio.gather(shop(one, "one"), shop(two, "two"), rebuild())
        assert made > 0
        assert also > 0
        timelines = [(await one.client.get(f"/v1/shoppers/s-{n}/timeline?limit=500")).json() for n in range(20)]
        sends = [sum(entry["decision"] == "send" for entry in timeline["decisions"]) for timeline in timelines]
        assert max(sends) == 3
        assert (await one.decide(event_id="after", shopper_id="new", now=iso(100)))["decision"] == "send"
        assert (await command(verify=True))[0] == 0


def test_without_a_service_the_snapshot_of_the_embedded_redis_is_deleted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "decisions.sqlite").touch()
    snapshot = tmp_path / "redis" / "states.rdb"
    snapshot.parent.mkdir()
    snapshot.touch()
    options = {"data_dir": str(tmp_path)}
    for begin in ("Deleted the snapshot of the embedded Redis in ", "There is no snapshot of an embedded Redis in "):
        assert rebuild_state.run(options, verify=False) == 0
        printed = capsys.readouterr().out
        assert printed.startswith(begin)
        assert "the next start folds every state from the log" in printed
        assert not snapshot.exists()
    assert rebuild_state.run(options, verify=True) == 2
    assert capsys.readouterr().err.startswith("decision-service: --redis-url: no service runs on ")


async def test_a_running_services_embedded_redis_is_found(
    replica: Start, redis: RealRedis, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with replica(CATALOGUE, policy="rule") as service:
        await service.decide()
        data = DataDirectory(tmp_path)
        lock = data.lock()
        assert lock is not None
        run = RunRecord(
            token="token",
            home=data.identity,
            runtime=str(redis.socket.parent),
            pid=os.getpid(),
            url="http://here",
        )
        lock.write_record(run)
        options = {"data_dir": str(tmp_path)}
        code = await anyio.to_thread.run_sync(lambda: rebuild_state.run(options, verify=True))
        assert code == 0
        assert capsys.readouterr().out.startswith("The embedded Redis of the service at http://here:\n")
        lock.write_record(msgspec.structs.replace(run, runtime=str(tmp_path / "elsewhere")))
        code = await anyio.to_thread.run_sync(lambda: rebuild_state.run(options, verify=True))
        assert code == 2
        assert "uses a Redis of yours" in capsys.readouterr().err
        lock.release()


@pytest.mark.parametrize(
    ("options", "code", "complaint"),
    [
        ({"data_dir": "nowhere"}, 2, "--database-url: there is no log at "),
        ({"redis_url": "http://x"}, 2, "--redis-url: must look like redis://host"),
        ({"redis_url": "redis://:secret@127.0.0.1:1/0"}, 2, "--database-url: no service was ever started on this log"),
    ],
)
def test_an_option_that_cannot_be_used_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: dict[str, str], code: int, complaint: str
) -> None:
    (tmp_path / "decisions.sqlite").touch()
    known = {"data_dir": str(tmp_path)} | options
    if "data_dir" in options:
        known["data_dir"] = str(tmp_path / options["data_dir"])
    assert rebuild_state.run(known, verify=False) == code
    err = capsys.readouterr().err
    assert complaint in err
    assert "secret" not in err


async def test_an_unavailable_store_is_named_without_the_text_of_its_driver(
    replica: Start, redis: RealRedis, command: Command, tmp_path: Path
) -> None:
    async with replica(CATALOGUE):
        pass
    redis.kill()
    for verify in (False, True):
        code, _, err = await command(verify=verify)
        assert code == 1
        assert err.startswith("decision-service: --redis-url: this Redis cannot be used: nobody listens there")
        assert "Error" not in err
        assert str(redis.socket) not in err
    (tmp_path / "decisions.sqlite").write_bytes(b"no database" * 100)
    code, _, err = await command()
    assert (code, "the log is damaged" in err) == (1, True)


def test_options_reach_the_command(tmp_path: Path) -> None:
    file = tmp_path / "log.sqlite"
    file.touch()
    result = CliRunner().invoke(
        app, ["rebuild-state", "--verify", "--database-url", f"sqlite:///{file}", "--data-dir", str(tmp_path)]
    )
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("decision-service: --redis-url: no service runs on ")


def test_help_names_every_option_its_default_and_its_variable() -> None:
    result = CliRunner().invoke(app, ["rebuild-state", "--help"], env={"COLUMNS": "200", "TERMINAL_WIDTH": "200"})
    assert result.exit_code == 0
    for name in OPTIONS:
        assert name in result.output
    for name in ("data_dir", "database_url", "redis_url"):
        assert name in Settings.model_fields
        assert option(name) in result.output
        assert variable(name) in result.output
    assert "Exit codes" in result.output
