"""Messages of the commands to the person who typed them."""

from __future__ import annotations

import typer


def print_error(text: str) -> None:
    """Print the lines of a text to standard error, each after the name of the program."""
    for line in text.splitlines():
        typer.echo(f"decision-service: {line}", err=True)
