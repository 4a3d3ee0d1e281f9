"""What a person reads when a command fails: what, where, and what to do; never a traceback."""

from __future__ import annotations

import logging
from pathlib import Path

from pydantic import ValidationError
from rich.text import Text

from clarion.cli import terminal
from clarion.errors import ClarionError, Invalid, Misconfigured, Problem, Unavailable
from clarion.kit.db import AWAY
from clarion.kit.log import configure, logger
from clarion.settings import settings

log = logger(__name__)


def tell(error: Exception) -> int:
    """Print an error to standard error; the exit code that the process ends with."""
    told = _as_ours(error)
    if told is not None:
        _print(told)
        return told.exit_code
    if isinstance(error, OSError) and error.filename is not None:
        log.warning("a file or folder cannot be used", exc_info=error)
        told = Invalid(error.strerror or type(error).__name__, where=str(error.filename))
        _print(told)
        return told.exit_code
    if not logging.getLogger().handlers:  # it failed before it had a log
        configure("json", stream=terminal.log_to(_state_dir()))
    log.exception("a command failed unexpectedly")
    place = terminal.log_file()
    words = "something went wrong that should not have: " + type(error).__name__
    rest = f"The log has the rest: {place}" if place else "The lines above have the rest."
    _print(ClarionError(words, hint=rest))
    return ClarionError.exit_code


def _state_dir() -> Path:
    try:
        return settings().state_dir
    except ValidationError:
        return Path(".clarion")


def _as_ours(error: Exception) -> ClarionError | None:
    if isinstance(error, ClarionError):
        return error
    if isinstance(error, AWAY):
        log.warning("the database went away", exc_info=error)
        return Unavailable(
            f"the database is away: {type(error).__name__}",
            hint="`clarion doctor` says what is wrong with it.",
        )
    return None


def settings_error(error: ValidationError) -> Misconfigured:
    """A setting that cannot be read, by the name that it has in the environment."""
    problems = tuple(
        Problem("CLARION_" + "_".join(str(part) for part in found["loc"]).upper(), found["msg"])
        for found in error.errors(include_url=False, include_input=False)
    )
    return Misconfigured(
        "the settings are not right", problems=problems, hint="They come from the environment and from .env."
    )


def _print(error: ClarionError) -> None:
    line = Text()
    line.append("error", style="bold red")
    line.append(": ")
    if error.where:
        line.append(f"{error.where}: ", style="bold")
    line.append(error.what)
    terminal.err.print(line, soft_wrap=True)
    for problem in error.problems:
        one = Text("  ")
        if problem.where:
            one.append(f"{problem.where}: ", style="bold")
        one.append(problem.what)
        if problem.hint:
            one.append(f" ({problem.hint})", style="dim")
        terminal.err.print(one, soft_wrap=True)
    if error.hint:
        terminal.err.print(Text(error.hint, style="cyan"), soft_wrap=True)
