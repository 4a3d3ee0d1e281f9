"""What `clarion doctor` looks at: whether rights, runs and what comes in are as they should be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from clarion.kit.db import Connection, Row, row, rows


@dataclass(frozen=True, slots=True)
class Login:
    """Who we are at the database. Row-level security holds only for a role with neither right."""

    session_user: str
    current_user: str
    superuser: bool
    bypasses_security: bool
    server: str


async def login(connection: Connection) -> Login:
    """The roles of this connection, and the server's version."""
    async with connection.cursor(row_factory=class_row(Login)) as cursor:
        await cursor.execute(
            """SELECT session_user::text AS session_user, current_user::text AS current_user,
                 rolsuper AS superuser, rolbypassrls AS bypasses_security,
                 current_setting('server_version') AS server
               FROM pg_roles WHERE rolname = current_user"""
        )
        found = await cursor.fetchone()
    assert found is not None
    return found


async def unprotected(connection: Connection) -> list[str]:
    """Tables with a workspace whose row-level security is off or not forced. There should be none."""
    found = await rows(
        connection,
        """SELECT c.relname AS name FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
           WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
             AND a.attname = 'workspace_id' AND NOT a.attisdropped
             AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
           ORDER BY c.relname""",
    )
    return [each["name"] for each in found]


async def long_transactions(connection: Connection, before: datetime) -> list[Row]:
    """Transactions of our roles begun before a moment, oldest first: {pid, name, since, state}."""
    return await rows(
        connection,
        """SELECT pid, application_name AS name, xact_start AS since, state FROM pg_stat_activity
           WHERE datname = current_database() AND xact_start < %s AND pid <> pg_backend_pid()
             AND backend_type = 'client backend' ORDER BY xact_start LIMIT 20""",
        (before,),
    )


async def overdue_runs(connection: Connection, before: datetime) -> list[Row]:
    """The workspace's runs that were due before a moment and are not expanded: {campaign_id, name, due_at,
    error}."""
    return await rows(
        connection,
        """SELECT r.campaign_id, c.name, r.due_at, r.error FROM run r JOIN campaign c ON c.id = r.campaign_id
           WHERE r.state IN ('planned', 'expanding') AND r.due_at < %s AND c.state <> 'paused'
           ORDER BY r.due_at LIMIT 20""",
        (before,),
    )


async def unknowns(connection: Connection) -> Row:
    """How many of the workspace's messages are unknown, and since when the oldest is: {n, since}."""
    found = await row(
        connection,
        """SELECT count(*) AS n, min(unknown_since) AS since FROM attempt
           WHERE workspace_id = clarion_workspace() AND unknown_since IS NOT NULL""",
    )
    return found or {"n": 0, "since": None}


async def unread(connection: Connection) -> Row:
    """Calls from providers that wait to be read, and how many could not be: {waiting, since, unreadable}."""
    found = await row(
        connection,
        """SELECT count(*) FILTER (WHERE done_at IS NULL) AS waiting,
             min(received_at) FILTER (WHERE done_at IS NULL) AS since,
             count(*) FILTER (WHERE problem IS NOT NULL) AS unreadable
           FROM inbox WHERE done_at IS NULL OR problem IS NOT NULL""",
    )
    return found or {"waiting": 0, "since": None, "unreadable": 0}
