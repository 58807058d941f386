"""The command line: ``decision-service`` or ``python -m decision_service``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from policies.extras import describe_missing

try:
    import typer
    import typer.main
except ImportError:
    raise SystemExit(f"decision-service: {describe_missing('the service', 'serve')}") from None

from decision_service.cli.messages import use_utf8
from decision_service.settings import help_text, option
from policies.models.hold_share import MOST_HOLD_SHARE
from policies.models.registry import POLICIES, describe_policies

app = typer.Typer(
    help="Decides which notification to send to which shopper, when, and learns from what happens.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _setting(name: str, metavar: str) -> Any:
    # Text without a default here, because Settings knows the defaults, the variables and the valid values.
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
    policy: Annotated[str | None, _setting("policy", "|".join(POLICIES))] = None,
    hold_share: Annotated[str | None, _setting("hold_share", "SHARE")] = None,
    seed: Annotated[str | None, _setting("seed", "NUMBER")] = None,
) -> None:
    """Start the service and stay until Ctrl-C or SIGTERM.

    An option wins over its environment variable.
    """
    from decision_service.cli import serve as command

    options = {
        "host": host,
        "port": port,
        "data_dir": data_dir,
        "replicas": replicas,
        "database_url": database_url,
        "redis_url": redis_url,
        "catalog": catalog,
        "clock": clock,
        "policy": policy,
        "hold_share": hold_share,
        "seed": seed,
    }
    raise typer.Exit(command.run(options))


@app.command()
def check_catalog(
    file: Annotated[Path, typer.Argument(help="A catalogue in YAML.")],
    *,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Name every mistake of a catalogue file by its line, and start nothing.

    Exit codes: 0 valid; 1 mistakes; 2 the file cannot be read.
    """
    from decision_service.cli import check_catalog as command

    raise typer.Exit(command.run(file, as_json=json))


def _column(content: str) -> Any:
    return typer.Option(metavar="HEADER", help=f"Column of {content}.", rich_help_panel="Columns of the file")


_WORLD = typer.Option(min=0, help="Instead of --scenario: a world of the family, by its number (docs/worlds.md).")


@app.command()
def rebuild_state(
    data_dir: Annotated[str | None, _setting("data_dir", "PATH")] = None,
    database_url: Annotated[str | None, _setting("database_url", "URL")] = None,
    redis_url: Annotated[str | None, _setting("redis_url", "URL")] = None,
    *,
    verify: Annotated[
        bool, typer.Option("--verify", help="Change nothing: compare, name the differences, and exit with 1 if any.")
    ] = False,
) -> None:
    """Rebuild the shoppers' states in Redis from the log, or verify them.

    A service brings the states up to the log by itself at every start, and
    whenever its Redis has lost something. Services may run meanwhile: until the
    states are back, their decisions hold.

    Without --redis-url the command uses the embedded Redis of the service that
    runs on the data directory. When no service runs there, the command deletes
    the snapshot of the embedded Redis: the next start rebuilds all states.

    An option wins over its environment variable. Exit codes: 0 done, or equal;
    1 states differ, or log or Redis are unavailable; 2 an option is refused.
    """
    from decision_service.cli import rebuild_state as command

    options = {"data_dir": data_dir, "database_url": database_url, "redis_url": redis_url}
    raise typer.Exit(command.run(options, verify=verify))


@app.command()
def replay(
    file: Annotated[Path, typer.Argument(help="Transactions: CSV, gzipped or not, one line per product or order.")],
    url: Annotated[
        str | None, typer.Option(help="The service; it must run with --clock request on a new data directory.")
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(help=f"Instead of --url: {describe_policies()}, or your own (my_module:my_policy)."),
    ] = None,
    catalog: Annotated[Path | None, typer.Option(help="The catalogue with --policy; default: the example.")] = None,
    scenario: Annotated[
        str | None, typer.Option(help="How buyers respond: a named scenario or a file (.yaml); default: stationary.")
    ] = None,
    world: Annotated[int | None, _WORLD] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Replay only so many purchases.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Decides who the buyers are and how they respond.")] = 0,
    json: Annotated[Path | None, typer.Option(help="Also write the results to this file.")] = None,
    order_column: Annotated[str, _column("the order's number; '' where every line is one")] = "InvoiceNo",
    shopper_column: Annotated[str, _column("the shopper")] = "CustomerID",
    time_column: Annotated[str, _column("the time")] = "InvoiceDate",
    price_column: Annotated[str, _column("the price, or of the order's total")] = "UnitPrice",
    quantity_column: Annotated[str, _column("the quantity; '' for none")] = "Quantity",
    product_column: Annotated[str, _column("the product's name; '' for none")] = "Description",
) -> None:
    """Replay real purchases through a running service, or a policy in this process.

    The purchases and their times are real. How buyers respond to notifications is simulated.
    The baselines, and a planner that knows the true probabilities, get the same purchases.
    """
    from decision_service.cli import replay as command

    columns = command.parse_columns(
        order_column, shopper_column, time_column, price_column, quantity_column, product_column
    )
    options = command.ReplayOptions(url, policy, catalog, scenario, limit, seed, json, columns, world)
    raise typer.Exit(command.run(file, options))


@app.command()
def simulate(
    scenario: Annotated[
        str | None,
        typer.Option(
            help="stationary, fatigue, drift, seasonal_promo, channel_outage, slow_feedback, new_shoppers, "
            "or a file (.yaml).",
            show_default="stationary",
        ),
    ] = None,
    world: Annotated[int | None, _WORLD] = None,
    shoppers: Annotated[int, typer.Option(help="Number of shoppers.")] = 2_000,
    weeks: Annotated[
        int | None, typer.Option(help="Number of weeks; at most 104.", show_default="the scenario's own, 12")
    ] = None,
    seed: Annotated[int, typer.Option(help="The first seed; it decides who the shoppers are and what they do.")] = 1,
    seeds: Annotated[
        int | None, typer.Option(help="Number of seeds; two or more give intervals.", show_default="3")
    ] = None,
    policy: Annotated[
        str, typer.Option(help=f"{describe_policies()}, planner, or your own (my_module:my_policy), in this process.")
    ] = "default",
    hold_share: Annotated[
        float, typer.Option(min=0.0, max=MOST_HOLD_SHARE, help="Share of the policy's decisions that hold at random.")
    ] = 0.0,
    url: Annotated[
        str | None, typer.Option(help="Drive this service instead (--clock request, a new data directory).")
    ] = None,
    catalog: Annotated[Path | None, typer.Option(help="The catalogue in this process; default: the example.")] = None,
    baselines: Annotated[bool, typer.Option(help="Also run the baselines and the planner.")] = True,
    json: Annotated[Path | None, typer.Option(help="Also write the results to this file.")] = None,
    report: Annotated[Path | None, typer.Option(help="Also write a page with plots to this file.")] = None,
) -> None:
    """Run a policy on simulated shoppers, whose true responses are known, beside baselines and a planner."""
    from decision_service.cli import simulate as command

    options = command.SimulateOptions(
        scenario=scenario,
        shoppers=shoppers,
        weeks=weeks,
        seed=seed,
        seeds=seeds if seeds is not None else (1 if url is not None else 3),
        policy=policy,
        hold_share=hold_share,
        url=url,
        catalog=catalog,
        baselines=baselines,
        json=json,
        report=report,
        world=world,
    )
    raise typer.Exit(command.run(options))


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True}, add_help_option=False)
def evaluate(context: typer.Context) -> None:
    """Evaluate another policy on a log: values, intervals, diagnostics and a verdict."""
    # The options come from the registry of estimators, whose import the other commands need not wait for.
    from decision_service.cli import evaluate as module

    command = typer.main.get_command(module.app)
    with command.make_context(context.info_name, context.args, parent=context.parent) as inner:
        command.invoke(inner)


@app.command()
def export(
    source: Annotated[str, typer.Argument(help="The service's log: its data directory or an SQLAlchemy URL.")],
    file: Annotated[Path, typer.Argument(help="Where to write: Parquet, or dsjson where it ends so.")],
) -> None:
    """Write the log's decisions with their rewards to a file."""
    from decision_service.cli import export as command

    raise typer.Exit(command.run(source, file))


def main() -> None:
    """Run the command line."""
    use_utf8()
    app()


if __name__ == "__main__":
    main()
