"""Two contacts turn out to be one person: everything of the one becomes the other's."""

from __future__ import annotations

from datetime import datetime
from typing import LiteralString
from uuid import UUID

from clarion.errors import Conflict, NotFound
from clarion.kit.db import Connection, rows
from clarion.store import intake, spoken, withdraw

# In this order: what finds messages by their enrollment comes before enrollments move.
_STEPS: tuple[LiteralString, ...] = (
    # What still waits goes to the same place, and speaks to the person by the name that is kept.
    """UPDATE queue q SET contact_id = %(winner)s FROM enrollment e, message m
       WHERE (e.subject_id = %(loser)s OR e.contact_id = %(loser)s)
         AND m.enrollment_id = e.id AND m.state = 'ready'
         AND q.lane_id = m.lane_id AND q.due_at = m.due_at AND q.message_id = m.id""",
    # Who was enrolled as the one is enrolled as the other, so that no campaign speaks to them again.
    """UPDATE enrollment e SET subject_id = %(winner)s
       WHERE e.subject_id = %(loser)s AND NOT EXISTS (
         SELECT FROM enrollment w WHERE w.campaign_id = e.campaign_id AND w.subject_id = %(winner)s)""",
    # The same of each case of an alert (`domain.enrollment.subject_of`).
    """UPDATE enrollment e SET contact_id = %(winner)s, subject_id = encode(
         substr(uuid_send(e.case_id), 1, 8)
         || substr(sha256(uuid_send(e.case_id) || uuid_send(%(winner)s)), 1, 8), 'hex')::uuid
       WHERE e.contact_id = %(loser)s AND NOT EXISTS (
         SELECT FROM enrollment w WHERE w.campaign_id = e.campaign_id AND w.case_id = e.case_id
           AND w.contact_id = %(winner)s)""",
    # What they replied to.
    """UPDATE replied r SET contact_id = %(winner)s WHERE r.contact_id = %(loser)s AND NOT EXISTS (
         SELECT FROM replied w WHERE w.campaign_id = r.campaign_id AND w.case_id = r.case_id
           AND w.contact_id = %(winner)s)""",
    # The same where another system speaks to them.
    """UPDATE pushed_person p SET contact_id = %(winner)s
       WHERE p.contact_id = %(loser)s AND NOT EXISTS (
         SELECT FROM pushed_person w WHERE w.campaign_id = p.campaign_id AND w.contact_id = %(winner)s)""",
    """INSERT INTO frozen_audience (workspace_id, campaign_id, contact_id)
       SELECT workspace_id, campaign_id, %(winner)s FROM frozen_audience WHERE contact_id = %(loser)s
       ON CONFLICT DO NOTHING""",
    "UPDATE identity SET contact_id = %(winner)s WHERE contact_id = %(loser)s",
    """UPDATE address w SET last_inbound_at = greatest(w.last_inbound_at, l.last_inbound_at),
         last_channel_id = CASE WHEN w.last_inbound_at >= l.last_inbound_at THEN w.last_channel_id
                           ELSE l.last_channel_id END
       FROM address l WHERE w.contact_id = %(winner)s AND l.contact_id = %(loser)s
         AND l.scheme = w.scheme AND l.value = w.value AND l.last_inbound_at IS NOT NULL""",
    """UPDATE address w SET window_at = l.window_at, window_channel_id = l.window_channel_id
       FROM address l WHERE w.contact_id = %(winner)s AND l.contact_id = %(loser)s AND l.scheme = w.scheme
         AND l.value = w.value AND (w.window_at IS NULL OR l.window_at > w.window_at)""",
    # An address that both have stays with the loser, retired: messages may still point to it.
    """UPDATE address SET status = 'retired' WHERE contact_id = %(loser)s AND status = 'active'
         AND (scheme, value) IN (SELECT scheme, value FROM address WHERE contact_id = %(winner)s)""",
    """UPDATE address l SET contact_id = %(winner)s, position = l.position + 1 + coalesce(
         (SELECT max(w.position) FROM address w WHERE w.contact_id = %(winner)s), 0)
       WHERE l.contact_id = %(loser)s AND NOT EXISTS (SELECT FROM address w
         WHERE w.contact_id = %(winner)s AND w.scheme = l.scheme AND w.value = l.value)""",
    """INSERT INTO invalid_address (workspace_id, contact_id, raw, reason, created_at)
       SELECT workspace_id, %(winner)s, raw, reason, created_at FROM invalid_address
       WHERE contact_id = %(loser)s ON CONFLICT DO NOTHING""",
    "DELETE FROM invalid_address WHERE contact_id = %(loser)s",
    """INSERT INTO group_member (workspace_id, group_id, contact_id)
       SELECT workspace_id, group_id, %(winner)s FROM group_member WHERE contact_id = %(loser)s
       ON CONFLICT DO NOTHING""",
    "DELETE FROM group_member WHERE contact_id = %(loser)s",
    """INSERT INTO case_contact (workspace_id, case_id, role, contact_id)
       SELECT workspace_id, case_id, role, %(winner)s FROM case_contact WHERE contact_id = %(loser)s
       ON CONFLICT DO NOTHING""",
    "DELETE FROM case_contact WHERE contact_id = %(loser)s",
    "UPDATE inbound SET contact_id = %(winner)s WHERE contact_id = %(loser)s",
    # One external id at a time: the index is unique.
    "UPDATE contact SET external_id = NULL WHERE id = %(loser)s",
    """UPDATE contact w SET external_id = coalesce(w.external_id, %(external_id)s),
         name = coalesce(nullif(w.name, ''), l.name),
         folded_name = coalesce(nullif(w.folded_name, ''), l.folded_name),
         language = coalesce(w.language, l.language), country = coalesce(w.country, l.country),
         timezone = coalesce(w.timezone, l.timezone), fields = l.fields || w.fields,
         channel_id = coalesce(w.channel_id, l.channel_id), modified_at = %(now)s
       FROM contact l WHERE w.id = %(winner)s AND l.id = %(loser)s""",
    """UPDATE contact SET status = 'merged', merged_into = %(winner)s, modified_at = %(now)s
       WHERE id = %(loser)s""",
    # Always one step from who they were to who they are.
    "UPDATE contact SET merged_into = %(winner)s WHERE merged_into = %(loser)s",
)


async def merge(connection: Connection, winner: UUID, loser: UUID, now: datetime) -> int:
    """Make `loser` the same person as `winner`, whose own data goes before; how many waiting messages
    were skipped as `duplicate_person`, since the winner has one in the same run.

    Raises NotFound, and Conflict when they are one already or one of them is no active contact.
    """
    if winner == loser:
        raise Conflict("a contact cannot be merged with itself", where="contact")
    await intake.take_turn(connection)
    await spoken.merge(connection, winner, loser)  # first, as an intent does
    found = await rows(
        connection,
        "SELECT id, status, external_id FROM contact WHERE id = ANY (%s) ORDER BY id FOR UPDATE",
        ([winner, loser],),
    )
    if len(found) != 2:
        raise NotFound("there is no such contact", where="contact")
    if any(one["status"] != "active" for one in found):
        raise Conflict(
            "one of them was erased or merged already", where="contact", hint="merge contacts that are active"
        )
    external_id = next(one["external_id"] for one in found if one["id"] == loser)
    withdrawn = await withdraw.from_second_self(connection, loser, winner, now)
    values = {"winner": winner, "loser": loser, "external_id": external_id, "now": now}
    for step in _STEPS:
        await connection.execute(step, values)
    return withdrawn
