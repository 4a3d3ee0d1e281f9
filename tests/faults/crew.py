"""Workers as real processes: forked from a warm server so that hundreds of runs are affordable."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path

from tests.forked import context

AT_ONCE = (-signal.SIGKILL, 130)  # kill -9, and a second SIGTERM while the first is being heeded


def prepare(environment: dict[str, str], log: str) -> None:
    """Make a forked child what a started one would be: its output, its environment, its settings."""
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.environ.update(environment)
    from clarion.settings import settings

    settings.cache_clear()


def _worker(environment: dict[str, str], log: str, mutant: str) -> None:
    """The child: exactly what `clarion worker` runs, after an optional mutation of the code."""
    prepare(environment, log)
    from clarion.cli import running
    from clarion.kit import crash
    from tests.faults import mutants

    crash.arm(environment.get("CLARION_CRASH", ""))
    if mutant:
        mutants.apply(mutant)
    running.worker(concurrency=None)


@dataclass
class Crew:
    """The workers of one run. A worker that died is started again, as its supervisor would."""

    environment: dict[str, str]
    folder: Path
    mutant: str = ""
    processes: list[BaseProcess] = field(default_factory=list)
    frozen: list[BaseProcess] = field(default_factory=list)
    deaths: int = 0
    killed: int = 0  # of these, at once: they could not write down what they knew

    def start(self, crash: str = "") -> BaseProcess:
        """Start a worker, to be killed at a named place if `crash` says so."""
        number = len(self.processes) + self.deaths
        environment = self.environment | {"CLARION_CRASH": crash}
        name = f"worker-{number}"
        process = context.Process(
            name=name, target=_worker, args=(environment, str(self.folder / f"{name}.log"), self.mutant)
        )
        process.start()
        self.processes.append(process)
        return process

    def said(self, process: BaseProcess) -> str:
        """What a worker wrote, to tell why it ended as it did."""
        return (self.folder / f"{process.name}.log").read_text()

    def supervise(self) -> int:
        """Start anew those that died; how many had."""
        dead = [p for p in self.processes if not p.is_alive()]
        for process in dead:
            process.join()
            self.processes.remove(process)
            self.deaths += 1
            self.killed += process.exitcode in AT_ONCE
            self.start()
        return len(dead)

    def kill(self, process: BaseProcess) -> None:
        """kill -9."""
        if process.pid is not None and process.is_alive():
            os.kill(process.pid, signal.SIGKILL)
            process.join()

    def freeze(self, process: BaseProcess) -> None:
        """SIGSTOP: it holds everything and answers nothing, and may wake."""
        assert process.pid is not None
        os.kill(process.pid, signal.SIGSTOP)
        self.frozen.append(process)

    def thaw(self) -> None:
        """SIGCONT to all, whoever stopped them."""
        for process in self.processes:
            if process.pid is not None and process.is_alive():
                with suppress(ProcessLookupError):  # it ends in this moment
                    os.kill(process.pid, signal.SIGCONT)
        self.frozen.clear()

    def stop(self, timeout: float = 30.0) -> list[int | None]:
        """SIGTERM to all; their exit codes, in the order of their start (None: it did not end in time)."""
        self.thaw()
        for process in self.processes:
            process.terminate()
        end = time.monotonic() + timeout
        codes: list[int | None] = []
        for process in self.processes:
            process.join(max(0.0, end - time.monotonic()))
            codes.append(process.exitcode)
            self.killed += process.exitcode in AT_ONCE
            if process.exitcode is None:
                self.kill(process)
        self.processes.clear()
        return codes
