"""From a state directory to a server that answers: create, start, wait, set up, or join what runs."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import psycopg
from psycopg import sql

from clarion.errors import Misconfigured, Unavailable
from clarion.kit.postgres import cluster, config, files, postmaster, roles
from clarion.kit.postgres.account import Account, server_account
from clarion.kit.postgres.binaries import installed, usable_by, wheel_version
from clarion.kit.postgres.layout import PORT, Layout, socket_dir
from clarion.kit.postgres.postmaster import PidFile, Progress

DATABASE = "clarion"
Role = Literal["postgres", "clarion_owner", "clarion_app"]
Child = subprocess.Popen[bytes]
PAUSE, LONGEST_PAUSE = 0.02, 0.5  # seconds between probes
TELL_EVERY = 2.0  # seconds
PATIENCE_WHEN_READY = 60.0  # seconds in which a server that calls itself ready has to let us in


class Startup:
    """One attempt to have the server running; the caller holds the `start` lock all the while."""

    def __init__(self, layout: Layout, tell: Progress) -> None:
        self._layout = layout
        self._tell = tell
        self.child: Child | None = None  # the server, when it was us who started it

    def run(self) -> Path:
        """Make it run; returns the folder of its socket.

        Waits for a recovery however long it takes. Raises Misconfigured when an operator must act
        and Unavailable when the server dies or does not answer.
        """
        account = server_account(self._layout.data)
        lost = not self._layout.passwords.exists()
        if lost:
            self._forbid_new_passwords_beside_a_server()
            cluster.make_passwords(self._layout)
        if not self._layout.data.exists():
            self._tell("creating the database")
            cluster.create(self._layout, account)
            lost = False
        cluster.check_version(self._layout, installed())
        while True:
            if postmaster.postmaster_pid(self._layout) is None:
                postmaster.clear_orphans(self._layout, self._tell)
                self._launch(account, trust_superuser=lost)
            if self._answers(account):
                break
        folder = self._socket(account)
        if lost:
            self._renew_password(folder, account)
        if not self._layout.set_up.exists():
            self._set_up(folder)
        return folder

    def _forbid_new_passwords_beside_a_server(self) -> None:
        if postmaster.postmaster_pid(self._layout) is not None:
            raise Misconfigured(
                "the file with the database's passwords is gone, but the server still runs",
                where=str(self._layout.passwords),
                hint="Stop every Clarion process; the next start sets new passwords.",
            )

    def _launch(self, account: Account, *, trust_superuser: bool) -> None:
        self._tell("starting the database")
        binaries = usable_by(account)
        self._layout.set_up.unlink(missing_ok=True)
        config.write(self._layout, account, binaries, trust_superuser=trust_superuser)
        postmaster.trim_log(self._layout)
        self.child = postmaster.launch(self._layout, binaries, account)
        files.write(self._layout.wheel, wheel_version() + "\n", self._layout.owner)

    def _answers(self, account: Account) -> bool:
        """Wait until a connection succeeds. False when a server that we had found is gone meanwhile."""
        began = told = time.monotonic()
        ready_since: float | None = None
        pause = PAUSE
        while True:
            found = PidFile.read(self._layout.data)
            ready = found is not None and found.status == "ready"
            refusal = self._refusal(account) if ready else "it is not ready"
            if refusal is None:
                return True
            if self._ended():
                return False
            now = time.monotonic()
            ready_since = (ready_since or now) if ready else None
            if ready_since is not None and now - ready_since > PATIENCE_WHEN_READY:
                raise self._deaf(refusal)
            if now - told > TELL_EVERY:
                told = now
                last = postmaster.log_tail(self._layout, lines=1)
                self._tell(f"waiting for the database ({now - began:.0f} s): {last}")
            time.sleep(pause)
            pause = min(pause * 1.2, LONGEST_PAUSE)

    def _refusal(self, account: Account) -> str | None:
        """None when a real connection succeeds, else the server's words."""
        try:
            connect(self._layout, self._socket(account), "postgres").close()
        except psycopg.OperationalError as error:
            if "password authentication failed" in str(error):
                raise Misconfigured(
                    "the database's passwords are not those in the file",
                    where=str(self._layout.passwords),
                    hint="Put the right file back, or stop every Clarion process and remove the file: "
                    "the next start sets new passwords.",
                ) from error
            return str(error)
        return None

    def _ended(self) -> bool:
        """Whether the server is gone. Raises Unavailable when it is one that we started ourselves."""
        if self.child is None:
            return postmaster.postmaster_pid(self._layout) is None
        code = self.child.poll()
        if code is None:
            return False
        raise Unavailable(
            f"the database server ended with code {code} while starting. Its last words:\n"
            + postmaster.log_tail(self._layout),
            where=str(self._layout.log),
            hint="A full disk, a wrong line in postgresql.override.conf and too little memory are the "
            "usual causes; docs/embedded-postgres.md says what to do about each.",
        )

    def _deaf(self, refusal: str) -> Unavailable:
        found = PidFile.read(self._layout.data)
        return Unavailable(
            f"the database server (process {found.pid if found else '?'}) runs but lets nobody in: {refusal}",
            where=str(self._layout.log),
            hint="If its socket's folder was removed or is hidden (a cleaner of /tmp, systemd's PrivateTmp), "
            "end that process with `kill -INT` and start again; nothing committed is lost.",
        )

    def _socket(self, account: Account) -> Path:
        found = PidFile.read(self._layout.data)
        if found is not None and found.socket_dir is not None:
            return found.socket_dir  # a server that runs says itself where it listens
        return socket_dir(self._layout, account)

    def _renew_password(self, folder: Path, account: Account) -> None:
        self._tell("setting new passwords, because their file was lost")
        new = cluster.passwords(self._layout)[cluster.SUPERUSER]
        with connect(self._layout, folder, "postgres") as connection:
            roles.set_password(connection, cluster.SUPERUSER, new)
            config.write(self._layout, account, usable_by(account))
            connection.execute("SELECT pg_reload_conf()")

    def _set_up(self, folder: Path) -> None:
        secrets = cluster.passwords(self._layout)
        with connect(self._layout, folder, "postgres") as connection:
            roles.ensure_roles(connection, {role: secrets[role] for role in (roles.OWNER, roles.APP)})
            for role in (roles.OWNER, roles.APP):
                # A failed statement is told to the client; in a log its text may be a person's number.
                statement = sql.SQL("ALTER ROLE {} SET log_min_messages = 'log'")
                connection.execute(statement.format(sql.Identifier(role)))
            roles.ensure_database(connection, DATABASE)
        with connect(self._layout, folder, DATABASE) as connection:
            roles.ensure_database_rights(connection)
        files.write(self._layout.set_up, "", self._layout.owner)


def url(layout: Layout, folder: Path, database: str, role: Role) -> str:
    """The libpq URL of a database on the server that listens in `folder`, password included."""
    password = cluster.passwords(layout)[role]
    # The port is said, because PGPORT in somebody's environment would change it.
    return f"postgresql://{role}:{password}@/{quote(database, safe='')}?host={quote(str(folder))}&port={PORT}"


def connect(layout: Layout, folder: Path, database: str) -> psycopg.Connection[Any]:
    """A superuser's connection in autocommit. Raises psycopg.OperationalError."""
    return psycopg.connect(url(layout, folder, database, "postgres"), autocommit=True, connect_timeout=30)
