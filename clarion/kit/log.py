"""Structured logs, with correlation ids, that hold no number, text or secret (see `kit.redact`).

    log = logger(__name__)
    log.warning("settling waits for the database", error=type(error).__name__, verdicts=12)

The first argument is a constant sentence; what varies is a keyword. Within `correlated(request_id=…)`
every line carries the identifiers, over `await` too. Lines of other libraries (uvicorn, procrastinate,
aiohttp, psycopg) take the same way out. An exception is told by its type and where it went, never by its
words: a database's error repeats the row that it refused.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TextIO

import orjson
import structlog
from structlog.stdlib import BoundLogger, ProcessorFormatter
from structlog.types import EventDict, Processor, WrappedLogger

from clarion.errors import ClarionError
from clarion.kit import redact
from clarion.kit.clock import Clock

_clock = Clock()
_FRAMES = 12
_LEADING_FOLDERS = ("site-packages/", "/clarion/")
# They say what our own request log says, with the query in it.
_SILENCED = ("uvicorn.access", "aiohttp.access")
_ROUTED = ("uvicorn", "uvicorn.error", "procrastinate", "aiohttp", "psycopg", "alembic", "asyncio")


def logger(name: str) -> BoundLogger:
    """A logger for a module; it can be made before `configure`."""
    return structlog.stdlib.get_logger(name)


@contextmanager
def correlated(**identifiers: object) -> Iterator[None]:
    """Let every line that is logged inside carry these identifiers."""
    with structlog.contextvars.bound_contextvars(**identifiers):
        yield


def configure(format: str = "auto", level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send every log of the process to `stream` (standard error) as JSON lines or for a terminal.

    `format` is json, console, or auto: console where the stream is a terminal.
    """
    out = stream or sys.stderr
    pretty = format == "console" or (format == "auto" and out.isatty())
    handler = logging.StreamHandler(out)
    handler.setFormatter(_formatter(pretty, out.isatty()))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _ROUTED:
        other = logging.getLogger(name)
        other.handlers.clear()
        other.propagate = True
    for name in _SILENCED:
        logging.getLogger(name).disabled = True
    logging.captureWarnings(True)
    sys.excepthook = _last_words


def _formatter(pretty: bool, colours: bool) -> ProcessorFormatter:
    renderer: Processor
    if pretty:
        renderer = structlog.dev.ConsoleRenderer(colors=colours)
    else:
        renderer = structlog.processors.JSONRenderer(serializer=_json)
    return ProcessorFormatter(
        foreign_pre_chain=[_foreign, *_PREPARE],
        processors=[ProcessorFormatter.remove_processors_meta, renderer],
        use_get_message=False,
        pass_foreign_args=True,
    )


def _json(event: EventDict, **_: object) -> str:
    return orjson.dumps(event, default=str).decode()


def _stamp(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    event["timestamp"] = _clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return event


def _foreign(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """A line of another library: its template is known, its arguments are strangers."""
    event["event"] = redact.message(str(event["event"]), event.pop("positional_args", ()))
    return event


def _exception(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """An exception as type, causes and places."""
    found = event.pop("exc_info", None)
    event.pop("stack_info", None)
    if found is True:
        found = sys.exc_info()
    error = found[1] if isinstance(found, tuple) else found
    if isinstance(error, BaseException):
        event.setdefault("error", type(error).__name__)
        event["errors"] = _causes(error)
        event["frames"] = frames(error.__traceback__)
    return event


def frames(trace: TracebackType | None) -> list[str]:
    """Where an exception passed, innermost last: file, line and function, no values."""
    found = traceback.extract_tb(trace)[-_FRAMES:]
    return [f"{_shortened(frame.filename)}:{frame.lineno} {frame.name}" for frame in found]


def _causes(error: BaseException) -> list[str]:
    chain: list[str] = []
    at: BaseException | None = error
    while at is not None and len(chain) < _FRAMES:
        chain.append(f"{type(at).__name__}:{at.code}" if isinstance(at, ClarionError) else type(at).__name__)
        at = at.__cause__ or at.__context__
    return chain


def _shortened(path: str) -> str:
    for mark in _LEADING_FOLDERS:
        before, found, after = path.rpartition(mark)
        if found:
            return after if mark.startswith("site") else f"clarion/{after}"
        del before
    return path


def _redacted(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    for key, value in event.items():
        if not key.startswith("_"):  # structlog's own, taken out before the line is written
            event[key] = redact.shown(key, value)
    return event


def _last_words(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    logger("clarion").critical("crashed", exc_info=(kind, error, trace))


_PREPARE: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    _stamp,
    _exception,
    _redacted,
]

# At import, so that nothing is ever logged unredacted; only where it goes is configured later.
structlog.configure(
    processors=[structlog.stdlib.filter_by_level, *_PREPARE, ProcessorFormatter.wrap_for_formatter],
    logger_factory=structlog.stdlib.LoggerFactory(),
    wrapper_class=structlog.stdlib.BoundLogger,
    cache_logger_on_first_use=True,
)
