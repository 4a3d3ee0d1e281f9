"""The command line as a person uses it: the real `clarion`, in a process of its own.

What ends by itself is forked from a server that has everything imported, so that a test may type many
commands; what stays (`start`) is started as a shell would.
"""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from tests.forked import context

CLARION = (sys.executable, "-m", "clarion.cli")
_numbers = count()


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it said where."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which must be JSON and nothing else."""
        return json.loads(self.out)


@dataclass
class Terminal:
    """A place to type commands: a state folder, a database, and a folder with the person's files."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, *words: str, stdin: str = "", timeout: float = 120, **more: str) -> Ended:
        """Run a command to its end. `more` is environment."""
        place = self.folder / f"command-{next(_numbers)}"
        place.mkdir()
        (place / "in").write_text(stdin, encoding="utf-8")
        process = context.Process(target=_type, args=(words, self.folder, place, self._environment(more)))
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            process.join()
        out, err = ((place / name).read_text(encoding="utf-8") for name in ("out", "err"))
        assert process.exitcode is not None
        return Ended(process.exitcode, out, err)

    def ok(self, *words: str, **more: Any) -> Ended:
        """Run a command that must succeed."""
        ended = self.run(*words, **more)
        assert ended.code == 0, f"{' '.join(words)} ended with {ended.code}:\n{ended.out}\n{ended.err}"
        return ended

    def start(self, *words: str, **more: str) -> subprocess.Popen[str]:
        """Start a command that stays; its standard input and error are pipes."""
        return subprocess.Popen(
            [*CLARION, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, cwd=self.folder, env=self._environment(more),
        )  # fmt: skip

    def answer(self, reply: str, *words: str) -> Ended:
        """Run a command in a terminal of its own, and answer its question; `out` is all that it shows."""
        ours, theirs = os.openpty()
        process = subprocess.Popen(
            [*CLARION, *words], stdin=theirs, stdout=theirs, stderr=theirs, cwd=self.folder,
            env=self._environment({"TERM": "dumb"}), start_new_session=True,
        )  # fmt: skip
        os.close(theirs)
        shown = b""
        with open(ours, "r+b", buffering=0) as terminal:
            while True:
                try:
                    shown += (piece := terminal.read(4096))
                except OSError:  # the other side is closed
                    break
                if b"[y/N]" in piece:
                    terminal.write(reply.encode() + b"\n")
        return Ended(process.wait(60), shown.decode(errors="replace"), "")

    def write(self, name: str, text: str) -> Path:
        """A file of the person's."""
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def _environment(self, more: Mapping[str, str]) -> dict[str, str]:
        others = {name: value for name, value in os.environ.items() if not name.startswith("CLARION_")}
        return {**others, "CLARION_STATE_DIR": str(self.folder / "state"), **self.environment, **more}


def _type(words: tuple[str, ...], folder: Path, place: Path, environment: dict[str, str]) -> None:
    """The child: the environment, the folder and the three streams of a shell, then the command."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for number, name, flags in ((0, "in", os.O_RDONLY), (1, "out", os.O_WRONLY), (2, "err", os.O_WRONLY)):
        os.dup2(os.open(place / name, flags | os.O_CREAT, 0o600), number)
    # multiprocessing gives its children no standard input
    sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False), encoding="utf-8")
    sys.argv = ["clarion", *words]
    from clarion.cli import main

    main()


def until_said(process: subprocess.Popen[str], words: str, timeout: float = 60) -> list[str]:
    """Read what a process says on standard error until it says these words."""
    assert process.stderr is not None
    said: list[str] = []
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        line = process.stderr.readline()
        if not line:
            raise AssertionError(f"it ended with {process.wait()} and said:\n{''.join(said)}")
        said.append(line)
        if words in line:
            return said
    raise AssertionError(f"it never said {words!r}:\n{''.join(said)}")


def waits(condition: Callable[[], bool], seconds: float = 60.0) -> bool:
    """Whether it comes true within this time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.2)
    return False


class Listener:
    """Reads all that a process writes to standard error, so that much of it holds nothing up."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        self._process, self._stream, self._heard = process, process.stderr, list[str]()
        self._thread = threading.Thread(target=lambda: self._heard.extend(self._stream))
        self._thread.start()

    def end(self) -> str:
        """Let the process end well; what it wrote."""
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(60)
        self._thread.join(60)
        heard = "".join(self._heard)
        assert code == 0, heard
        return heard


def end(
    process: subprocess.Popen[str], number: signal.Signals = signal.SIGTERM, timeout: float = 60
) -> Ended:
    """Ask a process to end and wait until it has; killed when it takes too long, which fails the test."""
    process.send_signal(number)
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"it did not end in time:\n{err}") from None
    return Ended(process.returncode, out, err)
