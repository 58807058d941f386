"""Messages of the commands to the person who typed them, and the encoding of what the commands read and write."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.console import Console


def print_line(line: str, *, err: bool = False) -> None:
    """Print a line. A service goes on although nobody can read its output any more: the reader left, the disk is full.

    Python keeps what could not be written, and would fail with it again at the end. So the output goes nowhere then.
    """
    try:
        typer.echo(line, err=err)
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2 if err else 1)
        os.close(nowhere)


def print_error(text: str) -> None:
    """Print the lines of a text to standard error, each after the name of the program."""
    for line in text.splitlines():
        print_line(f"decision-service: {line}", err=True)


def print_refusal(errors: Console, refusal: Exception, trace: str = "") -> None:
    """Print why a command ends, in red, below a traceback if there is one."""
    text = f"{trace}decision-service: {refusal}"
    errors.print(text, style="red", highlight=False, markup=False, soft_wrap=True)


def use_utf8() -> None:
    """Begin this command again in Python's UTF-8 mode, if the locale has another encoding.

    Otherwise Python would read and write files in the encoding of the locale, and fail at a letter that it lacks.
    """
    if sys.getfilesystemencoding() != "utf-8":
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])
