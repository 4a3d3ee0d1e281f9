"""The command line: one file a noun. `main` is the entry of `clarion`.

Results go to standard output (with `--json` as JSON and nothing else), everything else to standard
error. Exit codes are those of sysexits.h that `clarion.errors` names; 64 is a wrong use of a command.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from clarion.cli.commands import Commands

EX_USAGE, CLICK_USAGE = 64, 2

app = typer.Typer(
    name="clarion",
    cls=Commands,
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _version(wanted: bool) -> None:
    if wanted:
        from clarion import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def clarion(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Say who, what and when; each person hears it once, on time, within what the channel can carry.

    Start with [bold]clarion demo[/], or [bold]clarion doctor[/] where something is amiss. Every command
    tells its options and examples with [bold]--help[/].
    """


def main() -> None:
    """Run a command. Whatever goes wrong is told in words, and ends with an exit code that says what."""
    try:
        app()
    except SystemExit as ended:
        if ended.code == CLICK_USAGE:
            sys.exit(EX_USAGE)
        raise
    except Exception as error:
        from clarion.cli import failure

        sys.exit(failure.tell(error))
