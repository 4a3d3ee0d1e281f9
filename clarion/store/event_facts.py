"""What events tell, put together when they are told: by then an erased person is known by nothing but the
contact's identifier, and what they wrote is gone (such an event has no facts, and is told no more).

Each function answers rows by the subject's identifier, shaped as `domain.event` has them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from clarion.kit.db import Connection, Row, rows

MOST_CONTACTS = 100


async def messages(connection: Connection, wanted: Sequence[tuple[UUID, date]]) -> dict[UUID, Row]:
    """Messages (id, cohort). Their state and reason are the event's, not these."""
    found = await rows(
        connection,
        """SELECT m.id AS message_id, m.due_at, e.campaign_id, g.name AS campaign, g.kind, l.channel_id,
             e.contact_id, c.external_id, t.code
           FROM unnest(%s::uuid[], %s::date[]) AS w(id, cohort)
           CROSS JOIN LATERAL (SELECT id, cohort, enrollment_id, lane_id, due_at FROM message
             WHERE message.id = w.id AND message.cohort = w.cohort LIMIT 1) m
           CROSS JOIN LATERAL (
             SELECT campaign_id, coalesce(contact_id, subject_id) AS contact_id FROM enrollment
             WHERE enrollment.id = m.enrollment_id LIMIT 1) e
           CROSS JOIN LATERAL (SELECT name, kind FROM campaign WHERE campaign.id = e.campaign_id LIMIT 1) g
           CROSS JOIN LATERAL (SELECT channel_id FROM lane WHERE lane.id = m.lane_id LIMIT 1) l
           LEFT JOIN LATERAL (SELECT external_id FROM contact
             WHERE contact.id = e.contact_id LIMIT 1) c ON true
           LEFT JOIN LATERAL (SELECT code FROM attempt a
             WHERE a.message_id = m.id AND a.cohort = m.cohort ORDER BY a.id DESC LIMIT 1) t ON true""",
        ([id for id, _ in wanted], [cohort for _, cohort in wanted]),
    )
    return {one["message_id"]: one for one in found}


async def inbound(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, Row]:
    """Messages in, except of people who were erased since."""
    found = await rows(
        connection,
        """SELECT i.id AS inbound_id, i.channel_id, i.contact_id, c.external_id, i.text, i.payload, i.meaning
           FROM inbound i LEFT JOIN contact c ON c.id = i.contact_id
           WHERE i.id = ANY (%s) AND i.address <> ''""",
        (list(ids),),
    )
    return {one["inbound_id"]: one for one in found}


async def consents(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, Row]:
    """Entries of the consent ledger, with who has the address now."""
    found = await rows(
        connection,
        """SELECT o.id, o.state, o.how, coalesce(p.contacts, '[]') AS contacts FROM consent_event o
           LEFT JOIN LATERAL (
             SELECT jsonb_agg(jsonb_build_object('contact_id', x.id, 'external_id', x.external_id))
               AS contacts
             FROM (SELECT DISTINCT c.id, c.external_id FROM address a JOIN contact c ON c.id = a.contact_id
                   WHERE a.workspace_id = o.workspace_id AND a.consent_key = o.consent_key
                   ORDER BY c.id LIMIT %s) x) p ON true
           WHERE o.id = ANY (%s)""",
        (MOST_CONTACTS, list(ids)),
    )
    return {one["id"]: one for one in found}


async def campaigns(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, Row]:
    """Campaigns. Their state and reason are the event's, not these."""
    found = await rows(
        connection,
        "SELECT id AS campaign_id, kind, name, send_at FROM campaign WHERE id = ANY (%s)",
        (list(ids),),
    )
    return {one["campaign_id"]: one for one in found}


async def channels(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, Row]:
    """Channels. Their state and reason are the event's, not these."""
    found = await rows(
        connection, "SELECT id AS channel_id, name, provider FROM channel WHERE id = ANY (%s)", (list(ids),)
    )
    return {one["channel_id"]: one for one in found}


async def subscriptions(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, Row]:
    """Subscriptions, for their tests."""
    found = await rows(
        connection, "SELECT id AS subscription_id, name FROM subscription WHERE id = ANY (%s)", (list(ids),)
    )
    return {one["subscription_id"]: one for one in found}
