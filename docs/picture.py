"""Writes docs/demo.svg, the picture in the README: what a terminal shows of `clarion demo --exit`.

    .venv/bin/python docs/picture.py

The demo runs for real, in a terminal of its own and a state folder that is thrown away.
"""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

COLUMNS = 134
PICTURE = Path(__file__).with_name("demo.svg")
_CONTROL = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|([\r\n])")
# The picture shows no font from elsewhere: whoever looks at it calls nobody.
_FONTS = re.compile(r"@font-face \{\{.*?\}\}\s*", re.DOTALL)


def played(command: list[str], folder: Path) -> str:
    """What a command writes to a terminal, with its colours and movements. Raises on failure."""
    ours, theirs = pty.openpty()
    environment = {
        **os.environ, "CLARION_STATE_DIR": str(folder), "COLUMNS": str(COLUMNS), "LINES": "60",
        "TERM": "xterm-256color", "COLORTERM": "truecolor",
    }  # fmt: skip
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, env=environment
    ) as process:
        os.close(theirs)
        written = bytearray()
        while True:
            try:
                piece = os.read(ours, 65_536)
            except OSError:  # how Linux says that the other end is closed
                break
            if not piece:
                break
            written += piece
    os.close(ours)
    if process.returncode != 0:
        raise SystemExit(f"the demo ended with {process.returncode}:\n{written.decode(errors='replace')}")
    return written.decode(errors="replace")


def screen(written: str) -> list[str]:
    """The lines that are left when all has been written: bars are drawn over by what came after them."""
    lines, row, place = [""], 0, 0
    for found in _CONTROL.finditer(written + "\n"):
        lines[row] += written[place : found.start()]
        place = found.end()
        argument, letter, ending = found.groups()
        if ending == "\n":
            row += 1
            if row == len(lines):
                lines.append("")
        elif letter == "A":
            row = max(0, row - int(argument or 1))
        elif letter == "K":
            lines[row] = ""
        elif letter == "m":
            lines[row] += found.group()
    return [line.rstrip() for line in lines]


def main() -> None:
    """Play the demo, draw it."""
    with tempfile.TemporaryDirectory(prefix="clarion-picture-") as folder:
        Path(folder).chmod(0o711)  # the database's own user passes through
        written = played([sys.executable, "-m", "clarion.cli", "demo", "--exit", "--port", "0"], Path(folder))
    shown = "\n".join(["\x1b[32m$\x1b[0m make demo ARGS=--exit", *screen(written)]).rstrip()
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(shown), soft_wrap=False)
    console.save_svg(
        str(PICTURE), title="make demo", code_format=_FONTS.sub("", CONSOLE_SVG_FORMAT), unique_id="demo"
    )


if __name__ == "__main__":
    main()
