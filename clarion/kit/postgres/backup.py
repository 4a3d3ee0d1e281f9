"""A whole database into one file, from the embedded server or one by URL, while it is in use."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from clarion.errors import Conflict, Misconfigured, Unavailable
from clarion.kit.postgres import files
from clarion.kit.postgres.client import Facts, connect, dump_programs, without_password
from clarion.kit.postgres.roles import BACKUP, OWNER

Progress = Callable[[str], None]
Connection = psycopg.Connection[Any]
LOCK_WAIT = "60s"  # how long a dump waits for a migration that is under way
_STEP = re.compile(r"pg_dump: (dumping contents of table .*)")


def backup(url: str, path: Path, progress: Progress | None = None, *, jobs: int = 1) -> Path:
    """Write the database at `url` to `path` as of one moment, while it is in use; returns the path.

    `path` appears when it is complete, mode 0600; it may not exist before. `jobs` > 1 writes a
    folder instead of a file, that many tables at once. `url` is a superuser's or clarion_owner's:
    a dump needs to see every workspace. Raises Conflict when `path` exists, Misconfigured when the
    role sees too little or no fitting pg_dump is there, Unavailable when the dump fails.
    """
    if path.exists() or path.is_symlink():
        raise Conflict("the file is there already, and a backup never overwrites", where=str(path))
    with connect(url) as connection:
        role = _reading_role(connection)
        programs = dump_programs(Facts.of(connection))
    words, environment = without_password(url)
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    command = [
        programs["pg_dump"],
        f"--dbname={words}",
        f"--file={partial}",
        f"--lock-wait-timeout={LOCK_WAIT}",
    ]
    command += ["--verbose", "--no-password", "--compress=3", *([f"--role={role}"] if role else [])]
    command += ["--format=directory", f"--jobs={jobs}"] if jobs > 1 else ["--format=custom"]
    try:
        _dump(command, environment, progress)
        _publish(partial, path)
    finally:
        _remove(partial)
    return path


def _reading_role(connection: Connection) -> str | None:
    """The role to take for a dump: None when the login itself sees every row."""
    row = connection.execute(
        "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"
    ).fetchone()
    if row is not None and row[0]:
        return None
    member = connection.execute(
        "SELECT pg_has_role(oid, 'MEMBER') FROM pg_roles WHERE rolname = %s", (BACKUP,)
    ).fetchone()
    if member is not None and member[0]:
        return BACKUP
    raise Misconfigured(
        f"role {connection.info.user} does not see every workspace, so its dump would lack rows",
        hint=f"Use the URL of {OWNER} or of a superuser.",
    )


def _dump(command: list[str], environment: dict[str, str], progress: Progress | None) -> None:
    last: list[str] = []
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, errors="replace", env=environment, umask=0o077
    ) as process:
        for line in process.stderr or ():
            last = [*last[-4:], line.strip()]
            step = _STEP.match(line)
            if step and progress is not None:
                progress(step[1])
    if process.returncode != 0:
        raise Unavailable(
            "the backup failed: " + "; ".join(last),
            hint="Nothing was left behind. Is there room on the disk?",
        )


def _publish(partial: Path, path: Path) -> None:
    """Give a complete dump its name, unless somebody else took the name meanwhile."""
    try:
        if partial.is_dir():
            path.mkdir()  # claims the name; renaming replaces an empty folder
            partial.rename(path)
        else:
            os.link(partial, path)
    except FileExistsError as error:
        raise Conflict("the file appeared meanwhile; a backup never overwrites", where=str(path)) from error
    except PermissionError:
        partial.rename(path)  # a file system without hard links
    files.sync_folder(path.parent)


def _remove(partial: Path) -> None:
    if partial.is_dir():
        shutil.rmtree(partial)
    else:
        partial.unlink(missing_ok=True)
