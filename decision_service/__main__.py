"""The command line: ``decision-service`` or ``python -m decision_service``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from decision_service.settings import help_text, option

app = typer.Typer(
    help="Decides which notification to send to which shopper, when, and learns from what happens.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def _commands() -> None:
    """Keep ``serve`` a command, also while it is the only one."""


def _setting(name: str, metavar: str) -> Any:
    # Typed as text and without default here: the settings know defaults, variables and what is valid.
    return typer.Option(option(name), metavar=metavar, help=help_text(name), show_default=False)


@app.command()
def serve(
    host: Annotated[str | None, _setting("host", "ADDRESS")] = None,
    port: Annotated[str | None, _setting("port", "NUMBER")] = None,
    data_dir: Annotated[str | None, _setting("data_dir", "PATH")] = None,
    replicas: Annotated[str | None, _setting("replicas", "NUMBER")] = None,
    database_url: Annotated[str | None, _setting("database_url", "URL")] = None,
    redis_url: Annotated[str | None, _setting("redis_url", "URL")] = None,
    catalog: Annotated[str | None, _setting("catalog", "FILE")] = None,
    clock: Annotated[str | None, _setting("clock", "wall|request")] = None,
    policy: Annotated[str | None, _setting("policy", "uniform|rule|default")] = None,
    seed: Annotated[str | None, _setting("seed", "NUMBER")] = None,
) -> None:
    """Start the service and stay until Ctrl-C or SIGTERM.

    An option wins over its environment variable.
    """
    options = dict(locals())
    from decision_service.commands import serve as command

    raise typer.Exit(command.run(options))


@app.command()
def rebuild_state(
    data_dir: Annotated[str | None, _setting("data_dir", "PATH")] = None,
    database_url: Annotated[str | None, _setting("database_url", "URL")] = None,
    redis_url: Annotated[str | None, _setting("redis_url", "URL")] = None,
    *,
    verify: Annotated[
        bool, typer.Option("--verify", help="Change nothing: compare, and exit 1 naming differences.")
    ] = False,
) -> None:
    """Make the shoppers' states in Redis anew from the log, or verify them.

    A service does this by itself at every start, and whenever its Redis lost
    something. Services may run meanwhile: until the states are back, their
    decisions hold.

    The embedded Redis lives as long as its service and is rebuilt from the log
    at every start. Without --redis-url it is that of the service that runs on
    the data directory; when none runs, there is nothing to rebuild.

    An option wins over its environment variable. Exit codes: 0 done, or equal;
    1 states differ, or log or Redis are away; 2 an option cannot be used.
    """
    options = {"data_dir": data_dir, "database_url": database_url, "redis_url": redis_url}
    from decision_service.commands import rebuild_state as command

    raise typer.Exit(command.run(options, verify=verify))


@app.command()
def replay(
    file: Annotated[Path, typer.Argument(help="Transactions: CSV with the headers of UCI Online Retail, .gz or not.")],
    url: Annotated[str, typer.Option(help="The service; it must run with --clock request on a new data directory.")],
    limit: Annotated[int | None, typer.Option(min=1, help="Replay only so many purchases.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Decides who the buyers are and how they respond.")] = 0,
    json: Annotated[Path | None, typer.Option(help="Also write the results to this file.")] = None,
) -> None:
    """Replay real purchases through a running service, beside a business rule and uniform choice.

    The purchases are real; how buyers respond to notifications is simulated.
    """
    from decision_service.commands import replay as command

    raise typer.Exit(command.run(file, url=url, limit=limit, seed=seed, json=json))


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
