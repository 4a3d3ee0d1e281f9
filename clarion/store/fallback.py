"""Fallback: what did not arrive over a lane's channel goes on over the next (docs/decisions/fallback.md).

Whoever ends a message notes it here in the same transaction where its lane has a next one: settling
(`store.attempt`), receipts (`store.receipt`), what leaves the queue unsaid (`store.queue`), what never
enters it (`store.expansion`), and the intent, where a campaign goes on by time alone. So nothing is lost to
a crash. `move` reads the message again under its lock: what has been delivered meanwhile stays.

Locks are taken as elsewhere: attempts, then messages, then what is noted here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import LiteralString
from uuid import UUID

from psycopg.rows import class_row, tuple_row

from clarion.kit.db import Connection, Row, array, row, rows
from clarion.kit.ids import floor7
from clarion.store import tally
from clarion.store.cohort import within
from clarion.store.ordered import keep_order

# Reasons for which a person was not sent to that another channel may not have.
UNREACHED = (
    "no_address", "address_gone", "invalid_number", "no_route", "no_content", "outside_window", "too_long",
)  # fmt: skip

_FALLS: LiteralString = """
  SELECT m.id, m.lane_id FROM wanted w CROSS JOIN LATERAL (
    SELECT t.id, t.lane_id FROM {message} t
    WHERE t.id = w.id AND (t.state IN ('undelivered', 'skipped')
      AND (t.state = 'undelivered' OR t.reason = ANY (%(unreached)s))
      OR t.state = 'failed' AND t.reason IN ('refused', 'attempts_used_up', 'address_gone')) LIMIT 1) m"""

_NOTE: LiteralString = (
    """, ended AS MATERIALIZED ("""
    + _FALLS
    + """)
INSERT INTO fallback AS f (message_id, lane_id, cohort, workspace_id, due_at)
SELECT e.id, e.lane_id, %(cohort)s, clarion_workspace(), %(now)s FROM ended e CROSS JOIN LATERAL (
  SELECT FROM lane l WHERE l.id = e.lane_id AND l.next_lane_id IS NOT NULL LIMIT 1) l
ORDER BY e.id
ON CONFLICT (message_id, lane_id) DO UPDATE SET due_at = least(f.due_at, excluded.due_at), late = false
"""
)

_OF_ATTEMPTS: LiteralString = """
WITH wanted AS MATERIALIZED (
  SELECT DISTINCT a.message_id AS id FROM unnest(%(id)s::uuid[]) AS s(id) CROSS JOIN LATERAL (
    SELECT t.message_id FROM {attempt} t WHERE t.id = s.id LIMIT 1) a)"""
_OF_MESSAGES: LiteralString = (
    "WITH wanted AS MATERIALIZED (SELECT DISTINCT id FROM unnest(%(id)s::uuid[]) AS s(id))"
)
# An expansion makes its enrollments' identifiers of the moment: those of one chunk stand together.
_OF_CHUNK: LiteralString = """
WITH wanted AS MATERIALIZED (
  SELECT m.id FROM enrollment e CROSS JOIN LATERAL (
    SELECT t.id FROM {message} t
    WHERE t.enrollment_id = e.id AND t.state = 'skipped' AND t.run_id = %(run)s LIMIT 1) m
  WHERE e.id >= %(first)s AND e.id < %(end)s)"""


async def note_attempts(
    connection: Connection, cohort: date, attempt_ids: Iterable[UUID], now: datetime
) -> None:
    """These attempts of one cohort ended without effect, or the provider says that they did not arrive."""
    await _note(connection, _OF_ATTEMPTS, cohort, now, id=array(id.hex for id in attempt_ids))


async def note_messages(
    connection: Connection, cohort: date, message_ids: Iterable[UUID], now: datetime
) -> None:
    """These messages of one cohort left the queue unsaid."""
    await _note(connection, _OF_MESSAGES, cohort, now, id=array(id.hex for id in message_ids))


async def note_chunk(connection: Connection, cohort: date, run_id: UUID, now: datetime) -> None:
    """Some of a run were skipped by the chunk written at `now`."""
    end = floor7(now + timedelta(milliseconds=1))
    await _note(connection, _OF_CHUNK, cohort, now, run=run_id, first=floor7(now), end=end)


async def _note(
    connection: Connection, wanted: LiteralString, cohort: date, now: datetime, **params: object
) -> None:
    await connection.execute(
        within(wanted + _NOTE, cohort),
        {**params, "cohort": cohort, "now": now, "unreached": list(UNREACHED)},
        prepare=True,
    )


async def watch(
    connection: Connection, lane_id: UUID, messages: Sequence[tuple[UUID, date]], due_at: datetime
) -> None:
    """Try these (id, cohort) over the next channel if they have not been delivered by `due_at`."""
    await connection.execute(
        """INSERT INTO fallback (message_id, lane_id, cohort, workspace_id, due_at, late)
           SELECT id, %s, cohort, clarion_workspace(), %s, true
           FROM unnest(%s::uuid[], %s::date[]) AS w(id, cohort) ORDER BY id
           ON CONFLICT (message_id, lane_id) DO UPDATE SET due_at = excluded.due_at, late = true""",
        (lane_id, due_at, [id for id, _ in messages], [cohort for _, cohort in messages]),
    )


@dataclass(frozen=True, slots=True)
class Fallen:
    """A message that may go on from a lane; `late`: by time alone."""

    message_id: UUID
    lane_id: UUID
    cohort: date
    late: bool


@dataclass(frozen=True, slots=True)
class Moved:
    """Whose message is ready again over another channel, and of which run."""

    message_id: UUID
    run_id: UUID
    lane_id: UUID


async def workspaces(connection: Connection, now: datetime) -> list[UUID]:
    """Which have something to see to; needs no tenant."""
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute("SELECT workspace_id FROM clarion_fallbacks(%s)", (now,), prepare=True)
        return [found[0] for found in await cursor.fetchall()]


async def due(connection: Connection, now: datetime, limit: int) -> list[Fallen]:
    """What is to be seen to, the longest due first. Not locked: `move` does that in its order."""
    await keep_order(connection)
    async with connection.cursor(row_factory=class_row(Fallen)) as cursor:
        await cursor.execute(
            """SELECT message_id, lane_id, cohort, late FROM fallback
               WHERE workspace_id = clarion_workspace() AND due_at <= %s
               ORDER BY due_at, message_id LIMIT %s""",
            (now, limit),
        )
        return await cursor.fetchall()


async def pending(connection: Connection, campaign_id: UUID) -> bool:
    """Whether anything of a campaign is known not to have arrived and has not been seen to."""
    found = await row(
        connection,
        """SELECT EXISTS (SELECT FROM fallback f JOIN lane l ON l.id = f.lane_id
           WHERE l.campaign_id = %s AND NOT f.late) AS some""",
        (campaign_id,),
    )
    return bool(found and found["some"])


async def campaign_of(connection: Connection, lane_id: UUID) -> UUID | None:
    """Whose lane it is."""
    found = await row(connection, "SELECT campaign_id FROM lane WHERE id = %s", (lane_id,))
    return found["campaign_id"] if found else None


async def onward(connection: Connection, lane_id: UUID) -> list[Row]:
    """The lanes after one, in order: {id, provider}."""
    return await rows(
        connection,
        """WITH RECURSIVE onward(id, place) AS (
             SELECT next_lane_id, 1 FROM lane WHERE id = %s
             UNION ALL
             SELECT l.next_lane_id, o.place + 1 FROM onward o JOIN lane l ON l.id = o.id WHERE o.place < 20)
           SELECT l.id, c.provider FROM onward o JOIN lane l ON l.id = o.id
           JOIN channel c ON c.id = l.channel_id ORDER BY o.place""",
        (lane_id,),
    )


_LOCK_ATTEMPTS: LiteralString = """
SELECT count(*) FROM (SELECT a.id FROM unnest(%(id)s::uuid[]) AS s(id) CROSS JOIN LATERAL (
  SELECT t.id FROM {attempt} t WHERE t.message_id = s.id AND t.effective LIMIT 1) a ORDER BY a.id) w
CROSS JOIN LATERAL (SELECT t.id FROM {attempt} t WHERE t.id = w.id LIMIT 1 FOR NO KEY UPDATE) a
"""
_LOCK_MESSAGES: LiteralString = """
SELECT count(*) FROM (SELECT id FROM unnest(%(id)s::uuid[]) AS s(id) ORDER BY id) w
CROSS JOIN LATERAL (SELECT t.id FROM {message} t WHERE t.id = w.id LIMIT 1 FOR NO KEY UPDATE) m
"""

# Of each message the first address that a lane further on reaches, where its person wants to hear there. Who
# asked for no more at the present address is left alone.
_MOVE: LiteralString = (
    """
WITH picked AS MATERIALIZED (
  SELECT m.*, m.recipient_key AS contact_id
  FROM unnest(%(id)s::uuid[], %(late)s::boolean[]) AS s(id, late) CROSS JOIN LATERAL (
    SELECT t.* FROM {message} t
    WHERE t.id = s.id AND t.lane_id = %(lane)s AND t.expires_at > %(now)s
      AND (t.state = 'undelivered'
        OR t.state = 'failed' AND t.reason IN ('refused', 'attempts_used_up', 'address_gone')
        OR t.state = 'skipped' AND t.reason = ANY (%(unreached)s)
        OR s.late AND t.state IN ('accepted', 'unknown'))
    LIMIT 1) m
  WHERE NOT EXISTS (SELECT FROM address a JOIN consent o
    ON o.workspace_id = clarion_workspace() AND o.consent_key = a.consent_key AND o.state = 'out'
    WHERE a.id = m.address_id)
), reach AS MATERIALIZED (
  SELECT p.id, p.run_id, p.once_key, p.state AS before, p.contact_id, p.content_version_id, p.expires_at,
    a.lane_id, a.address_id, a.consent_key, t.variables,
    row_number() OVER (PARTITION BY p.run_id, a.consent_key ORDER BY p.id) AS nth
  FROM picked p
  CROSS JOIN LATERAL (
    SELECT FROM contact c WHERE c.id = p.contact_id AND c.status NOT IN ('erased', 'merged') LIMIT 1) c
  CROSS JOIN LATERAL (
    SELECT n.lane_id, d.id AS address_id, d.consent_key
    FROM unnest(%(lanes)s::uuid[], %(schemes)s::text[]) WITH ORDINALITY AS n(lane_id, scheme, place)
    JOIN address d ON d.contact_id = p.contact_id AND d.scheme = n.scheme AND d.status = 'active'
    WHERE NOT EXISTS (SELECT FROM consent o WHERE o.workspace_id = clarion_workspace()
                      AND o.consent_key = d.consent_key AND o.state = 'out')
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
  FROM going g WHERE m.id = g.id
  RETURNING m.id, m.run_id, m.was, m.was_reason, m.state, m.reason, m.lane_id, m.content_version_id,
    m.expires_at, m.address_id, g.contact_id, g.consent_key, g.variables
), freed AS (
  -- that try stands no longer: the provider says that it did not arrive, or the campaign allows two
  UPDATE {attempt} a SET effective = false, unknown_since = NULL, detail = %(detail)s,
    state = CASE WHEN m.was = 'accepted' THEN a.state ELSE 'settled_not_sent' END
  FROM moved m WHERE a.message_id = m.id AND a.effective
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


async def move(
    connection: Connection,
    fallen: Sequence[Fallen],
    onward: Sequence[tuple[UUID, str]],
    now: datetime,
    *,
    once_an_address: bool,
) -> list[Moved]:
    """Put messages of one lane and cohort into the queue of a lane further on; those that went.

    `onward` are (lane, scheme) pairs, the preferred first. The others stay as they ended: nobody is to be
    reached further on, they arrived after all, or their time is over. None is noted any more afterwards.
    """
    cohort, lane_id = fallen[0].cohort, fallen[0].lane_id
    params = {
        "id": array(one.message_id.hex for one in fallen),
        "late": array("t" if one.late else "f" for one in fallen),
        "lane": lane_id, "cohort": cohort, "now": now, "once": once_an_address, "detail": DETAIL,
        "unreached": list(UNREACHED), "lanes": [lane for lane, _ in onward],
        "schemes": [scheme for _, scheme in onward],
    }  # fmt: skip
    async with connection.cursor(row_factory=class_row(Moved)) as cursor:
        await cursor.execute(within(_LOCK_ATTEMPTS, cohort), params)
        await cursor.execute(within(_LOCK_MESSAGES, cohort), params)
        await cursor.execute(within(_MOVE, cohort), params)
        moved = await cursor.fetchall()
    await connection.execute(
        "DELETE FROM fallback WHERE lane_id = %(lane)s AND message_id = ANY (%(id)s::uuid[])", params
    )
    return moved
