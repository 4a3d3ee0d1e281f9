"""What a schedule would do, as a terminal shows it; and what is given to foresee it, as it is typed."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from rich.console import Console

from clarion.cli import terminal
from clarion.domain.refusal import Refusal
from clarion.domain.timezone import parse_timezone
from clarion.errors import Invalid, NotFound
from clarion.flow.foresee import Foreseen
from clarion.kit.clock import Clock


def zone_named(text: str | None) -> str | None:
    """The zone that --zone says. Raises Invalid."""
    if text is None:
        return None
    read = parse_timezone(text)
    if isinstance(read, Refusal):
        raise read.error("--zone")
    return read


def moment(text: str | None, zone: str | None) -> datetime:
    """The moment that --now says, else now. Raises Invalid."""
    if text is None:
        return Clock().now()
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        hint = "Write YYYY-MM-DD HH:MM, or ISO 8601 with an offset."
        raise Invalid(f"{text!r} is not a moment", where="--now", hint=hint) from None
    return found if found.tzinfo else found.replace(tzinfo=ZoneInfo(zone or "UTC"))


def text_of(file: Path) -> bytes:
    """A file of text. Raises NotFound."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise NotFound(f"it cannot be read: {error.strerror}", where=str(file)) from None


def object_of(text: bytes, where: str) -> dict[str, Any]:
    """A JSON object. Raises Invalid."""
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Invalid(f"not JSON: {error}", where=where) from None
    if not isinstance(found, dict):
        raise Invalid("not a JSON object", where=where, hint='It begins with "{".')
    return found


def plain(found: Foreseen) -> dict[str, Any]:
    """For JSON."""
    return {
        "sentence": found.sentence,
        "zone": found.zone,
        "occurrences": [asdict(one) for one in found.lines],
    }


def table(found: Foreseen, console: Console = terminal.out) -> None:
    """A line for each occurrence."""
    terminal.table(
        ("iteration", "step", f"local time ({found.zone})", "UTC", "moved by", "says"),
        (
            (
                one.iteration, one.step, f"{one.local:%a %Y-%m-%d %H:%M}", f"{one.due_at:%Y-%m-%d %H:%M}",
                ", ".join(one.moved).replace("_", " "),
                one.content or "" if one.skip is None else f"not sent: {one.skip.replace('_', ' ')}",
            )
            for one in found.lines
        ),
        numbers=("iteration", "step"),
        console=console,
    )  # fmt: skip
