"""What the demo needs around it: a fresh database, a provider that pretends, and worker processes.

All of it lies in one folder (`demo` in the state folder), and all of it ends with this process, however
it ends: the children watch their standard input.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from clarion import wiring
from clarion.cli import terminal
from clarion.errors import Conflict, NotFound, Unavailable
from clarion.kit.postgres import DATABASE
from clarion.kit.postgres.locks import FileLock
from clarion.sandbox.client import SandboxProcess
from clarion.settings import Settings

TEMPLATE = "office_closed"
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
PATIENCE = 30.0  # seconds that a worker has to drain


def settings_for(present: Settings) -> Settings:
    """The demo's settings: a state folder of its own, the embedded database, a provider on loopback.

    Whatever database is configured is left alone: the demo makes and drops what it likes.
    """
    return present.model_copy(
        update={
            "state_dir": present.state_dir.absolute() / "demo", "database_url": None, "secret_key": None,
            "previous_secret_keys": [], "allow_private_addresses": True, "poll": 0.2, "lease": 1.5,
        }
    )  # fmt: skip


def example(name: str) -> Path:
    """A file of the project's examples. Raises NotFound where they were not installed."""
    path = EXAMPLES / name
    if not path.exists():
        raise NotFound(
            "the sample people are not here",
            where=str(path),
            hint="Run the demo from a clone of the project.",
        )
    return path


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Only one demo at a time. Raises Conflict while another one runs."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / "demo.lock")
    if not lock.try_exclusive():
        raise Conflict("a demo is running already", where=str(folder), hint="End that one with Ctrl-C first.")
    try:
        yield
    finally:
        lock.close()


@contextmanager
def fresh_database(settings: Settings) -> Iterator[None]:
    """The embedded server with an empty database; what a demo of before said and sent is forgotten."""
    shutil.rmtree(settings.state_dir / "flight", ignore_errors=True)
    server = wiring.embedded(settings)
    try:
        server.start(terminal.say)
        server.drop_database(DATABASE)
        server.create_database(DATABASE)
        yield
    finally:
        server.release()


@contextmanager
def sandbox(folder: Path) -> Iterator[SandboxProcess]:
    """The provider that only pretends, with the phones of the roster."""
    bodies = {
        "en": "Dear {{1}}, the offices are closed on Friday. Enjoy the long weekend!",
        "sw": "Mpendwa {{1}}, ofisi zitafungwa Ijumaa. Furahia wikendi ndefu!",
        "am": "ውድ {{1}}፣ ቢሮዎቹ ዓርብ ዝግ ናቸው።",
        "ar": "عزيزي {{1}}، المكاتب مغلقة يوم الجمعة.",
    }
    templates = [
        {"name": TEMPLATE, "language": language, "parameters": 1, "body": body}
        for language, body in bodies.items()
    ]
    try:
        started = SandboxProcess.start(folder / "sandbox", roster=example("roster.csv"), templates=templates)
    except (RuntimeError, TimeoutError) as error:
        raise Unavailable(f"the sandbox did not start: {error}", where=str(folder / "sandbox")) from error
    with started:
        yield started


@dataclass
class Crew:
    """Worker processes of a state folder; their logs are `worker-N.log` there."""

    settings: Settings
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self) -> None:
        """Start one more."""
        folder = self.settings.state_dir
        log = folder / f"worker-{len(self.processes) + 1}.log"
        ours = {
            "CLARION_STATE_DIR": str(folder), "CLARION_ALLOW_PRIVATE_ADDRESSES": "true",
            "CLARION_POLL": str(self.settings.poll), "CLARION_LEASE": str(self.settings.lease),
            "CLARION_LOG_FORMAT": "json",
        }  # fmt: skip
        others = {name: value for name, value in os.environ.items() if not name.startswith("CLARION_")}
        with log.open("wb") as output:
            self.processes.append(
                subprocess.Popen(
                    [sys.executable, "-m", "clarion.cli", "worker", "--end-with-stdin"],
                    stdin=subprocess.PIPE, stdout=output, stderr=output, env={**others, **ours},
                    cwd=folder,  # no .env of the caller's is read there
                    start_new_session=True,  # Ctrl-C is for us; we ask them to drain
                )
            )  # fmt: skip

    def check(self) -> None:
        """Raises Unavailable when one of them has ended."""
        for number, process in enumerate(self.processes, 1):
            if process.poll() is not None:
                raise Unavailable(
                    f"worker {number} ended with code {process.returncode}",
                    where=str(self.settings.state_dir / f"worker-{number}.log"),
                )

    def stop(self) -> None:
        """Let them drain and end; whoever takes too long is killed."""
        for process in self.processes:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdin is not None:
                process.stdin.close()
        self.processes.clear()


@contextmanager
def crew(settings: Settings, count: int) -> Iterator[Crew]:
    """So many workers, stopped in order at the end."""
    made = Crew(settings)
    try:
        for _ in range(count):
            made.start()
        yield made
    finally:
        made.stop()
