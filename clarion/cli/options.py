"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clarion.errors import NotFound

Workspace = Annotated[
    str | None,
    typer.Option(
        "--workspace",
        "-w",
        envvar="CLARION_WORKSPACE",
        metavar="NAME|ID",
        help="Which workspace. Where there is exactly one it need not be said.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output, and nothing else there.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help="At most so many.")]


def in_a_folder(file: Path) -> Path:
    """A file that will be written, where its folder is there: told before the work. Raises NotFound."""
    if not file.parent.is_dir():
        raise NotFound("there is no such folder", where=str(file.parent))
    return file
