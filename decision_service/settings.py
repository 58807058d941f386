"""The settings of a service, read from command-line options and environment variables.

Every setting has one name: ``data_dir`` is the field, ``--data-dir`` the option and ``DECISION_SERVICE_DATA_DIR`` the
variable. An option wins over its variable, and a variable over the default. Only this module reads the service's
environment variables.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo

from decision_service.database.sqlite_url import LONGEST_PATH, find_file, make_url
from policies.models.hold_share import MOST_HOLD_SHARE
from policies.models.registry import POLICIES, describe_policies

_PREFIX = "DECISION_SERVICE_"
_LOG = "decisions.sqlite"


class SettingsRefused(ValueError):
    """One or more settings cannot be used. The message has a line for each one, with the option and the reason."""


class Settings(BaseModel):
    """The settings of one service.

    Examples
    --------
    >>> settings = Settings.load({"port": "8100"}, {"DECISION_SERVICE_REPLICAS": "2"})
    >>> settings.port, settings.replicas, settings.clock
    (8100, 2, 'wall')
    >>> Settings.load({"port": "99999"}, {})
    Traceback (most recent call last):
    ...
    decision_service.settings.SettingsRefused: --port: must be less than or equal to 65535, not '99999'
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field("127.0.0.1", description="Address to listen on; only this machine's own (loopback).")
    port: int = Field(8000, ge=0, le=65_535, description="Port to listen on; 0 takes a free one.")
    data_dir: Path = Field(
        Path("data"), description="Directory of the log and the models; made when absent, for its owner only."
    )
    replicas: int = Field(1, ge=1, le=64, description="Processes that answer requests.")
    database_url: str = Field(
        "",
        repr=False,
        description="The log, as an SQLAlchemy URL; only SQLite yet.",
        json_schema_extra={"shown": "decisions.sqlite in the data directory"},
    )
    redis_url: str | None = Field(
        None,
        repr=False,
        description="Redis of the shoppers' states.",
        json_schema_extra={"shown": "an embedded one"},
    )
    catalog: Path | None = Field(
        None,
        description="YAML file of messages, channels, caps and rewards.",
        json_schema_extra={"shown": "the built-in example"},
    )
    clock: Literal["wall", "request"] = Field(
        "wall", description="Clock of decisions: the server's, or `now` in each request (simulation)."
    )
    policy: str = Field("default", description=f"Policy that decides: {describe_policies()}.")
    hold_share: float = Field(
        0.0,
        ge=0.0,
        le=MOST_HOLD_SHARE,
        description="Share of decisions that hold at random, which measures what sends bring.",
    )
    seed: int | None = Field(
        None,
        ge=0,
        lt=2**63,
        description="Seed of the draws; stored with the data.",
        json_schema_extra={"shown": "the stored one, random at the first start"},
    )

    @classmethod
    def load(cls, options: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> Self:
        """Return the settings from options, environment variables and defaults, in this order of precedence.

        Parameters
        ----------
        options
            Field name → value as typed; None for an absent option.
        environ
            The environment; None for the environment of this process.

        Raises
        ------
        SettingsRefused
            When a value is bad; the message has one line per bad value.
        """
        variables = os.environ if environ is None else environ
        exported = {name: variables[variable(name)] for name in cls.model_fields if variables.get(variable(name))}
        typed = {name: value for name, value in options.items() if value is not None}
        try:
            return cls.model_validate(exported | typed)
        except ValidationError as error:
            lines = (_format_mistake(name, reason, name not in typed) for name, reason in _mistakes(error))
            raise SettingsRefused("\n".join(lines)) from None  # pydantic's text may quote a password

    @field_validator("policy")
    @classmethod
    def _known_policy(cls, name: str) -> str:
        if name not in POLICIES:
            *others, last = map(repr, POLICIES)
            raise ValueError(f"must be {', '.join(others)} or {last}, not {name!r}")
        return name

    @field_validator("host")
    @classmethod
    def _loopback(cls, host: str) -> str:
        address = "127.0.0.1" if host == "localhost" else host
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            raise ValueError(f"must be an IP address or localhost, not {host!r}") from None
        if not parsed.is_loopback:
            raise ValueError(
                f"{host} is not a loopback address; the service has no API keys yet, so whoever reaches it "
                "could decide and read everything: use 127.0.0.1, behind a proxy that authenticates"
            )
        if parsed.version != 4:
            raise ValueError(f"{host} is IPv6, which is not supported yet; use 127.0.0.1")
        return address

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, path: Path) -> Path:
        resolved = _resolve(path, file=_LOG)
        if resolved.exists() and not resolved.is_dir():
            raise ValueError(f"{resolved} is not a directory")
        return resolved

    @field_validator("catalog")
    @classmethod
    def _readable(cls, path: Path | None) -> Path | None:
        if path is None:
            return None
        resolved = _resolve(path)
        if not resolved.is_file():
            raise ValueError(f"there is no file {resolved}")
        return resolved

    @field_validator("redis_url")
    @classmethod
    def _redis(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        server = parts.path if parts.scheme == "unix" else parts.hostname
        if parts.scheme not in ("redis", "rediss", "unix") or not server or parts.fragment or not _has_port(parts):
            raise ValueError(
                "must look like redis://host:6379/0, redis://:password@host:6379/0, rediss://… or unix:///path; "
                "write # / ? @ % in a password or path as %23 %2F %3F %40 %25"
            )
        return url

    @field_validator("database_url")
    @classmethod
    def _sqlite(cls, url: str) -> str:
        if url.startswith(("postgres", "postgresql")):
            raise ValueError("PostgreSQL is not supported yet; leave it out to log into SQLite")
        file = find_file(url)
        if file is None:
            raise ValueError("must be sqlite:/// and the path of a file, with ? as %3F and % as %25")
        return make_url(_resolve(file))

    @model_validator(mode="before")
    @classmethod
    def _log_in_data_dir(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        # Pydantic does not validate defaults, so a relative data_dir would depend on each worker's directory.
        values = {"data_dir": cls.model_fields["data_dir"].default, **values}
        try:
            log = _resolve(Path(values["data_dir"]), file=_LOG) / _LOG
        except ValueError:  # the validator of data_dir names the mistake
            return values
        return {"database_url": make_url(log), **values}


METRICS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Variable with the directory of all processes' metrics; the Prometheus client reads it when it is imported."""


def metrics_directory() -> str | None:
    """Return the directory of the metrics that all replicas share, or None when there is one process only."""
    return os.environ.get(METRICS_VARIABLE)


def variable(name: str) -> str:
    """Return the environment variable of a setting.

    >>> variable("data_dir")
    'DECISION_SERVICE_DATA_DIR'
    """
    return _PREFIX + name.upper()


def option(name: str) -> str:
    """Return the command-line option of a setting.

    >>> option("data_dir")
    '--data-dir'
    """
    return "--" + name.replace("_", "-")


def help_text(name: str) -> str:
    """Return the text of ``--help`` about a setting: its description, its default and its variable.

    >>> help_text("replicas")
    'Processes that answer requests. (default: 1; variable: DECISION_SERVICE_REPLICAS)'
    """
    field = Settings.model_fields[name]
    return f"{field.description} (default: {_shown_default(field)}; variable: {variable(name)})"


def _shown_default(field: FieldInfo) -> object:
    extra = field.json_schema_extra
    return extra["shown"] if isinstance(extra, dict) else field.default


def _resolve(path: Path, file: str = "") -> Path:
    """Return the absolute path.

    Parameters
    ----------
    path
        The path of a file, or of the directory of ``file``.

    Raises
    ------
    ValueError
        When no file of the service can have a path like this.
    """
    try:
        resolved = path.expanduser().resolve()
        if (length := len(str(resolved / file).encode())) > LONGEST_PATH:
            raise ValueError(f"is {length - LONGEST_PATH} bytes too long: SQLite cannot open files there")
        resolved.stat()
    except FileNotFoundError:
        pass
    except UnicodeEncodeError:
        raise ValueError(f"{str(path)!r} is not UTF-8") from None
    except RuntimeError as error:  # no home directory, or a loop of links
        raise ValueError(str(error)) from None
    except OSError as error:
        raise ValueError(f"cannot look at {path}: {error.strerror}") from None
    return resolved


def _has_port(parts: SplitResult) -> bool:
    try:
        return parts.port is None or parts.port > 0
    except ValueError:
        return False


def _mistakes(error: ValidationError) -> Iterable[tuple[str, str]]:
    for mistake in error.errors(include_url=False):
        from_validator = mistake["type"] == "value_error"  # our own text, which quotes no secret
        reason = mistake["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
        yield str(mistake["loc"][0]), reason if from_validator else f"{reason}, not {mistake['input']!r}"


def _format_mistake(name: str, reason: str, from_variable: bool) -> str:
    source = f" (from {variable(name)})" if from_variable else ""
    return f"{option(name)}{source}: {reason}"
