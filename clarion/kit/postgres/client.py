"""PostgreSQL's client programs for a server by URL: which to use, and how to tell them the password."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from clarion.errors import Misconfigured, Unavailable
from clarion.kit.postgres.binaries import Binaries, installed, version_of

# Where distributions keep one folder a version; `pg_dump` on the PATH may be a wrapper for any.
SYSTEM_FOLDERS = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/opt/postgresql*/bin")


@dataclass(frozen=True, slots=True)
class Facts:
    """What decides about client programs: the server's major version and whether we reached it by TLS."""

    major: int
    tls: bool

    @classmethod
    def of(cls, connection: psycopg.Connection[Any]) -> Facts:
        """The facts of the server behind a connection."""
        return cls(connection.info.server_version // 10000, bool(connection.pgconn.ssl_in_use))


def connect(url: str) -> psycopg.Connection[Any]:
    """A connection to `url`. Raises Unavailable when it cannot be had, Misconfigured when it is no URL."""
    try:
        return psycopg.connect(url, connect_timeout=30)
    except psycopg.ProgrammingError:  # its words repeat the URL, which may hold a password
        raise Misconfigured(
            "this is not the URL of a PostgreSQL", hint="Write postgresql://user:password@host/database."
        ) from None
    except psycopg.OperationalError as error:
        raise Unavailable(
            f"the database cannot be reached: {error}",
            hint="Is the server running, and is CLARION_DATABASE_URL right?",
        ) from error


def dump_programs(facts: Facts) -> Binaries:
    """Programs that can dump that server: not older than it, the same version where there is one.

    The wheel's are built without TLS: a connection that uses it needs the system's. Raises
    Misconfigured when none fits.
    """
    fitting = [one for one in _programs(facts) if one.major >= facts.major]
    if not fitting:
        why = "by TLS" if facts.tls else f"of version {facts.major}"
        raise Misconfigured(
            f"no pg_dump on this machine can dump a server {why}",
            hint=f"Install PostgreSQL's client programs (Debian: postgresql-client-{facts.major}).",
        )
    return min(fitting, key=lambda one: one.major)


def without_password(url: str) -> tuple[str, dict[str, str]]:
    """Connection words without the password, for an argument list that every user can see, and the
    environment that carries it."""
    words = conninfo_to_dict(url)
    password = words.pop("password", None)
    environment = dict(os.environ) | {"LC_ALL": "C"}  # the caller's PG… variables held for psycopg too
    if password:
        environment["PGPASSWORD"] = str(password)
    return make_conninfo("", **words), environment


def _programs(facts: Facts) -> Iterator[Binaries]:
    if not facts.tls:
        yield installed()
    folders = [folder for pattern in SYSTEM_FOLDERS for folder in Path("/").glob(pattern.lstrip("/"))]
    on_path = shutil.which("pg_dump")
    if on_path:
        folders.append(Path(on_path).parent)
    for folder in folders:
        if (folder / "pg_dump").exists():
            yield Binaries(folder, version_of(folder / "pg_dump"))
