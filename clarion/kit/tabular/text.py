"""Text over a binary file that belongs to someone else."""

from __future__ import annotations

import io
from typing import BinaryIO


class BorrowedText(io.TextIOWrapper):
    """A text layer that leaves the file open when it is closed or collected. Line ends stay as they are."""

    def __init__(self, file: BinaryIO, codec: str) -> None:
        super().__init__(file, encoding=codec, newline="")

    def close(self) -> None:
        """Do nothing: whoever opened the file closes it."""
