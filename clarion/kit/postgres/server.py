"""The embedded server as the application sees it: start it or share it, use it, let go of it."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import quote

import psycopg
from psycopg import sql

from clarion.errors import Misconfigured, Unavailable
from clarion.kit.postgres import cluster, config, locks, postmaster, roles
from clarion.kit.postgres.account import Account, server_account
from clarion.kit.postgres.binaries import installed, usable_by, wheel_version
from clarion.kit.postgres.layout import PORT, Layout, socket_dir
from clarion.kit.postgres.locks import FileLock
from clarion.kit.postgres.postmaster import Progress

DATABASE = "clarion"
STOP_PATIENCE = 120.0  # seconds that a fast stop may take before we leave it to finish alone
Role = Literal["superuser", "owner", "app"]
LOGINS: dict[Role, str] = {"superuser": cluster.SUPERUSER, "owner": roles.OWNER, "app": roles.APP}
StopMode = Literal["fast", "immediate"]


def _quiet(_: str) -> None:
    """Progress that nobody watches."""


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

    state: Literal["absent", "stopped", "running", "stopping"]
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
        self._state_dir = state_dir
        self._leave_running = leave_running
        self._layout: Layout | None = None
        self._holding: FileLock | None = None
        self._children: list[subprocess.Popen[bytes]] = []
        self._info: ServerInfo | None = None

    def __enter__(self) -> ServerInfo:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    @property
    def layout(self) -> Layout:
        """Where its files are; makes the state directory."""
        if self._layout is None:
            self._layout = Layout.of(self._state_dir)
        return self._layout

    def start(self, progress: Progress | None = None) -> ServerInfo:
        """Start the server, or join it where it runs already. Returns when it answers.

        Waits as long as a recovery takes, telling `progress`. Raises Misconfigured when an operator
        must act (the message says how) and Unavailable when it died on the way.
        """
        tell = progress or _quiet
        with _alone(self.layout, tell):
            holding = FileLock(self.layout.lock("holders"))
            holding.shared()
            try:
                self._info = self._running(tell)
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
        with _alone(self.layout, _quiet):
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
        with _alone(self.layout, _quiet):
            gone = postmaster.stop(self.layout, mode, STOP_PATIENCE)
        self._reap()
        if not gone:
            raise Unavailable(
                "the database server is still writing its data down; it will end by itself",
                where=str(self.layout.log),
            )

    def status(self) -> Status:
        """Whether it runs; starts and changes nothing."""
        self._reap()
        pid = postmaster.postmaster_pid(self.layout)
        if pid is not None:
            state: Literal["absent", "stopped", "running", "stopping"] = "running"
        elif postmaster.is_alive(self.layout):
            state = "stopping"
        else:
            state = "stopped" if self.layout.data.exists() else "absent"
        return Status(state, pid, self.layout.data, self.layout.log)

    def url_for(self, database: str, role: Role = "app") -> str:
        """The libpq URL of a database on the running server. Raises Unavailable before `start`."""
        if self._info is None:
            raise Unavailable("the embedded database server was not started", hint="Call start() first.")
        return _url(self.layout, self._info.socket_dir, database, role)

    def create_database(self, name: str, template: str | None = None) -> str:
        """Make a database with the same rights as the main one and return its owner's URL.

        `template` is a database that nobody is connected to (copied as it is). Raises
        psycopg.errors.DuplicateDatabase when the name is taken.
        """
        statement = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}").format(
            sql.Identifier(name), sql.Identifier(roles.OWNER), sql.Identifier(template or "template1")
        )
        with self._superuser("postgres") as connection:
            connection.execute(statement)
        with self._superuser(name) as connection:
            roles.ensure_database_rights(connection)
        return self.url_for(name, "owner")

    def drop_database(self, name: str) -> None:
        """Remove a database and end its connections; nothing happens when there is none."""
        with self._superuser("postgres") as connection:
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )

    def _superuser(self, database: str) -> psycopg.Connection[Any]:
        return psycopg.connect(self.url_for(database, "superuser"), autocommit=True)

    def _running(self, tell: Progress) -> ServerInfo:
        """Make it run and answer; the caller holds the `start` lock."""
        account = server_account(self.layout.data)
        if not self.layout.data.exists():
            tell("creating the database")
            cluster.create(self.layout, account)
        cluster.check_version(self.layout, installed())
        secrets = cluster.passwords(self.layout)
        child: subprocess.Popen[bytes] | None = None
        while True:
            if postmaster.postmaster_pid(self.layout) is None:
                postmaster.clear_orphans(self.layout, tell)
                child = self._launch(account, tell)
            if self._answers(child, tell):
                break
        folder = self._socket(account)
        if child is not None:
            self._set_up(folder, secrets)
        return self._describe(folder)

    def _launch(self, account: Account, tell: Progress) -> subprocess.Popen[bytes]:
        tell("starting the database")
        config.write(self.layout, account)
        child = postmaster.launch(self.layout, usable_by(account), account)
        self._children.append(child)
        self.layout.wheel.write_text(wheel_version() + "\n")
        return child

    def _answers(self, child: subprocess.Popen[bytes] | None, tell: Progress) -> bool:
        """Wait until a connection succeeds. False when a server that we had found is gone meanwhile."""
        began = time.monotonic()
        told = began
        while True:
            try:
                url = _url(
                    self.layout, self._socket(server_account(self.layout.data)), "postgres", "superuser"
                )
                psycopg.connect(url, connect_timeout=30).close()
            except psycopg.OperationalError as error:
                self._check_refusal(error)
            else:
                return True
            if child is not None and child.poll() is not None:
                raise self._died(child.returncode)
            if child is None and postmaster.postmaster_pid(self.layout) is None:
                return False
            if time.monotonic() - told > 2:
                told = time.monotonic()
                tell(f"waiting for the database to recover ({told - began:.0f} s): {self._last_line()}")
            time.sleep(locks.PAUSE)

    def _check_refusal(self, error: psycopg.OperationalError) -> None:
        """Refusals that waiting does not cure."""
        if "password authentication failed" in str(error):
            raise Misconfigured(
                "the database's passwords are not those in the file",
                where=str(self.layout.passwords),
                hint="Put the right file back; see docs/embedded-postgres.md, 'When the passwords are lost'.",
            ) from error

    def _socket(self, account: Account) -> Path:
        found = postmaster.PidFile.read(self.layout.data)
        if found is not None and found.socket_dir is not None:
            return found.socket_dir  # a server that runs says itself where it listens
        return socket_dir(self.layout, account)

    def _set_up(self, folder: Path, secrets: dict[str, str]) -> None:
        with _connect(_url(self.layout, folder, "postgres", "superuser")) as connection:
            roles.ensure_roles(connection, {role: secrets[role] for role in (roles.OWNER, roles.APP)})
            for role in (roles.OWNER, roles.APP):
                # A failed statement is told to the client; its text may hold a person's number.
                connection.execute(
                    sql.SQL("ALTER ROLE {} SET log_min_messages = 'log'").format(sql.Identifier(role))
                )
            roles.ensure_database(connection, DATABASE)
        with _connect(_url(self.layout, folder, DATABASE, "superuser")) as connection:
            roles.ensure_database_rights(connection)

    def _describe(self, folder: Path) -> ServerInfo:
        with _connect(_url(self.layout, folder, "postgres", "superuser")) as connection:
            row = connection.execute("SHOW server_version").fetchone()
        found = postmaster.PidFile.read(self.layout.data)
        if row is None or found is None:
            raise Unavailable(
                "the database server went away while it was being asked", where=str(self.layout.log)
            )
        urls = {role: _url(self.layout, folder, DATABASE, role) for role in LOGINS}
        return ServerInfo(
            version=str(row[0]).split()[0],
            pid=found.pid,
            data_dir=self.layout.data,
            socket_dir=folder,
            superuser_url=urls["superuser"],
            owner_url=urls["owner"],
            app_url=urls["app"],
        )

    def _last_line(self) -> str:
        return postmaster.log_tail(self.layout, lines=1)

    def _died(self, code: int) -> Unavailable:
        return Unavailable(
            f"the database server ended with code {code} while starting. Its last words:\n"
            + postmaster.log_tail(self.layout),
            where=str(self.layout.log),
            hint="A full disk, a wrong line in postgresql.override.conf and too little memory are the "
            "usual causes; docs/embedded-postgres.md says what to do about each.",
        )

    def _reap(self) -> None:
        self._children = [child for child in self._children if child.poll() is None]


class _alone:
    """The `start` lock, for a `with`: nobody else starts or stops this server meanwhile."""

    def __init__(self, layout: Layout, tell: Progress) -> None:
        self._lock = FileLock(layout.lock("start"))
        self._tell = tell

    def __enter__(self) -> Self:
        self._lock.exclusive(lambda: self._tell("another command is starting or stopping the database"))
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.close()


def _connect(url: str) -> psycopg.Connection[Any]:
    return psycopg.connect(url, autocommit=True)


def _url(layout: Layout, folder: Path, database: str, role: Role) -> str:
    user = LOGINS[role]
    password = cluster.passwords(layout)[user]
    # The port is said, because PGPORT in somebody's environment would change it.
    return f"postgresql://{user}:{password}@/{quote(database, safe='')}?host={quote(str(folder))}&port={PORT}"
