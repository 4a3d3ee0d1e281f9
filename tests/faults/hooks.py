"""Our hooks, served by a process of its own as `clarion serve --no-worker` does; killed like any other."""

from __future__ import annotations

import os
import re
import signal
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

from tests.faults import crew
from tests.forked import context

PATIENCE = 60.0


def _serve(environment: dict[str, str], log: str, port: int, mutant: str) -> None:
    crew.prepare(environment, log)
    from clarion.cli import running
    from tests.faults import mutants

    if mutant:
        mutants.apply(mutant)
    running.serve(host=None, port=port, no_worker=True, concurrency=None)


class Hooks:
    """Listening when made, at an address that it keeps when it is started anew."""

    def __init__(self, environment: dict[str, str], folder: Path, mutant: str = "") -> None:
        folder.mkdir()
        self.mutant = mutant
        self._environment = environment | {"CLARION_STATE_DIR": str(folder / "state")}
        self._log = folder / "serve.log"
        self._port = 0
        self._process = self._start()
        self._port = self._listening()
        self.url = f"http://127.0.0.1:{self._port}"

    def supervise(self) -> None:
        """Start it anew if it died."""
        if not self._process.is_alive():
            self._process.join()
            self._process = self._start()

    def kill(self) -> None:
        """kill -9."""
        if self._process.pid is not None and self._process.is_alive():
            os.kill(self._process.pid, signal.SIGKILL)
            self._process.join()

    def stop(self) -> None:
        """SIGTERM, and wait."""
        self._process.terminate()
        self._process.join(PATIENCE)
        self.kill()

    def _start(self) -> BaseProcess:
        process = context.Process(
            target=_serve, args=(self._environment, str(self._log), self._port, self.mutant)
        )
        process.start()
        return process

    def _listening(self) -> int:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and self._process.is_alive():
            said = self._log.read_text() if self._log.exists() else ""
            if found := re.search(r"http://127\.0\.0\.1:(\d+)", said):
                return int(found[1])
            time.sleep(0.02)
        self.kill()
        raise RuntimeError(f"the API did not come up: {self._log.read_text()[-2000:]}")
