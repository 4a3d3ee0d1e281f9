"""Consent: who said stop, by address and not by person, so that it covers everyone who shares a phone.

Events are only added; the state is what the last one said. An opt-out takes waiting messages out of the
queue in its own transaction, so that it cannot lose a race with the dispatch.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from clarion.kit.db import Connection, Row, rows
from clarion.store import event, withdraw


async def opt_out(
    connection: Connection,
    keys: Sequence[bytes],
    now: datetime,
    *,
    how: str,
    by: str = "",
    note: str = "",
) -> int:
    """Record that nothing more may go to these addresses (`identity.consent_hash`); withdraw what waits.

    Returns how many were not opted out before: only those get an event.
    """
    changed = await _say(connection, keys, "out", now, how, by, note)
    # also what waits for those who had opted out before: nothing may wait for them
    await withdraw.from_addresses(connection, list(dict.fromkeys(keys)), now)
    return changed


async def opt_in(
    connection: Connection,
    keys: Sequence[bytes],
    now: datetime,
    *,
    how: str,
    by: str = "",
    note: str = "",
) -> int:
    """Record that messages may go to these addresses again; what waits to confirm their opt-out does not go
    any more. Returns how many it changed."""
    await withdraw.farewells(connection, list(dict.fromkeys(keys)), now)
    return await _say(connection, keys, "in", now, how, by, note)


async def is_out(connection: Connection, key: bytes) -> bool:
    """Whether this address has opted out."""
    cursor = await connection.execute(
        """SELECT EXISTS (SELECT FROM consent
             WHERE workspace_id = clarion_workspace() AND consent_key = %s AND state = 'out')""",
        (key,),
    )
    found = await cursor.fetchone()
    return bool(found and found[0])


async def let_pass(connection: Connection, key: bytes, message_id: UUID) -> None:
    """Let one message pass the opt-out that this transaction has written: its confirmation, and no other.

    Whatever changes the consent of the address next takes that back. The intent looks at it, and so does
    everything else that keeps messages from who opted out.
    """
    await connection.execute(
        """UPDATE consent SET farewell_id = %s
           WHERE workspace_id = clarion_workspace() AND consent_key = %s AND state = 'out'""",
        (message_id, key),
    )


async def history(connection: Connection, keys: Sequence[bytes]) -> list[Row]:
    """What was said for these addresses, newest first: {consent_key, state, at, how, by, note}."""
    return await rows(
        connection,
        """SELECT consent_key, state, at, how, by, note FROM consent_event
           WHERE consent_key = ANY (%s::bytea[]) ORDER BY at DESC, id DESC""",
        (list(keys),),
    )


async def keys_of(connection: Connection, contact_id: UUID) -> list[bytes]:
    """The keys of all a contact's addresses, also of those that are not used any more."""
    cursor = await connection.execute(
        "SELECT DISTINCT consent_key FROM address WHERE contact_id = %s", (contact_id,)
    )
    return [bytes(found[0]) for found in await cursor.fetchall()]


async def of_contact(connection: Connection, contact_id: UUID, limit: int = 500) -> list[Row]:
    """What was said for a contact's addresses, newest first: {state, at, how, by, note, addresses}."""
    return await rows(
        connection,
        """SELECT e.state, e.at, e.how, e.by, e.note,
             array_agg(a.scheme || ':' || a.value ORDER BY a.position, a.scheme) AS addresses
           FROM address a JOIN consent_event e
             ON e.workspace_id = a.workspace_id AND e.consent_key = a.consent_key
           WHERE a.contact_id = %s GROUP BY e.id ORDER BY e.at DESC, e.id DESC LIMIT %s""",
        (contact_id, limit),
    )


async def opted_out(connection: Connection, contact_id: UUID) -> bool:
    """Whether any of the contact's addresses has opted out."""
    cursor = await connection.execute(
        """SELECT EXISTS (SELECT FROM address a JOIN consent o
             ON o.workspace_id = a.workspace_id AND o.consent_key = a.consent_key
             WHERE a.contact_id = %s AND o.state = 'out')""",
        (contact_id,),
    )
    found = await cursor.fetchone()
    return bool(found and found[0])


async def _say(
    connection: Connection, keys: Sequence[bytes], state: str, now: datetime, how: str, by: str, note: str
) -> int:
    wanted = sorted(set(keys))
    cursor = await connection.execute(
        """WITH said AS (
             INSERT INTO consent AS c (workspace_id, consent_key, state, at)
             SELECT clarion_workspace(), key, %(state)s, %(now)s
             FROM unnest(%(keys)s::bytea[]) AS k(key)
             ON CONFLICT (workspace_id, consent_key) DO UPDATE
             SET state = excluded.state, at = excluded.at, farewell_id = NULL
             WHERE c.state <> excluded.state
             RETURNING consent_key
           )
           INSERT INTO consent_event (id, workspace_id, consent_key, state, at, how, by, note)
           SELECT clarion_uuid7(%(now)s), clarion_workspace(), consent_key, %(state)s, %(now)s, %(how)s,
             %(by)s, %(note)s FROM said RETURNING id""",
        {
            "keys": wanted,
            "state": state,
            "now": now,
            "how": how,
            "by": by,
            "note": note,
        },
    )
    said = [found[0] for found in await cursor.fetchall()]
    await event.of_consent(connection, said, state, now)
    return len(said)
