"""How a process of the command line is asked to stop."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

LAST_MOMENTS = 3.0  # seconds to put away what can be, once somebody has lost patience


def _end_at_once() -> NoReturn:
    """Leave the loop. A task that swallows its cancellation (psycopg's pool does while it connects) would
    keep the process for ever, so the process ends a moment later however."""
    last = threading.Timer(LAST_MOMENTS, os._exit, (130,))
    last.daemon = True
    last.start()
    sys.exit(130)


def on_signals(stop: asyncio.Event) -> None:
    """SIGTERM and SIGINT ask to stop; a second one of them ends at once."""
    loop = asyncio.get_running_loop()

    def ask() -> None:
        if stop.is_set():
            _end_at_once()
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ask)


@contextmanager
def interrupts() -> Iterator[asyncio.Event]:
    """Ctrl-C sets an event for a while, instead of breaking off; a second one breaks off."""
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()

    def ask() -> None:
        if asked.is_set():
            _end_at_once()
        asked.set()

    loop.add_signal_handler(signal.SIGINT, ask)
    try:
        yield asked
    finally:
        loop.remove_signal_handler(signal.SIGINT)


def on_end_of_stdin(ended: Callable[[], None]) -> None:
    """Whoever started us holds the other end of our stdin: when they die, however, we end too."""
    loop = asyncio.get_running_loop()

    def read() -> None:
        if not os.read(sys.stdin.fileno(), 4096):
            loop.remove_reader(sys.stdin.fileno())
            ended()

    try:
        loop.add_reader(sys.stdin.fileno(), read)
    except OSError:  # a file or /dev/null cannot be watched, and nobody holds its other end
        ended()
