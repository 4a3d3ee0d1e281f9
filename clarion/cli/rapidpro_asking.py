"""What both ways of a push to RapidPro show and ask."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from clarion.cli import terminal
from clarion.connectors.rapidpro.shown import Change
from clarion.errors import Invalid

NOTICEABLE = 5.0  # seconds of a wait that somebody would wonder about


def agreed(number: int, *, yes: bool, json: bool) -> None:
    """Ask whether so many changes are to be made. Raises Invalid where nobody can be asked."""
    if yes:
        return
    if json or not terminal.asks():
        raise Invalid("nobody can be asked here", hint="Say --yes to do it, or --dry-run to see it.")
    what = "one change" if number == 1 else f"these {number:,} changes"
    typer.confirm(f"Make {what} in RapidPro?", abort=True, err=True)


def table(todo: Sequence[Change]) -> None:
    """Change by change, on standard output."""
    terminal.table(
        ("do", "what", "which", "says"),
        (
            (one.verb, one.what, one.which, f"{one.before} → {one.after}" if one.before and one.after
             else one.after or one.before)
            for one in todo
        ),
    )  # fmt: skip


def waiting(seconds: float) -> None:
    """Tell of a wait that RapidPro asks for."""
    if seconds >= NOTICEABLE:
        terminal.say(f"RapidPro asks us to wait for {seconds:,.0f} seconds")
