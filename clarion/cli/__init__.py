"""The command line: one file a noun. `main` is the entry of `clarion`."""

from __future__ import annotations

import sys

import typer
from rich.console import Console

from clarion import __version__
from clarion.cli import running
from clarion.errors import ClarionError

app = typer.Typer(
    name="clarion",
    help="Say who, what and when; each person hears it once, on time, within what the channel can carry.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


@app.command()
def version() -> None:
    """Print the version."""
    print(__version__)


running.add_to(app)


def main() -> None:
    """Run a command; errors that are told to people end with their own exit code (sysexits)."""
    try:
        app()
    except ClarionError as error:
        Console(stderr=True).print(f"[bold red]{error.code}[/] {error}", highlight=False, markup=True)
        sys.exit(error.exit_code)
