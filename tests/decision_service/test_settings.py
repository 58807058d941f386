"""Settings: one name each, options over variables over defaults, refusals that name option and reason."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from typer.testing import CliRunner

from decision_service.__main__ import app
from decision_service.settings import Settings, SettingsRefused, option, variable
from policies.models.registry import POLICIES

VALID = {
    "host": "127.0.0.2",
    "port": "8123",
    "data_dir": "/var/lib/decisions",
    "replicas": "3",
    "database_url": "sqlite:////var/lib/log.sqlite",
    "redis_url": "redis://:secret@cache:6379/0",
    "catalog": __file__,
    "clock": "request",
    "policy": "uniform",
    "hold_share": "0.05",
    "seed": "7",
}
WRONG = [
    ("host", "0.0.0.0", "not a loopback address; the service has no API keys yet"),
    ("host", "::1", "IPv6, which is not supported yet"),
    ("host", "shop.example", "must be an IP address or localhost, not 'shop.example'"),
    ("port", "65536", "must be less than or equal to 65535, not '65536'"),
    ("port", "http", "must be a valid integer"),
    ("replicas", "0", "must be greater than or equal to 1, not '0'"),
    ("data_dir", __file__, "is not a directory"),
    ("data_dir", "/" + 30 * "deep/deeper/deepest/", "is 113 bytes too long: SQLite cannot open files there"),
    ("data_dir", "/data/\udcff", "'/data/\\udcff' is not UTF-8"),
    ("data_dir", "/" + "x" * 300, "File name too long"),
    ("data_dir", "~nobody-of-this-name/data", "home directory"),
    ("database_url", "postgresql://user:secret@db/log", "PostgreSQL is not supported yet"),
    ("database_url", "sqlite://", "must be sqlite:/// and the path of a file"),
    ("database_url", "sqlite:///:memory:", "must be sqlite:/// and the path of a file"),
    ("redis_url", "http://:secret@cache", "must look like redis://"),
    ("redis_url", "redis://", "must look like redis://"),
    ("redis_url", "redis://cache:port/0", "must look like redis://"),
    ("redis_url", "redis://:secret#1@cache:6379", "write # / ? @ % in a password or path as %23"),
    ("redis_url", "unix:///run/a#b.sock", "write # / ? @ % in a password or path as %23"),
    ("catalog", "/nowhere/catalog.yaml", "there is no file /nowhere/catalog.yaml"),
    ("clock", "sundial", "must be 'wall' or 'request', not 'sundial'"),
    ("hold_share", "0.2", "must be less than or equal to 0.1, not '0.2'"),
    ("hold_share", "-0.01", "must be greater than or equal to 0, not '-0.01'"),
    ("hold_share", "nan", "must be"),
    ("seed", "-1", "must be greater than or equal to 0, not '-1'"),
]


def test_every_setting_can_be_given_as_an_option_or_a_variable_alike() -> None:
    assert VALID.keys() == Settings.model_fields.keys()
    by_option = Settings.load(VALID, {})
    by_variable = Settings.load({}, {variable(name): value for name, value in VALID.items()})
    assert by_option == by_variable
    assert by_option.port == 8123


@given(st.integers(1, 65_535), st.integers(1, 65_535))
def test_an_option_wins_over_its_variable(typed: int, exported: int) -> None:
    assert Settings.load({"port": str(typed)}, {"DECISION_SERVICE_PORT": str(exported)}).port == typed


@given(st.integers().filter(lambda port: not 0 <= port <= 65_535))
def test_no_port_outside_its_range_is_taken(port: int) -> None:
    with pytest.raises(SettingsRefused, match=r"^--port: "):
        Settings.load({"port": str(port)}, {})


@pytest.mark.parametrize(("name", "value", "reason"), WRONG)
def test_a_bad_value_is_refused_by_option_and_reason(name: str, value: str, reason: str) -> None:
    with pytest.raises(SettingsRefused) as refusal:
        Settings.load({name: value}, {})
    assert str(refusal.value).startswith(f"{option(name)}: ")
    assert reason in str(refusal.value)
    assert "secret" not in str(refusal.value)


def test_every_registered_policy_can_be_chosen_and_no_other() -> None:
    assert [Settings.load({"policy": name}, {}).policy for name in POLICIES] == list(POLICIES)
    with pytest.raises(SettingsRefused, match="not 'best'") as refusal:
        Settings.load({"policy": "best"}, {})
    assert all(repr(name) in str(refusal.value) for name in POLICIES)


def test_a_bad_variable_is_named_too() -> None:
    with pytest.raises(SettingsRefused, match=r"^--clock \(from DECISION_SERVICE_CLOCK\): must be 'wall'"):
        Settings.load({}, {"DECISION_SERVICE_CLOCK": "sundial"})


def test_every_bad_value_is_named_at_once() -> None:
    with pytest.raises(SettingsRefused) as refusal:
        Settings.load({"port": "x", "clock": "y"}, {})
    assert [line.split(":")[0] for line in str(refusal.value).splitlines()] == ["--port", "--clock"]


def test_an_empty_variable_counts_as_not_set() -> None:
    assert Settings.load({}, {"DECISION_SERVICE_PORT": ""}).port == 8000


def test_paths_are_absolute_so_that_workers_may_run_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Settings.load({}, {}).data_dir == tmp_path / "data"
    assert Settings.load({}, {}).database_url == f"sqlite:///{tmp_path}/data/decisions.sqlite"
    assert Settings.load({"database_url": "sqlite:///log.db"}, {}).database_url == f"sqlite:///{tmp_path}/log.db"


def test_the_log_follows_the_data_directory(tmp_path: Path) -> None:
    settings = Settings.load({"data_dir": str(tmp_path)}, {})
    assert settings.database_url == f"sqlite:///{tmp_path}/decisions.sqlite"


def test_a_bad_data_directory_is_named_once(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(SettingsRefused, match=r"\A--data-dir: .*[Ll]oop.*\Z"):
        Settings.load({"data_dir": str(tmp_path / "loop")}, {})


def test_localhost_is_the_ipv4_loopback() -> None:
    assert Settings.load({"host": "localhost"}, {}).host == "127.0.0.1"


def test_settings_travel_to_workers_and_never_change() -> None:
    settings = Settings.load(VALID, {})
    assert pickle.loads(pickle.dumps(settings)) == settings
    assert Settings.model_validate_json(settings.model_dump_json()) == settings
    with pytest.raises(ValidationError, match="frozen"):
        settings.port = 1  # type: ignore[misc]


def test_addresses_with_passwords_stay_out_of_what_is_shown() -> None:
    assert "secret" not in repr(Settings.load(VALID, {}))


def test_help_has_every_option_with_default_and_variable() -> None:
    shown = CliRunner().invoke(app, ["serve", "--help"], env={"COLUMNS": "200", "TERMINAL_WIDTH": "200"}).output
    for name in Settings.model_fields:
        assert option(name) in shown
        assert variable(name) in shown
    assert "default: 127.0.0.1" in shown
    assert "default: decisions.sqlite in the data directory" in shown


def test_serve_leaves_with_2_on_a_bad_value() -> None:
    result = CliRunner().invoke(app, ["serve", "--port", "x"])
    assert result.exit_code == 2
    assert result.stderr.startswith("decision-service: --port: must be a valid integer")
