"""The embedded server as the application sees it: start it or share it, use it, let go of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Any, Literal

import psycopg
from psycopg import sql

from clarion.errors import ClarionError, Misconfigured, Unavailable
from clarion.kit.postgres import postmaster, roles
from clarion.kit.postgres.layout import Layout
from clarion.kit.postgres.locks import FileLock
from clarion.kit.postgres.postmaster import PidFile, Progress, StopMode
from clarion.kit.postgres.startup import DATABASE, Child, Role, Startup, connect, url

STOP_PATIENCE = 120.0  # seconds that a stop may take before we leave it to finish alone
State = Literal["absent", "stopped", "running", "stopping"]


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """A running server. The URLs hold passwords, so they are kept out of its printed form."""

    version: str  # "18.6"
    pid: int
    data_dir: Path
    socket_dir: Path
    superuser_url: str = field(repr=False)
    owner_url: str = field(repr=False)
    app_url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Status:
    """What is known of a server without starting it."""

    state: State
    pid: int | None
    data_dir: Path
    log: Path


class EmbeddedServer:
    """PostgreSQL below a state directory, shared by all processes that name the same directory.

    The first to start it starts it, the last to release it stops it; a process that is killed lets
    go by dying. With `leave_running` the last one leaves it running for the next.
    All calls block; run them in a thread where that matters.
    """

    def __init__(self, state_dir: Path, *, leave_running: bool = False) -> None:
        self.layout = Layout.of(state_dir)
        self._leave_running = leave_running
        self._holding: FileLock | None = None
        self._children: list[Child] = []
        self._info: ServerInfo | None = None

    def __enter__(self) -> ServerInfo:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def start(self, progress: Progress | None = None) -> ServerInfo:
        """Start the server, or join it where it runs already. Returns when it answers.

        Waits as long as a recovery takes, telling `progress`. Raises Misconfigured when an operator
        must act (the message says how) and Unavailable when it died on the way.
        """
        tell = progress or _quiet
        self.layout.make()
        with self._alone(tell):
            holding = FileLock(self.layout.lock("holders"))
            holding.shared()
            try:
                self._info = self._describe(self._start(tell))
            except BaseException:
                holding.close()
                raise
        if self._holding is not None:
            self._holding.close()
        self._holding = holding
        return self._info

    def release(self) -> None:
        """Say that this user of the server is done; the last one stops it (unless it is to be left)."""
        if self._holding is None:
            return
        with self._alone(_quiet):
            last = self._holding.try_exclusive()
            self._holding.release()
            self._holding = None
            if last and not self._leave_running:
                postmaster.stop(self.layout, "fast", STOP_PATIENCE)
        self._reap()

    def stop(self, mode: StopMode = "fast") -> None:
        """Stop the server whoever uses it. `immediate` leaves a recovery to the next start.

        Raises Unavailable when it has not ended within two minutes.
        """
        if not self.layout.home.exists():
            return
        with self._alone(_quiet):
            gone = postmaster.stop(self.layout, mode, STOP_PATIENCE)
        self._reap()
        if not gone:
            raise Unavailable(
                "the database server is still writing its data down; it will end by itself",
                where=str(self.layout.log),
            )

    def keep_running(self, done: Event, *, every: float = 1.0, progress: Progress | None = None) -> None:
        """Start the server again whenever it has died, until `done` is set; looks every so many seconds.

        For a thread of a long-running process that has started the server. A start that fails is
        told to `progress` and tried again; nothing is raised. The URLs stay as they were.
        """
        tell = progress or _quiet
        while not done.wait(every):
            if self.status().state == "running":
                continue
            try:
                self.start(progress)
            except ClarionError as error:
                tell(str(error))

    def status(self) -> Status:
        """Whether it runs; starts and changes nothing."""
        self._reap()
        pid = postmaster.postmaster_pid(self.layout)
        if not self.layout.data.exists():
            state: State = "absent"
        elif pid is not None:
            state = "running"
        elif postmaster.is_alive(self.layout):
            state = "stopping"
        else:
            state = "stopped"
        return Status(state, pid, self.layout.data, self.layout.log)

    def url_for(self, database: str, role: Role = "clarion_app") -> str:
        """The libpq URL of a database on the running server. Raises Unavailable before `start`."""
        if self._info is None:
            raise Unavailable("the embedded database server was not started", hint="Call start() first.")
        return url(self.layout, self._info.socket_dir, database, role)

    def create_database(self, name: str, template: str | None = None) -> str:
        """Make a database with the same rights as the main one and return its owner's URL.

        `template` is a database that nobody is connected to (copied as it is). Raises
        psycopg.errors.DuplicateDatabase when the name is taken.
        """
        with self._superuser("postgres") as connection:
            roles.create_database(connection, name, template)
        with self._superuser(name) as connection:
            roles.ensure_database_rights(connection)
        return self.url_for(name, "clarion_owner")

    def drop_database(self, name: str) -> None:
        """Remove a database and end its connections; nothing happens when there is none."""
        with self._superuser("postgres") as connection:
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )

    def _superuser(self, database: str) -> psycopg.Connection[Any]:
        return psycopg.connect(self.url_for(database, "postgres"), autocommit=True)

    def _start(self, tell: Progress) -> Path:
        attempt = Startup(self.layout, tell)
        try:
            return attempt.run()
        except OSError as error:
            raise Misconfigured(
                f"the database's files cannot be used: {error.strerror}",
                where=str(error.filename or self.layout.home),
                hint="Check the disk's room and the folder's owner; `clarion doctor` looks at both.",
            ) from error
        finally:
            if attempt.child is not None:
                self._children.append(attempt.child)

    def _describe(self, folder: Path) -> ServerInfo:
        with connect(self.layout, folder, "postgres") as connection:
            version = connection.info.parameter_status("server_version") or ""
        found = PidFile.read(self.layout.data)
        return ServerInfo(
            version=version.split()[0],
            pid=found.pid if found else 0,
            data_dir=self.layout.data,
            socket_dir=folder,
            superuser_url=url(self.layout, folder, DATABASE, "postgres"),
            owner_url=url(self.layout, folder, DATABASE, "clarion_owner"),
            app_url=url(self.layout, folder, DATABASE, "clarion_app"),
        )

    def _reap(self) -> None:
        """Take note of ended servers that we started, so that they do not stay behind as zombies."""
        self._children = [child for child in self._children if child.poll() is None]

    @contextmanager
    def _alone(self, tell: Progress) -> Iterator[None]:
        """Nobody else starts or stops this server meanwhile."""
        lock = FileLock(self.layout.lock("start"))
        lock.exclusive(lambda: tell("another command is starting or stopping the database"))
        try:
            yield
        finally:
            lock.close()


def _quiet(_: str) -> None:
    """Progress that nobody watches."""
