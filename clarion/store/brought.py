"""What came from a system that keeps people: which of its groups is which of ours, and how each person was
when they were last told of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from clarion.errors import Conflict
from clarion.kit.db import Connection, Row, array, rows, texts
from clarion.store import group
from clarion.store.writing import hashes


@dataclass(frozen=True, slots=True)
class Before:
    """Somebody who was told of. `status` is the system's word ("": they were not brought yet), `schemes` are
    those of their addresses there; erased ones were forgotten here."""

    status: str
    schemes: frozenset[str]
    erased: bool


async def before(connection: Connection, keys: Sequence[bytes]) -> dict[bytes, Before]:
    """Those of these identities (`identity.ID`) of whom anything is known here."""
    cursor = await connection.execute(
        """SELECT wanted.key, coalesce(b.status, ''), coalesce(b.schemes, ''),
             coalesce(c.status = 'erased', false)
           FROM unnest(%s::bytea[]) AS wanted(key)
           LEFT JOIN LATERAL (SELECT status, schemes FROM brought_contact
             WHERE workspace_id = clarion_workspace() AND key = wanted.key LIMIT 1) b ON true
           LEFT JOIN LATERAL (SELECT contact_id FROM identity
             WHERE workspace_id = clarion_workspace() AND key = wanted.key LIMIT 1) i ON true
           LEFT JOIN LATERAL (SELECT status FROM contact WHERE contact.id = i.contact_id LIMIT 1) c ON true
           WHERE b.status IS NOT NULL OR c.status IS NOT NULL""",
        (hashes(keys),),
        prepare=True,
    )
    return {
        bytes(key): Before(status, frozenset(schemes.split()), erased)
        for key, status, schemes, erased in await cursor.fetchall()
    }


async def remember(connection: Connection, told: Mapping[bytes, tuple[str, Iterable[str]]]) -> None:
    """How each person is now: the status, and the schemes of their addresses."""
    await connection.execute(
        """INSERT INTO brought_contact AS b (workspace_id, key, status, schemes)
           SELECT clarion_workspace(), * FROM unnest(%s::bytea[], %s::text[], %s::text[])
           ON CONFLICT (workspace_id, key) DO UPDATE
           SET status = excluded.status, schemes = excluded.schemes
           WHERE (b.status, b.schemes) <> (excluded.status, excluded.schemes)""",
        (
            hashes(told),
            texts([status for status, _ in told.values()]),
            texts([" ".join(sorted(schemes)) for _, schemes in told.values()]),
        ),
        prepare=True,
    )


async def retire(connection: Connection, lost: Sequence[tuple[UUID, str]]) -> set[UUID]:
    """These contacts have no address of these schemes any more; whose it changed."""
    cursor = await connection.execute(
        """UPDATE address SET status = 'retired' WHERE id = ANY (ARRAY(
             SELECT a.id FROM unnest(%s::uuid[], %s::text[]) AS lost(contact_id, scheme)
             CROSS JOIN LATERAL (SELECT id FROM address WHERE address.contact_id = lost.contact_id
               AND address.scheme = lost.scheme AND address.status = 'active' OFFSET 0) a))
           RETURNING contact_id""",
        (array(who.hex for who, _ in lost), texts([scheme for _, scheme in lost]) or "{}"),
    )
    return {found[0] for found in await cursor.fetchall()}


async def belong(
    connection: Connection, contact_ids: Sequence[UUID], memberships: Iterable[tuple[UUID, UUID]]
) -> set[UUID]:
    """Of the groups that were brought, these contacts are in these (contact, group) and in no others; whose
    it changed. Groups of our own are left as they are."""
    wanted = set(memberships)
    cursor = await connection.execute(
        """WITH wanted AS (SELECT * FROM unnest(%(members)s::uuid[], %(groups)s::uuid[]) AS w(member, place)),
             left_ones AS (
               DELETE FROM group_member m
               WHERE m.contact_id = ANY (%(all)s::uuid[])
                 AND m.group_id IN (SELECT group_id FROM brought_group)
                 AND (m.contact_id, m.group_id) NOT IN (SELECT member, place FROM wanted)
               RETURNING m.contact_id),
             joined AS (
               INSERT INTO group_member (workspace_id, group_id, contact_id)
               SELECT clarion_workspace(), place, member FROM wanted ON CONFLICT DO NOTHING
               RETURNING contact_id)
           SELECT contact_id FROM left_ones UNION SELECT contact_id FROM joined""",
        {
            "members": array(who.hex for who, _ in wanted),
            "groups": array(where.hex for _, where in wanted),
            "all": array(who.hex for who in contact_ids),
        },
    )
    return {found[0] for found in await cursor.fetchall()}


async def opted_out_by(connection: Connection, keys: Sequence[bytes], how: str) -> list[bytes]:
    """Those addresses that are opted out, and of which the last word was said in this way."""
    cursor = await connection.execute(
        """SELECT c.consent_key FROM unnest(%s::bytea[]) AS k(key)
           JOIN consent c ON c.workspace_id = clarion_workspace() AND c.consent_key = k.key
           CROSS JOIN LATERAL (SELECT how FROM consent_event e
             WHERE e.workspace_id = c.workspace_id AND e.consent_key = c.consent_key
             ORDER BY e.at DESC, e.id DESC LIMIT 1) said
           WHERE c.state = 'out' AND said.how = %s""",
        (hashes(keys), how),
    )
    return [bytes(found[0]) for found in await cursor.fetchall()]


# --- groups


async def groups(connection: Connection) -> dict[str, Row]:
    """Every group that was brought, by its source: {source, group_id, channel_id, name, seen_at, here (what
    it is called here; None: it was taken away)}."""
    found = await rows(
        connection,
        """SELECT b.source, b.group_id, b.channel_id, b.name, b.seen_at, g.name AS here
           FROM brought_group b LEFT JOIN contact_group g ON g.id = b.group_id ORDER BY b.source""",
    )
    return {one["source"]: one for one in found}


async def add_group(
    connection: Connection, source: str, name: str, suffix: str, channel_id: UUID, now: datetime
) -> str:
    """Make the group that stands for this one; what it is called here: as there, or with `suffix` where a
    group of our own has that name. Raises Invalid for a name that is none."""
    shown, made = await _made(connection, name, suffix, now)
    await connection.execute(
        """INSERT INTO brought_group (workspace_id, source, group_id, channel_id, name, seen_at)
           VALUES (clarion_workspace(), %s, %s, %s, %s, %s)
           ON CONFLICT (workspace_id, source) DO UPDATE SET group_id = excluded.group_id,
             channel_id = excluded.channel_id, name = excluded.name, seen_at = excluded.seen_at""",
        (source, made, channel_id, name, now),
    )
    return shown


async def _made(connection: Connection, name: str, suffix: str, now: datetime) -> tuple[str, UUID]:
    names = [name, f"{name} ({suffix})", *(f"{name} ({suffix} {number})" for number in range(2, 100))]
    for shown in names:
        try:
            return shown, await group.create(connection, shown, now)
        except Conflict:
            continue
    raise Conflict("a group of this name exists", where="group", hint="give the one here another name")


async def seen_groups(
    connection: Connection, names: Mapping[str, str], channel_id: UUID, now: datetime
) -> None:
    """These are there (source → what it is called there)."""
    await connection.execute(
        """UPDATE brought_group b SET name = s.name, seen_at = %s, channel_id = %s
           FROM unnest(%s::text[], %s::text[]) AS s(source, name) WHERE b.source = s.source""",
        (now, channel_id, list(names), list(names.values())),
    )


async def drop_unseen_groups(
    connection: Connection, channel_id: UUID, system: str, now: datetime, patience: timedelta
) -> list[str]:
    """Groups that are not there any more, for longer than lists may lag: nobody who came from there is in
    them now, and they are ours from now on. What they were called."""
    gone = await rows(
        connection,
        "DELETE FROM brought_group WHERE channel_id = %s AND seen_at < %s RETURNING group_id, name",
        (channel_id, now - patience),
    )
    await connection.execute(
        """DELETE FROM group_member m USING contact c WHERE m.group_id = ANY (%s::uuid[])
             AND c.id = m.contact_id AND starts_with(c.external_id, %s)""",
        ([one["group_id"] for one in gone], f"{system}:"),
    )
    return [one["name"] for one in gone]
