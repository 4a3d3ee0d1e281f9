"""What is logged meanwhile, and everything as it was afterwards."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from clarion.kit import log


@contextmanager
def captured(format: str = "json") -> Iterator[io.StringIO]:
    """All lines of all loggers, in the given format."""
    root, stream = logging.getLogger(), io.StringIO()
    handlers, level, hook = root.handlers[:], root.level, sys.excepthook
    log.configure(format, "DEBUG", stream)
    try:
        yield stream
    finally:
        logging.captureWarnings(False)
        root.handlers[:], sys.excepthook = handlers, hook
        root.setLevel(level)
