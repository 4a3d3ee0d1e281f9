"""A backup back into an empty database, in one transaction.

All of it is there, with whatever the caller adds to it, or the database is as empty as before.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import psycopg
from psycopg import sql

from clarion.errors import Conflict, Invalid, Misconfigured, NotFound, Unavailable
from clarion.kit.postgres.binaries import installed
from clarion.kit.postgres.client import connect
from clarion.kit.postgres.roles import APP, DEFINER, OWNER

Progress = Callable[[str], None]
Connection = psycopg.Connection[Any]
After = Callable[[Connection], None]
CHUNK = 256 * 1024  # bytes of rows that go over at once
_PLAIN = {"LC_ALL": "C"}  # the environment of programs that need none
# psql's own commands, and a setting that servers before 17 do not know.
_NOISE = re.compile(r"^\\(un)?restrict \w+$|^SET transaction_timeout = 0;$", re.MULTILINE)


def restore(path: Path, url: str, progress: Progress | None = None, *, after: After | None = None) -> None:
    """Fill the empty database at `url` from a backup, in one transaction.

    `after` runs at the end of that transaction, to mark the channels as paused until reconciled.
    `url` is a superuser's or that of clarion_owner who owns the database; the roles must exist
    (`ensure_roles`). Raises NotFound, Conflict when the database holds anything, Invalid when the file
    is damaged or does not fit this server, Misconfigured when roles are missing, Unavailable when the
    connection is lost. In every such case the database is as empty as before.
    """
    tell = progress or (lambda _: None)
    if not path.exists():
        raise NotFound("there is no such file", where=str(path))
    with connect(url) as connection:
        _check_roles(connection)
        _check_empty(connection)
        try:
            with connection.transaction():
                _fill(connection, path, tell)
                if after is not None:
                    tell("marking the restored database")
                    after(connection)
        except psycopg.OperationalError as error:
            raise Unavailable("the database went away; nothing was restored") from error
        except psycopg.Error as error:
            words = error.diag.message_primary or type(error).__name__
            raise Invalid(f"the backup cannot be restored here: {words}", where=str(path)) from error
        tell("counting, so that plans are good")
        connection.execute("ANALYZE")


def _check_roles(connection: Connection) -> None:
    needed = [OWNER, APP, DEFINER]
    found = {
        row[0]
        for row in connection.execute("SELECT rolname FROM pg_roles WHERE rolname = ANY(%s)", (needed,))
    }
    missing = [role for role in needed if role not in found]
    if missing:
        raise Misconfigured(
            f"the server lacks the roles {', '.join(missing)}",
            hint="docs/embedded-postgres.md, 'A server of your own', has the statements that make them.",
        )


def _check_empty(connection: Connection) -> None:
    found = connection.execute(
        """
        SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
          AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
          AND NOT EXISTS (SELECT FROM pg_depend d
                          WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
        ORDER BY c.relname LIMIT 3
        """
    ).fetchall()
    if found:
        names = ", ".join(row[0] for row in found)
        raise Conflict(
            f"the database {connection.info.dbname} is not empty (it has {names} …); a restore never mixes",
            hint="Restore into a new database or an unused CLARION_STATE_DIR.",
        )
    connection.rollback()


def _fill(connection: Connection, path: Path, tell: Progress) -> None:
    with tempfile.TemporaryDirectory() as folder:
        archive = _Archive(path, Path(folder, "contents"))
        _replay(connection, archive, tell)


def _replay(connection: Connection, archive: _Archive, tell: Progress) -> None:
    definer = sql.Identifier(DEFINER)
    # Giving a function to its owner asks that the owner may create in the schema; as in the migrations.
    connection.execute(sql.SQL("GRANT CREATE ON SCHEMA public TO {}").format(definer))
    tell("making the tables")
    connection.execute(archive.script("pre-data"))
    _rows(connection, archive, tell)
    tell("making the indexes")
    connection.execute(archive.script("post-data"))
    connection.execute("RESET ALL")
    connection.execute(sql.SQL("REVOKE CREATE ON SCHEMA public FROM {}").format(definer))


class _Archive:
    """A backup as the SQL that pg_restore makes of it, by section (`pre-data`, `data`, `post-data`)."""

    def __init__(self, path: Path, contents: Path) -> None:
        """`contents` is a file to be written: the parts of the backup that are wanted."""
        self._path = path
        self._contents = contents
        listed = self._run([installed()["pg_restore"], "--list", str(path)]).splitlines()
        # An extension's comment is set when it is made, and only a superuser may set it again.
        contents.write_text("\n".join(line for line in listed if " COMMENT - EXTENSION " not in line))

    def script(self, section: str) -> sql.SQL:
        """All statements of a section, as one text to execute."""
        # Without psql's own commands, and a setting that servers before 17 do not know.
        return sql.SQL(_NOISE.sub("", self._run(self._command(section))))

    @contextmanager
    def stream(self, section: str) -> Iterator[IO[bytes]]:
        """The text of a section as it comes. Raises Invalid at the end when it was not whole."""
        with subprocess.Popen(
            self._command(section), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=_PLAIN
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            try:
                yield process.stdout
            except BaseException:
                process.kill()
                raise
            problem = process.stderr.read().decode(errors="replace")
        self._check(process.returncode, problem)

    def _command(self, section: str) -> list[str]:
        program = installed()["pg_restore"]
        return [program, f"--section={section}", f"--use-list={self._contents}", "--file=-", str(self._path)]

    def _run(self, command: list[str]) -> str:
        done = subprocess.run(
            command, capture_output=True, text=True, encoding="utf-8", env=_PLAIN, check=False
        )
        self._check(done.returncode, done.stderr)
        return done.stdout

    def _check(self, code: int | None, problem: str) -> None:
        if code != 0:
            last = problem.strip().splitlines()[-1] if problem.strip() else f"code {code}"
            raise Invalid(
                f"the backup cannot be read: {last}",
                where=str(self._path),
                hint="It is damaged, unfinished, made by a newer PostgreSQL, or no backup of Clarion.",
            )


def _rows(connection: Connection, archive: _Archive, tell: Progress) -> None:
    with archive.stream("data") as source:
        _copy_all(connection, source, tell)


def _copy_all(connection: Connection, source: IO[bytes], tell: Progress) -> None:
    """Replay a data section: COPY blocks that end with a line `\\.`, and statements of one line."""
    with connection.cursor() as cursor:
        while line := source.readline():
            text = line.decode().rstrip("\n")
            if text.startswith("COPY ") and text.endswith(" FROM stdin;"):
                tell(f"rows of {text.split()[1]}")
                _copy_one(cursor, text, source)
            elif text and not text.startswith("--") and not _NOISE.fullmatch(text):
                cursor.execute(sql.SQL(text))


def _copy_one(cursor: psycopg.Cursor[Any], statement: str, source: IO[bytes]) -> None:
    with cursor.copy(sql.SQL(statement)) as copy:
        chunk = bytearray()
        for line in source:
            if line == b"\\.\n":
                break
            chunk += line
            if len(chunk) > CHUNK:
                copy.write(bytes(chunk))
                chunk.clear()
        copy.write(bytes(chunk))
