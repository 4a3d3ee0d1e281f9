"""Telling events: taken for a while, told outside of any transaction, and written down how it ended.

Taking moves the next try beyond a lease, so nothing is held while a subscriber is called: an event whose
teller died is due again when the lease is over, and one that was told meanwhile by another is left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from psycopg.rows import class_row

from clarion.kit.db import Connection, Row, rows

TOLD_KEPT = timedelta(days=1)  # for people to look at
GIVEN_UP_KEPT = timedelta(days=30)  # for people to tell again
WAITS_AT_MOST = timedelta(days=5)  # beyond, nobody wants to hear it: given up


@dataclass(frozen=True, slots=True)
class Listed:
    """A subscription as the workers see it (no tenant's data). `due`: something is to be told now."""

    workspace_id: UUID
    subscription_id: UUID
    state: str
    types: list[str]
    due: bool


@dataclass(frozen=True, slots=True)
class Taken:
    """One event that is ours to tell. `tries` were made before."""

    id: UUID
    type: str
    subject_id: UUID
    cohort: date | None
    at: datetime
    reason: str | None
    tries: int


@dataclass(frozen=True, slots=True)
class Told:
    """How telling an event ended: told, again at `due_at`, or given up (neither). `answer` in few words."""

    id: UUID
    told: bool
    answer: str
    due_at: datetime | None = None


async def listed(connection: Connection, now: datetime) -> list[Listed]:
    """Every subscription of all workspaces, removed ones too; needs no tenant."""
    async with connection.cursor(row_factory=class_row(Listed)) as cursor:
        await cursor.execute("SELECT * FROM clarion_subscriptions(%s)", (now,), prepare=True)
        return await cursor.fetchall()


async def take(
    connection: Connection,
    subscription_id: UUID,
    *,
    types: Sequence[str],
    limit: int,
    now: datetime,
    until: datetime,
) -> list[Taken]:
    """What is due for a subscription, longest due first; nobody else takes it before `until`.

    Only of these types: beside workers of a newer version there may be some that we cannot tell.
    """
    async with connection.cursor(row_factory=class_row(Taken)) as cursor:
        await cursor.execute(
            """WITH due AS MATERIALIZED (
                 SELECT ctid AS place, due_at AS was FROM event
                 WHERE subscription_id = %(subscription)s AND state = 'waiting' AND due_at <= %(now)s
                   AND type = ANY (%(types)s)
                 ORDER BY due_at, id LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
               ), taken AS (
                 UPDATE event SET due_at = %(until)s FROM due WHERE event.ctid = due.place
                 RETURNING id, type, subject_id, cohort, at, reason, tries, due.was
               )
               SELECT id, type, subject_id, cohort, at, reason, tries FROM taken ORDER BY was, id""",
            {
                "subscription": subscription_id, "types": list(types), "limit": limit, "now": now,
                "until": until,
            },
            prepare=True,
        )  # fmt: skip
        return await cursor.fetchall()


async def settle(connection: Connection, subscription_id: UUID, ends: Sequence[Told], now: datetime) -> None:
    """Write down how these ended. One that ended meanwhile (another teller told it) stays as it is."""
    await connection.execute(
        """WITH ours AS MATERIALIZED (
             SELECT e.place, s.* FROM unnest(%s::uuid[], %s::boolean[], %s::text[], %s::timestamptz[])
               AS s(id, told, answer, next_at)
             CROSS JOIN LATERAL (SELECT event.ctid AS place FROM event
               WHERE event.subscription_id = %s AND event.id = s.id AND event.state = 'waiting'
               LIMIT 1 FOR NO KEY UPDATE) e
           )
           UPDATE event SET tries = event.tries + 1, answer = ours.answer,
             due_at = coalesce(ours.next_at, event.due_at),
             state = CASE WHEN ours.told THEN 'told' WHEN ours.next_at IS NULL THEN 'given_up'
                          ELSE event.state END,
             ended_at = CASE WHEN ours.told OR ours.next_at IS NULL THEN %s::timestamptz END
           FROM ours WHERE event.ctid = ours.place""",
        (
            [end.id for end in ends], [end.told for end in ends], [end.answer for end in ends],
            [end.due_at for end in ends], subscription_id, now,
        ),
        prepare=True,
    )  # fmt: skip


async def page(
    connection: Connection, subscription_id: UUID, *, state: str | None, before: UUID | None, limit: int
) -> list[Row]:
    """A subscription's events that are still kept, newest first, before the given one."""
    return await rows(
        connection,
        """SELECT id, type, subject_id, at, state, tries, answer, ended_at,
             CASE WHEN state = 'waiting' THEN due_at END AS due_at
           FROM event WHERE subscription_id = %(subscription)s
             AND (%(state)s::text IS NULL OR state = %(state)s)
             AND (%(before)s::uuid IS NULL OR id < %(before)s)
           ORDER BY id DESC LIMIT %(limit)s""",
        {"subscription": subscription_id, "state": state, "before": before, "limit": limit},
    )


async def again(connection: Connection, subscription_id: UUID, now: datetime, limit: int) -> int:
    """What was given up waits again, with all its tries; how many, at most `limit`."""
    done = await connection.execute(
        """UPDATE event SET state = 'waiting', tries = 0, due_at = %(now)s, ended_at = NULL
           WHERE (subscription_id, id) IN (
             SELECT subscription_id, id FROM event
             WHERE subscription_id = %(subscription)s AND state = 'given_up'
             ORDER BY ended_at LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED)""",
        {"subscription": subscription_id, "now": now, "limit": limit},
    )
    return done.rowcount


async def give_up_old(connection: Connection, subscription_id: UUID, now: datetime, limit: int) -> int:
    """Give up what has been due for too long; how many."""
    done = await connection.execute(
        """UPDATE event SET state = 'given_up', ended_at = %(now)s, answer = coalesce(answer, 'too old')
           WHERE (subscription_id, id) IN (
             SELECT subscription_id, id FROM event
             WHERE subscription_id = %(subscription)s AND state = 'waiting' AND due_at < %(old)s
             ORDER BY due_at LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED)""",
        {"subscription": subscription_id, "now": now, "old": now - WAITS_AT_MOST, "limit": limit},
    )
    return done.rowcount


async def forget(connection: Connection, subscription_id: UUID, now: datetime, limit: int) -> int:
    """Delete what ended long ago, and a secret whose time is over; how many events."""
    await connection.execute(
        """UPDATE subscription SET previous_secret = NULL, previous_until = NULL
           WHERE id = %s AND previous_until <= %s""",
        (subscription_id, now),
    )
    gone = 0
    for state, kept in (("told", TOLD_KEPT), ("given_up", GIVEN_UP_KEPT)):
        done = await connection.execute(
            f"""DELETE FROM event WHERE (subscription_id, id) IN (
                  SELECT subscription_id, id FROM event
                  WHERE subscription_id = %s AND state = '{state}' AND ended_at < %s
                  ORDER BY ended_at LIMIT %s FOR UPDATE SKIP LOCKED)""",
            (subscription_id, now - kept, limit),
        )
        gone += done.rowcount
    return gone


async def sweep(connection: Connection, subscription_id: UUID, now: datetime, limit: int) -> int:
    """Delete the events of a removed subscription, and when none is left the subscription; how many."""
    done = await connection.execute(
        """DELETE FROM event WHERE (subscription_id, id) IN (
             SELECT subscription_id, id FROM event WHERE subscription_id = %s
             ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED)""",
        (subscription_id, limit),
    )
    if done.rowcount == 0:
        await connection.execute(
            """DELETE FROM subscription s WHERE id = %s AND state = 'removed'
               AND NOT EXISTS (SELECT FROM event e WHERE e.subscription_id = s.id)""",
            (subscription_id,),
        )
    return done.rowcount


async def measures(connection: Connection, most: int) -> list[Row]:
    """{subscription_id, paused, waiting, given_up} over all workspaces, counted up to `most`."""
    return await rows(connection, "SELECT * FROM clarion_event_measures(%s)", (most,))
