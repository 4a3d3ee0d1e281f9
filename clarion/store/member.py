"""Members: the people who run a workspace."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from clarion.errors import Conflict, NotFound
from clarion.kit.db import Connection, Row, row, rows


async def create(
    connection: Connection,
    member_id: UUID,
    workspace_id: UUID,
    *,
    name: str,
    email: str,
    role: str,
    now: datetime,
) -> None:
    """Add a member. Raises Conflict when the workspace has one with that e-mail address."""
    done = await connection.execute(
        """INSERT INTO member (id, workspace_id, name, email, role, created_at)
           VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (workspace_id, email) DO NOTHING""",
        (member_id, workspace_id, name, email.lower(), role, now),
    )
    if done.rowcount == 0:
        raise Conflict("a member with this e-mail address is there already", where="email")


async def get(connection: Connection, member_id: UUID) -> Row:
    """One member. Raises NotFound."""
    found = await row(
        connection, "SELECT id, name, email, role, created_at FROM member WHERE id = %s", (member_id,)
    )
    if found is None:
        raise NotFound("there is no such member")
    return found


async def page(connection: Connection, after: UUID | None, limit: int) -> list[Row]:
    """Members in the order they were added, after the given one."""
    return await rows(
        connection,
        """SELECT id, name, email, role, created_at FROM member
           WHERE (%(after)s::uuid IS NULL OR id > %(after)s)
           ORDER BY id LIMIT %(limit)s""",
        {"after": after, "limit": limit},
    )


async def change(connection: Connection, member_id: UUID, *, name: str | None, role: str | None) -> None:
    """Another name or role; None leaves it. Raises NotFound."""
    done = await connection.execute(
        "UPDATE member SET name = coalesce(%s, name), role = coalesce(%s, role) WHERE id = %s",
        (name, role, member_id),
    )
    if done.rowcount == 0:
        raise NotFound("there is no such member")


async def remove(connection: Connection, member_id: UUID) -> None:
    """Take a member away. Raises NotFound."""
    done = await connection.execute("DELETE FROM member WHERE id = %s", (member_id,))
    if done.rowcount == 0:
        raise NotFound("there is no such member")
