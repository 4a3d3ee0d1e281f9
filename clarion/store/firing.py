"""Firing: what has fallen due in a campaign that follows people becomes messages.

One statement a batch writes each enrollment's message (or why there is none), its queue row, and moves it on
to what is ahead. What is ahead was computed before (`flow.enroll`), so nothing is computed here. Rows that
somebody else has are left to them. The unique key of an occurrence holds whatever else happens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from secrets import token_hex
from typing import LiteralString, NamedTuple
from uuid import UUID

from psycopg.rows import args_row, tuple_row

from clarion.domain.enrollment import SKIP_WORDS
from clarion.domain.schedule.subject import Occurrence
from clarion.kit.db import Connection, array
from clarion.kit.ids import uuid7
from clarion.store import reach, tally
from clarion.store.entering import Looked
from clarion.store.routes import ROUTES, Route, params
from clarion.store.routes import chosen as routed


class Due(NamedTuple):
    """An enrollment that has something due. `about`: the contact, or of an alert the case. `known`: what
    comes next of it has been reckoned, by the campaign's schedule as it is. `late`: so late that what comes
    after it must be known too. The fields stand in the order in which the statement names them."""

    next_due: datetime
    id: UUID
    about: UUID
    known: bool
    late: bool


@dataclass(frozen=True, slots=True)
class Terms:
    """What a campaign says of all its messages. `contents`: of each step the version that it says;
    `resumed_at`: what fell due before was paused. `patience` (seconds) is how long after its moment
    something may be sent, `pressing` after how long what comes later goes before it. `recurs`: it is an
    announcement, each of whose occasions has a run of its own."""

    campaign_id: UUID
    run_id: UUID
    lane_id: UUID
    revision: int
    contents: Mapping[int, UUID]
    schemes: Sequence[str]
    patience: float
    pressing: float
    resumed_at: datetime | None
    routes: Sequence[Route] | None
    recurs: bool = False


class Fired(NamedTuple):
    """What one batch did: enrollments moved on, messages ready, and the messages (id, cohort) of who was
    skipped."""

    people: int
    ready: int
    skipped: list[tuple[UUID, date]]


_DUE = """SELECT next_due, id, coalesce(case_id, subject_id),
  revision = %(revision)s AND cardinality(ahead) > 0,
  next_due < %(now)s - make_interval(secs => %(pressing)s) AND cardinality(ahead) <= 4
FROM enrollment WHERE campaign_id = %(campaign)s AND state = 'active' AND next_due <= %(now)s
  AND (next_due, id) > (%(after)s, %(after_id)s)
ORDER BY next_due, id LIMIT %(limit)s"""


async def due(
    connection: Connection,
    terms: Terms,
    after: tuple[datetime, UUID],
    now: datetime,
    limit: int,
) -> list[Due]:
    """The next enrollments that have something due, after a place in their order. A reader that goes
    forward meets each row that has moved on only once, also while an old snapshot keeps it there."""
    async with connection.cursor(row_factory=args_row(Due)) as cursor:
        await cursor.execute(
            _DUE,
            {
                "campaign": terms.campaign_id, "revision": terms.revision, "now": now, "after": after[0],
                "after_id": after[1], "pressing": terms.pressing, "limit": limit,
            },
        )  # fmt: skip
        return await cursor.fetchall()


# Which occasion of a recurring announcement what comes next of an enrollment belongs to: beside the number of
# its iteration stands how iterations are numbered, since an edit may change that.
_OCCASION: LiteralString = "basis || '.' || ahead[2]"


async def unopened(connection: Connection, terms: Terms, some: Sequence[UUID]) -> list[tuple[str, datetime]]:
    """The occasions of which these enrollments have something due and that have no run yet, with the first
    moment at which anybody of these hears."""
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(
            f"""SELECT e.occasion, min(e.next_due) FROM unnest(%(ids)s::uuid[]) AS k(id) CROSS JOIN LATERAL (
                 SELECT next_due, {_OCCASION} AS occasion FROM enrollment
                 WHERE id = k.id AND cardinality(ahead) > 0 LIMIT 1) e
               WHERE NOT EXISTS (
                 SELECT FROM run r WHERE r.campaign_id = %(campaign)s AND r.occasion = e.occasion)
               GROUP BY 1 ORDER BY 2""",
            {"ids": array(one.hex for one in some), "campaign": terms.campaign_id},
            prepare=True,
        )
        return await cursor.fetchall()


def _statement(*, pooled: bool, recurs: bool) -> LiteralString:
    # IS TRUE keeps the planner from joining the batch with itself, a million rows for a thousand, where it
    # may not hash (`entering.by_key`): 220 ms of 280
    routes: LiteralString = ROUTES + ", " if pooled else ""
    route: LiteralString = ", r.lane_id" if pooled else ""
    chosen: LiteralString = f"LEFT JOIN LATERAL ({routed('p.channel_id')}) r ON true" if pooled else ""
    told: LiteralString = ", address.value, address.last_channel_id" if pooled else ""
    no_route: LiteralString = "WHEN r.lane_id IS NULL THEN 'no_route'" if pooled else ""
    lane: LiteralString = "coalesce(w.lane_id, %(lane)s)" if pooled else "%(lane)s"
    occasion: LiteralString = f", {_OCCASION} AS occasion" if recurs else ""
    own_run: LiteralString = (
        """JOIN LATERAL (SELECT r.id AS run_id FROM run r
    WHERE r.campaign_id = %(campaign)s AND r.occasion = e.occasion LIMIT 1) o ON true"""
        if recurs
        else ""
    )
    told_run: LiteralString = ", o.run_id" if recurs else ""
    run: LiteralString = "run_id" if recurs else "%(run)s"
    return f"""
WITH {routes}claimed AS MATERIALIZED (
  SELECT e.*{told_run} FROM unnest(%(ids)s::uuid[]) AS k(id) CROSS JOIN LATERAL (
    SELECT id, coalesce(contact_id, subject_id) AS contact_id, generation, cohort, next_due AS due_at, ahead,
      greatest(resumed_at, %(resumed)s::timestamptz) AS resumed_at{occasion}
    FROM enrollment WHERE id = k.id AND state = 'active' AND next_due <= %(now)s
      AND revision = %(revision)s AND cardinality(ahead) > 0
    LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED) e
  {own_run}
), wanted AS MATERIALIZED (
  SELECT e.*, a.id AS address_id, a.consent_key, s.content_id, row_number() OVER () AS n{route},
    CASE WHEN e.due_at < e.resumed_at THEN 'paused'
         WHEN e.ahead[4] > 0 THEN (%(skips)s::text[])[e.ahead[4]]
         WHEN e.due_at < %(now)s - make_interval(secs => %(patience)s) THEN 'missed'
         WHEN e.due_at < %(now)s - make_interval(secs => %(pressing)s)
           AND to_timestamp(e.ahead[5]) <= %(now)s AND e.ahead[8] = 0 THEN 'missed'
         WHEN s.content_id IS NULL THEN 'no_content'
         {reach.unreached(reach.opted_out("a.consent_key"))}
         {no_route}
    END AS reason
  FROM claimed e
  LEFT JOIN LATERAL (
    SELECT c.id, c.status, c.channel_id FROM contact c WHERE c.id = e.contact_id LIMIT 1) p ON true
  LEFT JOIN LATERAL ({reach.address("p.id", told)}) a ON true
  LEFT JOIN LATERAL (
    SELECT content_id FROM unnest(%(steps)s::int[], %(contents)s::uuid[]) AS c(step, content_id)
    WHERE c.step = e.ahead[3] LIMIT 1) s ON true
  {chosen}
), placed AS MATERIALIZED (
  SELECT w.*, (%(head)s || to_hex(x'7000'::bigint | (n >> 12)) || to_hex(x'8000'::bigint | ((n & 4095) << 2))
      || %(tail)s)::uuid AS message_id, {lane} AS own_lane,
    w.due_at + make_interval(secs => %(patience)s) AS expires_at
  FROM wanted w
), moved AS (
  INSERT INTO message (id, cohort, workspace_id, run_id, enrollment_id, generation, iteration, step_id,
    recipient_key, address_id, lane_id, content_version_id, state, reason, due_at, expires_at, settled_at)
  SELECT message_id, cohort, clarion_workspace(), {run}, id, generation, ahead[2], ahead[3], contact_id,
    address_id, own_lane, coalesce(content_id, %(any_content)s),
    CASE WHEN reason IS NULL THEN 'ready' ELSE 'skipped' END::message_state, reason, due_at, expires_at,
    CASE WHEN reason IS NOT NULL THEN %(now)s::timestamptz END
  FROM placed
  ON CONFLICT (enrollment_id, generation, iteration, step_id, recipient_key, cohort) DO NOTHING
  RETURNING id, cohort, run_id, state, reason, was, was_reason
), queued AS (
  INSERT INTO queue (lane_id, due_at, message_id, cohort, workspace_id, contact_id, address_id, consent_key,
    content_version_id, expires_at)
  SELECT w.own_lane, w.due_at, w.message_id, w.cohort, clarion_workspace(), w.contact_id, w.address_id,
    w.consent_key, w.content_id, w.expires_at
  FROM placed w WHERE w.reason IS NULL AND (w.message_id IN (SELECT id FROM moved)) IS TRUE
), onward AS (
  UPDATE enrollment e SET ahead = w.ahead[5:], iteration = w.ahead[2],
    next_due = coalesce(to_timestamp(w.ahead[5]), e.next_due)
  FROM placed w WHERE e.id = w.id
), counted AS ({tally.ADD})
SELECT (SELECT count(*) FROM placed), (SELECT count(*) FROM moved WHERE state = 'ready'),
  ARRAY(SELECT id FROM moved WHERE state = 'skipped' ORDER BY id),
  ARRAY(SELECT cohort FROM moved WHERE state = 'skipped' ORDER BY id)
"""


_FIRE = {
    (pooled, recurs): _statement(pooled=pooled, recurs=recurs)
    for pooled in (False, True)
    for recurs in (False, True)
}


async def leave_out(
    connection: Connection, terms: Terms, person: Looked, one: Occurrence, now: datetime
) -> None:
    """Write that an occurrence is left out for somebody: it has its message, which is not sent."""
    statement = f"""WITH moved AS (
      INSERT INTO message (id, cohort, workspace_id, run_id, enrollment_id, generation, iteration, step_id,
        recipient_key, lane_id, content_version_id, state, reason, due_at, expires_at, settled_at)
      VALUES (%(id)s, %(cohort)s, clarion_workspace(), %(run)s, %(enrollment)s, %(generation)s, %(iteration)s,
        %(step)s, %(contact)s, %(lane)s, %(content)s, 'skipped', 'asked', %(due)s, %(due)s, %(now)s)
      ON CONFLICT (enrollment_id, generation, iteration, step_id, recipient_key, cohort) DO NOTHING
      RETURNING run_id, state, reason, was, was_reason
    ) {tally.ADD}"""
    await connection.execute(
        statement,
        {
            "id": uuid7(now), "cohort": person.cohort, "run": terms.run_id, "enrollment": person.id,
            "generation": person.generation, "iteration": one.iteration, "step": one.step,
            "contact": person.contact_id, "lane": terms.lane_id, "due": one.due_at, "now": now,
            "content": terms.contents.get(one.step, next(iter(terms.contents.values()))),
        },
    )  # fmt: skip


async def fire(connection: Connection, terms: Terms, some: Sequence[UUID], now: datetime) -> Fired:
    """Write what is due of these enrollments; those that others have, or that have changed, are left."""
    values = {} if terms.routes is None else params(terms.routes)
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(
            _FIRE[terms.routes is not None, terms.recurs],
            {
                **values, "campaign": terms.campaign_id, "ids": array(one.hex for one in some),
                "run": terms.run_id, "lane": terms.lane_id, "revision": terms.revision,
                "steps": list(terms.contents), "contents": list(terms.contents.values()),
                "schemes": list(terms.schemes),
                "patience": terms.patience, "pressing": terms.pressing, "resumed": terms.resumed_at,
                "skips": list(SKIP_WORDS), "any_content": next(iter(terms.contents.values())), "now": now,
                "head": uuid7(now).hex[:12], "tail": token_hex(6),
            },
            prepare=True,
        )  # fmt: skip
        found = await cursor.fetchone()
        assert found is not None
        people, ready, ids, cohorts = found
        return Fired(people, ready, list(zip(ids, cohorts, strict=True)))
