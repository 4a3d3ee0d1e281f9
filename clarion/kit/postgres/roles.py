"""The database's roles, the same on the embedded server and on one given by URL (PostgreSQL 15+).

clarion_owner    owns the database and all in it, runs migrations; no superuser
clarion_app      what the application runs as: row-level security holds for it
clarion_definer  owns the few security-definer functions that look across workspaces; nobody logs in
clarion_backup   reads everything, for a dump; nobody logs in, the owner may take it
"""

from __future__ import annotations

from typing import Any, LiteralString

import psycopg
from psycopg import sql

from clarion.errors import Misconfigured

OWNER = "clarion_owner"
APP = "clarion_app"
DEFINER = "clarion_definer"
BACKUP = "clarion_backup"
EXTENSIONS: tuple[LiteralString, ...] = ("pg_trgm",)
OLDEST = 150000

_ATTRIBUTES: dict[str, LiteralString] = {
    OWNER: "LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB NOREPLICATION",
    APP: "LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB NOREPLICATION",
    DEFINER: "NOLOGIN NOSUPERUSER BYPASSRLS NOCREATEROLE NOCREATEDB NOREPLICATION",
    BACKUP: "NOLOGIN NOSUPERUSER BYPASSRLS NOCREATEROLE NOCREATEDB NOREPLICATION",
}
# (role, member, whether the member has its rights without SET ROLE)
_MEMBERS = (
    (APP, OWNER, True),
    (DEFINER, OWNER, False),
    (BACKUP, OWNER, False),
    ("pg_read_all_data", BACKUP, True),
)

Connection = psycopg.Connection[Any]


def ensure_roles(connection: Connection, passwords: dict[str, str] | None = None) -> None:
    """Make the roles, or set them right. Needs a superuser; running it again changes nothing.

    `passwords` by role name; None leaves the passwords as they are (a server given by URL, whose
    administrator sets them). Raises Misconfigured on a server older than PostgreSQL 15.
    """
    version = connection.info.server_version
    if version < OLDEST:
        raise Misconfigured(
            f"the database server is PostgreSQL {version // 10000}; Clarion needs 15 or newer",
            hint="Upgrade the server, or leave CLARION_DATABASE_URL unset to use the embedded one.",
        )
    with connection.transaction():
        for role, attributes in _ATTRIBUTES.items():
            _role(connection, role, attributes, (passwords or {}).get(role))
        for role, member, inherit in _MEMBERS:
            _membership(connection, role, member, inherit=inherit)


def ensure_database(connection: Connection, name: str) -> None:
    """Make the database `name`, owned by clarion_owner, unless it exists.

    `connection` is a superuser's, in autocommit, to another database.
    """
    if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
        create_database(connection, name)


def create_database(connection: Connection, name: str, template: str | None = None) -> None:
    """Make the database `name`, owned by clarion_owner, as a copy of `template` if one is named."""
    statement = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}")
    connection.execute(
        statement.format(sql.Identifier(name), sql.Identifier(OWNER), sql.Identifier(template or "template1"))
    )


def set_password(connection: Connection, role: str, password: str) -> None:
    """Set a role's password, hashed here, so that no statement that a server might log holds it."""
    hashed = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
    statement = sql.SQL("ALTER ROLE {} PASSWORD {}")
    connection.execute(statement.format(sql.Identifier(role), sql.Literal(hashed.decode())))


def ensure_database_rights(connection: Connection) -> None:
    """Inside the database, as superuser: extensions, the owner's schema, and nothing for everybody else."""
    name = sql.Identifier(connection.info.dbname)
    owner, app, definer = (sql.Identifier(role) for role in (OWNER, APP, DEFINER))
    with connection.transaction():
        connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))
        connection.execute(sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO {}").format(name, app))
        connection.execute(sql.SQL("ALTER SCHEMA public OWNER TO {}").format(owner))
        connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        connection.execute(sql.SQL("GRANT USAGE ON SCHEMA public TO {}, {}").format(app, definer))
        for extension in EXTENSIONS:
            connection.execute(
                sql.SQL("CREATE EXTENSION IF NOT EXISTS {} SCHEMA public").format(sql.Identifier(extension))
            )


def _role(connection: Connection, role: str, attributes: LiteralString, password: str | None) -> None:
    exists = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone()
    verb = sql.SQL("ALTER ROLE" if exists else "CREATE ROLE")
    connection.execute(sql.SQL("{} {} {}").format(verb, sql.Identifier(role), sql.SQL(attributes)))
    if password is not None:
        set_password(connection, role, password)


def _membership(connection: Connection, role: str, member: str, *, inherit: bool) -> None:
    statement: LiteralString = "GRANT {} TO {}"
    if connection.info.server_version >= 160000:
        statement += " WITH INHERIT TRUE, SET TRUE" if inherit else " WITH INHERIT FALSE, SET TRUE"
    connection.execute(sql.SQL(statement).format(sql.Identifier(role), sql.Identifier(member)))
