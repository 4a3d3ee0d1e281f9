"""Moving on what did not arrive: the same message, ready again in the queue of a lane further on.

What is noted (`store.fallback`) is locked, moved and seen to in one transaction. The message is read again
under its lock: what has been delivered meanwhile stays.

Locks are taken as elsewhere: attempts, each with its message, in the order of the attempts; then lanes; and
the notes last, since an intent notes under the lock of its lane.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import LiteralString
from uuid import UUID

from psycopg.errors import UniqueViolation
from psycopg.rows import class_row, tuple_row

from clarion.kit.db import Connection, array
from clarion.store import tally
from clarion.store.cohort import within
from clarion.store.fallback import FELL, UNREACHED, Fallen
from clarion.store.ordered import keep_order


class Crossed(Exception):
    """Somebody else of the run was given the same address in this very moment. Nothing is written: do the
    transaction again."""


@dataclass(frozen=True, slots=True)
class Moved:
    """Whose message is ready again over another channel, and of which run."""

    message_id: UUID
    run_id: UUID
    lane_id: UUID


# In the order of settling and of receipts: by attempt, each with its message. What waits is left
# alone, and not waited for; so is what is being tried, though it had ended: a second row of the queue, of a
# retry pressed twice, may have begun meanwhile.
_ENDED: LiteralString = """t.state <> 'ready' AND NOT EXISTS (
    SELECT FROM {attempt} f WHERE f.message_id = t.id AND f.effective AND f.state = 'in_flight')"""
_LOCK_TRIED: LiteralString = f"""
SELECT DISTINCT m.id FROM (
  SELECT a.id, a.message_id FROM unnest(%(id)s::uuid[]) AS s(id) CROSS JOIN LATERAL (
    SELECT t.id, t.message_id FROM {{attempt}} t WHERE t.message_id = s.id OFFSET 0) a ORDER BY a.id) w
CROSS JOIN LATERAL (SELECT t.id FROM {{attempt}} t WHERE t.id = w.id LIMIT 1 FOR NO KEY UPDATE) a
CROSS JOIN LATERAL (
  SELECT t.id FROM {{message}} t WHERE t.id = w.message_id AND {_ENDED}
  LIMIT 1 FOR NO KEY UPDATE) m
"""
_LOCK_UNTRIED: LiteralString = f"""
SELECT m.id FROM (SELECT id FROM unnest(%(id)s::uuid[]) AS s(id) ORDER BY id) w
CROSS JOIN LATERAL (
  SELECT t.id FROM {{message}} t WHERE t.id = w.id AND {_ENDED} LIMIT 1 FOR NO KEY UPDATE) m
"""

# Of each message the first address that a lane further on reaches, where its person wants to hear there. Who
# asked for no more at the present address is left alone.
_MOVE: LiteralString = (
    """
WITH picked AS MATERIALIZED (
  SELECT m.*, m.recipient_key AS contact_id
  FROM unnest(%(id)s::uuid[]) AS s(id) CROSS JOIN LATERAL (
    SELECT t.*, t.ctid AS place FROM {message} t
    WHERE t.id = s.id AND t.lane_id = %(lane)s AND t.expires_at > %(now)s AND ("""
    + FELL
    + """ OR t.state IN ('accepted', 'unknown') AND EXISTS (
        SELECT FROM fallback f WHERE f.message_id = t.id AND f.lane_id = t.lane_id AND f.late
          AND f.due_at <= %(now)s))
    LIMIT 1) m
  LEFT JOIN LATERAL (
    SELECT true AS stopped FROM address a CROSS JOIN LATERAL (
      SELECT FROM consent o WHERE o.workspace_id = clarion_workspace()
        AND o.consent_key = a.consent_key AND o.state = 'out' LIMIT 1) o
    WHERE a.id = m.address_id LIMIT 1) c ON true
  WHERE c.stopped IS NULL
), reach AS MATERIALIZED (
  SELECT p.id, p.place, p.run_id, p.once_key, p.contact_id, p.content_version_id, p.expires_at, a.lane_id,
    a.address_id, a.consent_key, t.variables,
    row_number() OVER (PARTITION BY p.run_id, a.consent_key ORDER BY p.id) AS nth
  FROM picked p
  CROSS JOIN LATERAL (
    SELECT FROM contact c WHERE c.id = p.contact_id AND c.status NOT IN ('erased', 'merged') LIMIT 1) c
  CROSS JOIN LATERAL (
    SELECT n.lane_id, d.id AS address_id, d.consent_key
    FROM unnest(%(lanes)s::uuid[], %(schemes)s::text[]) WITH ORDINALITY AS n(lane_id, scheme, place)
    JOIN address d ON d.contact_id = p.contact_id AND d.scheme = n.scheme AND d.status = 'active'
    LEFT JOIN LATERAL (
      SELECT true AS stopped FROM consent o WHERE o.workspace_id = clarion_workspace()
        AND o.consent_key = d.consent_key AND o.state = 'out' LIMIT 1) o ON true
    WHERE o.stopped IS NULL
    ORDER BY n.place, d.position, d.id LIMIT 1) a
  LEFT JOIN LATERAL (
    SELECT t.variables FROM {attempt} t WHERE t.message_id = p.id ORDER BY t.number DESC LIMIT 1) t ON true
), going AS MATERIALIZED (
  -- where a run is one-an-address, nobody else of it may have this one
  SELECT * FROM reach r WHERE r.once_key IS NULL AND NOT %(once)s OR r.nth = 1 AND NOT EXISTS (
    SELECT FROM {message} o WHERE o.run_id = r.run_id AND o.once_key = r.consent_key AND o.id <> r.id)
), moved AS (
  UPDATE {message} m SET was = m.state, was_reason = m.reason, state = 'ready', reason = NULL, tries = 0,
    due_at = %(now)s, settled_at = NULL, lane_id = g.lane_id, address_id = g.address_id,
    once_key = CASE WHEN %(once)s THEN g.consent_key END
  FROM going g WHERE m.ctid = g.place
  RETURNING m.id, m.run_id, m.was, m.was_reason, m.state, m.reason, m.lane_id, m.content_version_id,
    m.expires_at, m.address_id, g.contact_id, g.consent_key, g.variables
), freed AS (
  -- that try stands no longer: the provider says that it did not arrive, or the campaign allows two;
  -- one that has just begun does, and lets no other begin beside it
  UPDATE {attempt} a SET effective = false, unknown_since = NULL, detail = %(detail)s,
    state = CASE WHEN m.was = 'accepted' THEN a.state ELSE 'settled_not_sent' END
  FROM moved m CROSS JOIN LATERAL (
    SELECT t.ctid AS place FROM {attempt} t
    WHERE t.message_id = m.id AND t.effective AND t.state <> 'in_flight' LIMIT 1) t
  WHERE a.ctid = t.place
), queued AS (
  INSERT INTO queue (lane_id, due_at, message_id, cohort, workspace_id, contact_id, address_id,
    consent_key, content_version_id, expires_at, variables)
  SELECT m.lane_id, %(now)s, m.id, %(cohort)s, clarion_workspace(), m.contact_id, m.address_id,
    m.consent_key, m.content_version_id, m.expires_at, m.variables
  FROM moved m
), counted AS ("""
    + tally.ADD
    + """)
SELECT id AS message_id, run_id, lane_id FROM moved
"""
)
DETAIL = "it did not arrive; it went on over the next channel"


async def lock(connection: Connection, fallen: Sequence[Fallen]) -> set[UUID]:
    """Keep messages of one cohort as they are until the transaction ends; those that are not waiting."""
    await keep_order(connection)
    locked: set[UUID] = set()
    ids = {"id": array(one.message_id.hex for one in fallen)}
    async with connection.cursor(row_factory=tuple_row) as cursor:
        for statement in (_LOCK_TRIED, _LOCK_UNTRIED):
            await cursor.execute(within(statement, fallen[0].cohort), ids)
            locked.update(found[0] for found in await cursor.fetchall())
    return locked


async def move(
    connection: Connection,
    fallen: Sequence[Fallen],
    locked: Iterable[UUID],
    onward: Sequence[tuple[UUID, str]],
    now: datetime,
    *,
    once_an_address: bool,
) -> list[Moved]:
    """Put messages of one lane and cohort into the queue of a lane further on; those that went.

    `onward` are (lane, scheme) pairs, the preferred first. Only what is `locked` goes. The others stay as
    they ended: nobody is to be reached further on, they arrived after all, or their time is over. Then `seen`
    is called, in the same transaction. Raises Crossed.
    """
    cohort = fallen[0].cohort
    params = {
        "id": array(one.hex for one in sorted(locked)),
        "lane": fallen[0].lane_id, "cohort": cohort, "now": now, "once": once_an_address, "detail": DETAIL,
        "unreached": list(UNREACHED), "lanes": [lane for lane, _ in onward],
        "schemes": [scheme for _, scheme in onward],
    }  # fmt: skip
    async with connection.cursor(row_factory=class_row(Moved)) as cursor:
        try:
            await cursor.execute(within(_MOVE, cohort), params)
        except UniqueViolation as error:  # an expansion has just given somebody the same address
            raise Crossed from error
        return await cursor.fetchall()


# What was not locked waited then, and may have ended since, and been noted for that.
_SEEN: LiteralString = """
WITH noted AS MATERIALIZED (
  SELECT f.ctid AS place, f.message_id FROM fallback f
  WHERE f.message_id = ANY (%(id)s::uuid[]) AND f.lane_id = %(lane)s AND f.due_at <= %(now)s
  ORDER BY f.message_id FOR UPDATE
), waiting AS (
  UPDATE fallback f SET due_at = %(later)s FROM noted n
  WHERE f.ctid = n.place AND n.message_id <> ALL (%(locked)s::uuid[])
    AND EXISTS (SELECT FROM {message} t WHERE t.id = n.message_id)
  RETURNING f.message_id
)
DELETE FROM fallback f USING noted n
WHERE f.ctid = n.place AND n.message_id NOT IN (SELECT message_id FROM waiting)
"""
LATER = timedelta(minutes=1)  # until what still waits, or is being sent, is looked at again


async def seen(
    connection: Connection, fallen: Sequence[Fallen], locked: Iterable[UUID], now: datetime
) -> None:
    """These of one lane and cohort were seen to: none that was `locked` is noted any more. The others are
    looked at again later, once their try has ended."""
    await connection.execute(
        within(_SEEN, fallen[0].cohort),
        {
            "id": array(one.message_id.hex for one in fallen), "locked": array(one.hex for one in locked),
            "lane": fallen[0].lane_id, "now": now, "later": now + LATER,
        },
    )  # fmt: skip
