"""Messages as they are read: one, a page of a campaign's, a person's; with their tries.

Nothing here writes. A row of a message is {id, cohort, run_id, campaign_id, contact_id, external_id,
name, scheme, address, channel, state, reason, tries, due_at, expires_at, settled_at, delivered_at, read_at,
in_flight, code, detail, provider_id}; the last three are of its last try, `channel` is the name of the one
where it is or ended. Of a person who was erased there is no name and no address.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import LiteralString
from uuid import UUID

from clarion.errors import NotFound
from clarion.kit.db import Connection, Row, row, rows
from clarion.store.ordered import keep_order

_COLUMNS: LiteralString = """m.id, m.cohort, m.run_id, m.campaign_id, m.contact_id, m.lane_id,
  m.content_version_id, m.state::text, m.reason, m.tries, m.due_at, m.expires_at, m.settled_at,
  m.delivered_at, m.read_at, c.external_id, coalesce(c.name, '') AS name, c.status AS contact_status,
  d.scheme, d.value AS address, v.channel, coalesce(t.state = 'in_flight', false) AS in_flight, t.code,
  t.detail, t.provider_id"""

# Look-ups by key for each row shown, whatever the statistics say.
_BESIDE: LiteralString = """
LEFT JOIN LATERAL (SELECT external_id, name, status FROM contact WHERE contact.id = m.contact_id LIMIT 1) c
  ON true
LEFT JOIN LATERAL (SELECT scheme, value FROM address WHERE address.id = m.address_id LIMIT 1) d ON true
LEFT JOIN LATERAL (
  SELECT channel.name AS channel FROM lane JOIN channel ON channel.id = lane.channel_id
  WHERE lane.id = m.lane_id AND m.reason IS DISTINCT FROM 'no_route' LIMIT 1) v ON true
LEFT JOIN LATERAL (
  SELECT a.state, a.code, a.detail, a.provider_id FROM attempt a
  WHERE a.message_id = m.id AND a.cohort = m.cohort ORDER BY a.id DESC LIMIT 1) t ON true"""

_OF_ENROLLMENT: LiteralString = """SELECT message.*, e.campaign_id,
    coalesce(e.contact_id, e.subject_id) AS contact_id
  FROM message WHERE message.enrollment_id = e.id AND message.cohort = e.cohort"""

# Of earlier generations, which may have begun in earlier months.
_OF_BEFORE: LiteralString = """SELECT message.*, e.campaign_id,
    coalesce(e.contact_id, e.subject_id) AS contact_id
  FROM message WHERE e.generation > 1 AND message.enrollment_id = e.id AND message.cohort < e.cohort"""


async def get(connection: Connection, message_id: UUID) -> Row:
    """One message, with `campaign`, its name. Raises NotFound."""
    found = await row(
        connection,
        "SELECT " + _COLUMNS + """, g.name AS campaign, g.kind FROM (
             SELECT m.*, e.campaign_id, coalesce(e.contact_id, e.subject_id) AS contact_id
             FROM message m JOIN enrollment e ON e.id = m.enrollment_id WHERE m.id = %s) m"""
        + _BESIDE + " JOIN campaign g ON g.id = m.campaign_id",
        (message_id,),
    )  # fmt: skip
    if found is None:
        raise NotFound("there is no such message", where="message")
    return found


async def of_campaign(
    connection: Connection,
    campaign_id: UUID,
    *,
    states: Sequence[str] = (),
    reasons: Sequence[str] = (),
    after: UUID | None = None,
    limit: int = 100,
    run_id: UUID | None = None,
) -> list[Row]:
    """A campaign's messages in the order of its people (`contact_id`), after a person: the last of each, of
    one run or of all."""
    await keep_order(connection)
    return await rows(
        connection,
        "SELECT " + _COLUMNS
        + " FROM (SELECT m.* FROM enrollment e CROSS JOIN LATERAL (" + _OF_ENROLLMENT + """
             AND (%(states)s::message_state[] = '{}' OR message.state = ANY (%(states)s::message_state[]))
             AND (%(reasons)s::text[] = '{}' OR message.reason = ANY (%(reasons)s::text[]))
             AND (%(run)s::uuid IS NULL OR message.run_id = %(run)s)
             ORDER BY message.id DESC LIMIT 1) m
           WHERE e.campaign_id = %(campaign)s
             AND e.subject_id > coalesce(%(after)s, '00000000-0000-0000-0000-000000000000'::uuid)
           ORDER BY e.subject_id LIMIT %(limit)s) m"""
        + _BESIDE + " ORDER BY m.contact_id",
        {
            "campaign": campaign_id, "states": list(states), "reasons": list(reasons), "after": after,
            "limit": limit, "run": run_id,
        },
    )  # fmt: skip


async def of_contact(connection: Connection, contact_id: UUID, limit: int = 20) -> list[Row]:
    """A person's last messages, newest first, with the name and kind of their campaigns."""
    return await rows(
        connection,
        "SELECT " + _COLUMNS + """, g.name AS campaign, g.kind
           FROM (SELECT m.* FROM enrollment e CROSS JOIN LATERAL (""" + _OF_ENROLLMENT
        + " UNION ALL " + _OF_BEFORE + """) m
             WHERE e.subject_id = %(contact)s OR e.contact_id = %(contact)s
             ORDER BY m.id DESC LIMIT %(limit)s) m"""
        + _BESIDE + " JOIN campaign g ON g.id = m.campaign_id ORDER BY m.id DESC",
        {"contact": contact_id, "limit": limit},
    )  # fmt: skip


async def of_enrollments(connection: Connection, enrollment_ids: Sequence[UUID], limit: int) -> list[Row]:
    """The last messages of each of these, newest first, with {enrollment_id, generation, iteration, step}."""
    return await rows(
        connection,
        "SELECT " + _COLUMNS + """, m.enrollment_id, m.generation, m.iteration, m.step_id AS step
           FROM (SELECT m.* FROM unnest(%s::uuid[]) AS w(id)
             CROSS JOIN LATERAL (SELECT * FROM enrollment WHERE enrollment.id = w.id LIMIT 1) e
             CROSS JOIN LATERAL (SELECT * FROM (""" + _OF_ENROLLMENT + " UNION ALL " + _OF_BEFORE + """) u
               ORDER BY u.due_at DESC, u.id DESC LIMIT %s) m) m"""
        + _BESIDE + " ORDER BY m.due_at DESC, m.id DESC",
        (list(enrollment_ids), limit),
    )  # fmt: skip


async def several(connection: Connection, message_ids: Sequence[UUID]) -> dict[UUID, Row]:
    """These messages by id, with the name and kind of their campaigns."""
    found = await rows(
        connection,
        "SELECT " + _COLUMNS + """, g.name AS campaign, g.kind FROM unnest(%s::uuid[]) AS w(id)
           CROSS JOIN LATERAL (
             SELECT m.*, e.campaign_id, coalesce(e.contact_id, e.subject_id) AS contact_id
             FROM message m JOIN enrollment e ON e.id = m.enrollment_id WHERE m.id = w.id LIMIT 1) m"""
        + _BESIDE + " JOIN campaign g ON g.id = m.campaign_id",
        (list(message_ids),),
    )  # fmt: skip
    return {one["id"]: one for one in found}


async def tries(connection: Connection, message_id: UUID, cohort: date) -> list[Row]:
    """Every try at a message, in order: {id, channel, state, effective, worker_id, unknown_since,
    address_id, provider_id, code, detail, settled_at}. When it began is in the id (`ids.made_at`)."""
    return await rows(
        connection,
        """SELECT a.id, c.name AS channel, a.state::text, a.effective, a.worker_id, a.unknown_since,
             a.address_id, a.provider_id, a.code, a.detail, a.settled_at
           FROM attempt a LEFT JOIN channel c ON c.id = a.channel_id
           WHERE a.message_id = %s AND a.cohort = %s ORDER BY a.id""",
        (message_id, cohort),
    )


async def place(connection: Connection, message_id: UUID) -> Row | None:
    """Where a message that waits stands: {due_at, expires_at, tries, lane_state, lane_reason,
    channel_state, channel_reason, opted_out, awaits (the address that must write first, or who lacks a
    value)}; None when it is not in the queue."""
    return await row(
        connection,
        """SELECT q.due_at, q.expires_at, q.tries, q.awaits, l.state AS lane_state, l.reason AS lane_reason,
             c.state AS channel_state, c.reason AS channel_reason,
             EXISTS (SELECT FROM consent o WHERE o.workspace_id = q.workspace_id
                     AND o.consent_key = q.consent_key AND o.state = 'out'
                     AND o.farewell_id IS DISTINCT FROM q.message_id) AS opted_out
           FROM message m
           JOIN queue q ON q.lane_id = m.lane_id AND q.due_at = m.due_at AND q.message_id = m.id
           JOIN lane l ON l.id = q.lane_id JOIN channel c ON c.id = l.channel_id WHERE m.id = %s""",
        (message_id,),
    )
