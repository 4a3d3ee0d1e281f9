"""The times that people choose, in their contacts; and whom a time that was written back is of.

Whoever writes here has taken their turn (`intake.take_turn`) before anything else was locked.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from psycopg.rows import args_row, tuple_row

from clarion.domain.message import cohort_of
from clarion.domain.replies import Spoken
from clarion.kit.db import Connection, array
from clarion.kit.ids import floor7
from clarion.store.writing import hashes


async def is_taken(connection: Connection) -> bool:
    """Whether any campaign of the workspace takes times by reply."""
    cursor = await connection.execute(
        """SELECT EXISTS (SELECT FROM campaign WHERE workspace_id = clarion_workspace() AND follows
             AND definition #> '{replies,time}' IS NOT NULL)""",
        prepare=True,
    )
    found = await cursor.fetchone()
    return bool(found and found[0])


async def put(
    connection: Connection, contact_ids: Sequence[UUID], key: str, time: str | None, now: datetime
) -> set[UUID]:
    """Keep a time ("18:30"; None: none) in a field of these contacts; those whom it changed. Who was erased
    or merged is left alone. What is to come moves as with every change of a contact."""
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(
            """WITH picked AS MATERIALIZED (
                 SELECT c.id FROM unnest(%(ids)s::uuid[]) AS k(id) CROSS JOIN LATERAL (
                   SELECT id, fields FROM contact WHERE id = k.id AND status = 'active'
                   LIMIT 1 FOR NO KEY UPDATE) c
                 WHERE c.fields->>%(key)s::text IS DISTINCT FROM %(time)s::text)
               UPDATE contact c SET modified_at = %(now)s, fields = CASE WHEN %(time)s::text IS NULL
                 THEN c.fields - %(key)s::text
                 ELSE c.fields || jsonb_build_object(%(key)s::text, %(time)s::text) END
               FROM picked p WHERE c.id = p.id RETURNING c.id""",
            {"ids": array(one.hex for one in sorted(contact_ids)), "key": key, "time": time, "now": now},
        )
        return {found[0] for found in await cursor.fetchall()}


async def gone(connection: Connection, contact_ids: Sequence[UUID]) -> dict[UUID, str]:
    """Those of these contacts who are not active, and what became of them: erased or merged."""
    cursor = await connection.execute(
        "SELECT id, status FROM contact WHERE id = ANY (%s::uuid[]) AND status <> 'active'",
        (list(contact_ids),),
    )
    return dict(await cursor.fetchall())


# Of everybody who has the address: each campaign's last try that may have been read there. What answers
# people is no campaign that they answer.
_SPOKEN = """
SELECT DISTINCT ON (e.campaign_id, e.case_id, d.contact_id) t.id, e.campaign_id, g.follows, g.replies,
  e.state, d.contact_id, d.id, d.consent_key, c.language, e.case_id, m.generation
FROM unnest(%(keys)s::bytea[]) AS k(key)
CROSS JOIN LATERAL (
  SELECT id, contact_id, consent_key FROM address
  WHERE workspace_id = clarion_workspace() AND consent_key = k.key AND scheme = ANY (%(schemes)s)
    AND status <> 'retired' OFFSET 0) d
CROSS JOIN LATERAL (
  SELECT language FROM contact WHERE contact.id = d.contact_id AND status = 'active' LIMIT 1) c
CROSS JOIN LATERAL (
  SELECT id, campaign_id, state, generation, cohort, case_id FROM enrollment
  WHERE subject_id = d.contact_id
  UNION ALL
  SELECT id, campaign_id, state, generation, cohort, case_id FROM enrollment
  WHERE contact_id = d.contact_id OFFSET 0) e
CROSS JOIN LATERAL (
  SELECT follows, definition->'replies' AS replies FROM campaign
  WHERE campaign.id = e.campaign_id AND kind <> 'courtesy' LIMIT 1) g
CROSS JOIN LATERAL (
  SELECT id, cohort, generation FROM message
  WHERE message.enrollment_id = e.id AND message.cohort = e.cohort AND message.expires_at > %(since)s
  UNION ALL
  SELECT id, cohort, generation FROM message WHERE e.generation > 1 AND message.enrollment_id = e.id
    AND message.cohort < e.cohort AND message.expires_at > %(since)s) m
CROSS JOIN LATERAL (
  SELECT id FROM attempt WHERE attempt.message_id = m.id AND attempt.cohort = m.cohort AND attempt.effective
    AND attempt.address_id = d.id AND attempt.channel_id = %(channel)s
    AND attempt.id >= %(first)s AND attempt.id < %(last)s LIMIT 1) t
ORDER BY e.campaign_id, e.case_id, d.contact_id, t.id DESC
"""


async def spoken(
    connection: Connection,
    channel_id: UUID,
    consent_keys: Sequence[bytes],
    schemes: Sequence[str],
    since: datetime,
    until: datetime,
) -> list[Spoken]:
    """What campaigns said last to whoever has one of these addresses (`identity.consent_hash`) under one of
    the channel's `schemes`, over this channel, from `since` to before `until`: one for each campaign and
    person, and of an alert each case."""
    async with connection.cursor(row_factory=args_row(Spoken)) as cursor:
        await cursor.execute(
            _SPOKEN,
            {
                "channel": channel_id, "keys": hashes(set(consent_keys)), "schemes": list(schemes),
                "since": since, "first": floor7(since), "last": floor7(until),
            },
        )  # fmt: skip
        return await cursor.fetchall()


async def confirmed(
    connection: Connection, campaign_id: UUID, step: int, contact_id: UUID, now: datetime
) -> int:
    """How often somebody was answered by this step of a channel's courtesies within a day."""
    cursor = await connection.execute(
        """SELECT count(*) FROM enrollment e CROSS JOIN LATERAL (
             SELECT FROM message WHERE message.enrollment_id = e.id AND message.cohort >= %(first)s
               AND message.step_id = %(step)s AND message.due_at > %(since)s) m
           WHERE e.campaign_id = %(campaign)s AND e.subject_id = %(contact)s""",
        {
            "campaign": campaign_id, "contact": contact_id, "step": step, "since": now - timedelta(days=1),
            "first": cohort_of(now - timedelta(days=1)),
        },
    )  # fmt: skip
    found = await cursor.fetchone()
    return int(found[0]) if found else 0
