"""A Kannel of our own: its two boxes, and phones behind a fake short message centre."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = "CLARION_TEST_KANNEL"  # the folder below which Kannel's packages are unpacked
PATIENCE = 20.0

_CONF = """
group = core
admin-port = {admin}
admin-interface = 127.0.0.1
admin-password = {password}
smsbox-port = {boxes}
smsbox-interface = 127.0.0.1
box-allow-ip = 127.0.0.1
dlr-storage = internal

group = smsc
smsc = fake
smsc-id = FAKE
our-host = 127.0.0.1
host = 127.0.0.1
port = {centre}
connect-allow-ip = 127.0.0.1

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = {sendsms}
sendsms-interface = 127.0.0.1

group = sendsms-user
username = clarion
password = {password}
max-messages = 10
concatenation = true

group = sms-service
keyword = default
catch-all = true
max-messages = 0
get-url = "{hook}?key={key}&id=%I&from=%q&at=%T&charset=%C&text=%b"
"""


@dataclass(frozen=True, slots=True)
class Programs:
    """Where a Kannel's programs are; `root` is / for one that is installed."""

    root: Path

    @property
    def bearerbox(self) -> Path:
        return self.root / "usr/sbin/bearerbox"

    @property
    def smsbox(self) -> Path:
        return self.root / "usr/sbin/smsbox"

    @property
    def fakesmsc(self) -> Path:
        return self.root / "usr/lib/kannel/test/fakesmsc"

    @property
    def environment(self) -> dict[str, str]:
        """With the libraries that came with it."""
        if self.root == Path("/"):
            return dict(os.environ)
        places = ("lib/*-linux-gnu", "usr/lib/*-linux-gnu")
        libraries = [str(found) for place in places for found in self.root.glob(place)]
        return {**os.environ, "LD_LIBRARY_PATH": ":".join(libraries)}

    def complete(self) -> bool:
        return all(one.exists() for one in (self.bearerbox, self.smsbox, self.fakesmsc))


class Gateway:
    """Runs while it is open. `url` is smsbox's; who calls must be told by `hook` and `key`."""

    password = "sandbox"

    def __init__(self, programs: Programs, folder: Path, hook: str, key: str) -> None:
        self._programs, self._folder = programs, folder
        admin, boxes, self._centre, sendsms = _ports(4)
        self.url = f"http://127.0.0.1:{sendsms}"
        self._admin = f"http://127.0.0.1:{admin}/status.txt?password={self.password}"
        conf = _CONF.format(
            admin=admin, boxes=boxes, centre=self._centre, sendsms=sendsms, password=self.password,
            hook=hook, key=key,
        )  # fmt: skip
        (folder / "kannel.conf").write_text(conf)
        self._processes: list[subprocess.Popen[bytes]] = []

    @contextmanager
    def phone(self, *says: str) -> Iterator[Path]:
        """Phones that are switched on while the block runs; they say these (`from to text …`), one a second.
        Gives the file in which what they are sent is written down."""
        log = self._folder / f"phone{len(list(self._folder.glob('phone*')))}"
        often = ["-i", "0.2" if says else "1000", "-m", str(len(says))]
        words = says or ("1 2 text x",)
        command = [self._programs.fakesmsc, "-H", "127.0.0.1", "-r", str(self._centre), *often, *words]
        process = self._start(command, log)
        self._up(process, log, lambda: "Connecting" in log.read_text(errors="replace"))
        try:
            yield log
        finally:
            self._stop(process)

    def _start(self, command: list[object], log: Path) -> subprocess.Popen[bytes]:
        with log.open("wb") as output:
            process = subprocess.Popen(
                [str(word) for word in command], stdout=output, stderr=output, stdin=subprocess.DEVNULL,
                env=self._programs.environment, cwd=self._folder, start_new_session=True,
            )  # fmt: skip
        self._processes.append(process)
        return process

    def _stop(self, process: subprocess.Popen[bytes]) -> None:
        """Nobody needs what it holds any more."""
        process.kill()
        process.wait()
        self._processes.remove(process)

    def __enter__(self) -> Self:
        conf = self._folder / "kannel.conf"
        bearerbox, smsbox = self._folder / "bearerbox", self._folder / "smsbox"
        try:
            process = self._start([self._programs.bearerbox, conf], bearerbox)
            self._up(process, bearerbox, lambda: _answers(self._admin))
            process = self._start([self._programs.smsbox, conf], smsbox)
            self._up(process, smsbox, lambda: _answers(f"{self.url}/"))
        except BaseException:
            self._stop_all()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop_all()

    def _stop_all(self) -> None:
        for process in self._processes[::-1]:
            self._stop(process)

    @staticmethod
    def _up(process: subprocess.Popen[bytes], log: Path, there: Callable[[], bool]) -> None:
        """Wait until it is there; at once an error if it has ended."""
        until(lambda: process.poll() is not None or there())
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} has ended:\n{log.read_text(errors='replace')[-2000:]}")


def until(there: Callable[[], bool]) -> None:
    """Wait for it, but not for ever."""
    end = time.monotonic() + PATIENCE
    while not there():
        if time.monotonic() > end:
            raise TimeoutError("Kannel did not do it in time")
        time.sleep(0.05)


def _ports(count: int) -> list[int]:
    """Free ports of the loopback."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2.0):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
