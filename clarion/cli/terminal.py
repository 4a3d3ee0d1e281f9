"""What a terminal shows. Results go to standard output; progress and errors to standard error.

Values of people and workspaces are printed as text, never as markup. Where standard error is no
terminal there are no bars and no colours, only a plain line now and then.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TextIO
from zoneinfo import ZoneInfo

import orjson
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from clarion.kit.clock import Clock

PIPE_WIDTH = 200  # of a table that goes into a file or another program
PLAIN_EVERY = 5.0  # seconds between lines of progress where there is no terminal
LONGEST_LOG = 5 * 1024 * 1024

# A pipe has no width of its own; what is cut there is lost.
out = Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)
err = Console(stderr=True, highlight=False)
_log: Path | None = None


def say(words: str | Text) -> None:
    """A line for people, on standard error."""
    err.print(Text(words) if isinstance(words, str) else words, soft_wrap=True)


def result(words: str | Text) -> None:
    """A line of the result, on standard output."""
    out.print(Text(words) if isinstance(words, str) else words, soft_wrap=True)


def json(value: object) -> None:
    """The result as JSON on standard output; moments as RFC 3339, identifiers as text."""
    text = orjson.dumps(value, default=str, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS)
    sys.stdout.write(text.decode() + "\n")


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    numbers: Sequence[str] = (),
    console: Console = out,
) -> None:
    """Rows under headings, on standard output unless `console` is `err`; columns in `numbers` are set to the
    right."""
    shown = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        right = column in numbers
        whole = right or column == "id"  # an id is there to be copied
        shown.add_column(column, justify="right" if right else "left", no_wrap=whole, overflow="fold")
    for row in rows:
        shown.add_row(*(value if isinstance(value, Text) else Text(_cell(value)) for value in row))
    if console.is_terminal:
        console.print(shown)
        return
    with console.capture() as captured:
        console.print(shown)
    for line in captured.get().splitlines():
        console.file.write(line.rstrip() + "\n")


def pairs(lines: Iterable[tuple[str, object]]) -> None:
    """Names and values below each other, on standard output; a value is never folded."""
    found = [(name, value) for name, value in lines if value is not None]
    width = max((len(name) for name, _ in found), default=0)
    for name, value in found:
        line = Text(f"{name:<{width}}  ", style="bold")
        line.append_text(value if isinstance(value, Text) else Text(_cell(value), style="not bold"))
        out.print(line, soft_wrap=True)


def moment(at: datetime | None, zone: ZoneInfo) -> str:
    """A moment as people of that zone write it, to the second; "" for none."""
    return "" if at is None else f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}"


def ago(span: timedelta) -> str:
    """A span of time in its two largest units: "3 min 20 s"."""
    left = int(max(span.total_seconds(), 0))
    if left < 60:
        return f"{left} s"
    if left < 3600:
        return f"{left // 60} min {left % 60} s"
    if left < 86_400:
        return f"{left // 3600} h {left % 3600 // 60} min"
    return f"{left // 86_400} d {left % 86_400 // 3600} h"


def asks() -> bool:
    """Whether there is somebody who can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def log_to(state_dir: Path) -> TextIO:
    """The file that a command's own log goes to, so that it disturbs no bar; standard error if it cannot."""
    global _log
    path = state_dir / "log" / "command.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = path.exists() and path.stat().st_size > LONGEST_LOG
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | (os.O_TRUNC if fresh else 0)
        stream = os.fdopen(os.open(path, flags, 0o600), "a", buffering=1, encoding="utf-8")
    except OSError:
        return sys.stderr
    _log = path
    return stream


def log_file() -> Path | None:
    """Where this command's log is, when it is a file."""
    return _log


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return str(value)


@contextmanager
def steps(title: str) -> Iterator[Callable[[str], None]]:
    """A function that tells the step at hand: beside a spinner in a terminal, else a line now and then."""
    if err.is_terminal:
        with err.status(Text(title)) as status:
            yield lambda words: status.update(Text(f"{title}: {words}"))
        return
    clock = Clock()
    told_at = clock.monotonic()

    def tell(words: str) -> None:
        nonlocal told_at
        if clock.monotonic() - told_at >= PLAIN_EVERY:
            told_at = clock.monotonic()
            say(f"{title}: {words}")

    yield tell


class _Rate(ProgressColumn):
    """Pieces a second, lately."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f}/s", style="cyan")


class Bar:
    """Progress of one piece of work: a bar in a terminal, else a plain line now and then.

        with Bar("sending", total=1200) as bar:
            bar.update(300, "accepted 290")

    `total` may be learned later.
    """

    def __init__(self, title: str, total: int | None = None, *, counted: bool = True) -> None:
        """`counted`: the pieces mean something to people (a file's bytes do not; its `note` tells rows)."""
        self.title, self.total, self.done, self.note = title, total, 0, ""
        self._counted = counted
        self._clock = Clock()
        self._told_at = self._clock.monotonic()
        self._progress: Progress | None = None
        if err.is_terminal:
            self._progress = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}"),
                BarColumn(bar_width=28),
                TaskProgressColumn(),
                *((MofNCompleteColumn(), _Rate()) if counted else ()),
                TimeRemainingColumn(compact=True, elapsed_when_finished=True),
                TextColumn("[dim]{task.fields[note]}", markup=True),
                console=err,
                transient=False,
            )
            self._task = self._progress.add_task(title, total=total, note="")

    def __enter__(self) -> Bar:
        if self._progress is not None:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()
        elif kind is None:
            self._line()

    def update(self, done: int, note: str = "", *, total: int | None = None) -> None:
        """So many pieces are done; `note` says more, in few words without markup."""
        self.done, self.note = done, note
        self.total = self.total if total is None else total
        if self._progress is not None:
            self._progress.update(
                self._task, completed=done, total=self.total, note=note.replace("[", "("), refresh=False
            )
        elif self._clock.monotonic() - self._told_at >= PLAIN_EVERY:
            self._line()

    def _line(self) -> None:
        self._told_at = self._clock.monotonic()
        if self._counted:
            far = f"{self.done:,}" + (f" of {self.total:,}" if self.total is not None else "")
        else:
            far = f"{self.done / self.total:.0%}" if self.total else ""
        with suppress(BrokenPipeError):
            say(f"{self.title}: {far}" + (f" ({self.note})" if self.note else ""))
