"""Messages to addresses that somebody names one by one: a test of an announcement before it goes out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import LiteralString
from uuid import UUID

from clarion.kit.db import Connection, Row, rows
from clarion.store import tally
from clarion.store.routes import ROUTES, Route, params
from clarion.store.routes import chosen as routed


async def whose(connection: Connection, values: Sequence[str], schemes: Sequence[str]) -> list[Row]:
    """Whom a channel of these schemes (best first) reaches at each of these addresses (E.164, …).

    One row for each that somebody has: {value, address_id, contact_id, name}; of several people at one
    address, the one who was there first.
    """
    return await rows(
        connection,
        """SELECT DISTINCT ON (a.value) a.value, a.id AS address_id, a.contact_id, c.name
           FROM address a JOIN contact c ON c.id = a.contact_id AND c.status = 'active'
           WHERE a.workspace_id = clarion_workspace() AND a.value = ANY (%(values)s)
             AND a.status = 'active' AND a.scheme = ANY (%(schemes)s)
           ORDER BY a.value, a.contact_id, array_position(%(schemes)s, a.scheme)""",
        {"values": list(values), "schemes": list(schemes)},
    )


def _statement(*, pooled: bool) -> LiteralString:
    """What writes them, over the run's lane or the one that is chosen for each."""
    routes: LiteralString = ROUTES + ", " if pooled else ""
    route: LiteralString = ", r.lane_id" if pooled else ""
    own: LiteralString = "(SELECT c.channel_id FROM contact c WHERE c.id = a.contact_id)"
    chosen: LiteralString = f"LEFT JOIN LATERAL ({routed(own)}) r ON true" if pooled else ""
    no_route: LiteralString = "WHEN r.lane_id IS NULL THEN 'no_route'" if pooled else ""
    lane: LiteralString = "coalesce(n.lane_id, o.lane_id)" if pooled else "o.lane_id"
    return f"""
WITH {routes}opened AS MATERIALIZED (
  UPDATE run SET state = 'expanded', started_at = %(now)s, expanded_at = %(now)s
  WHERE id = %(run)s AND state = 'planned' RETURNING *
), named AS MATERIALIZED (
  SELECT a.id AS address_id, a.contact_id, a.consent_key{route},
    CASE WHEN EXISTS (SELECT FROM consent o WHERE o.workspace_id = clarion_workspace()
                      AND o.consent_key = a.consent_key AND o.state = 'out') THEN 'opted_out'
      {no_route} END AS why
  FROM address a {chosen}
  WHERE a.id = ANY (%(addresses)s)
), enrolled AS (
  INSERT INTO enrollment (id, workspace_id, campaign_id, subject_id, iteration, state, cohort, created_at)
  SELECT clarion_uuid7(%(now)s), clarion_workspace(), o.campaign_id, n.contact_id, o.iteration, 'finished',
    o.cohort, %(now)s
  FROM named n CROSS JOIN opened o WHERE true
  ON CONFLICT (campaign_id, subject_id) DO NOTHING
  RETURNING id, subject_id
), moved AS (
  INSERT INTO message (id, cohort, workspace_id, run_id, enrollment_id, generation, iteration, step_id,
    recipient_key, address_id, lane_id, content_version_id, state, reason, due_at, expires_at, settled_at)
  SELECT clarion_uuid7(%(now)s), o.cohort, clarion_workspace(), o.id, e.id, 1, o.iteration, 1,
    n.contact_id, n.address_id, {lane}, o.content_version_id,
    CASE WHEN n.why IS NULL THEN 'ready' ELSE 'skipped' END::message_state, n.why, %(now)s, o.expires_at,
    CASE WHEN n.why IS NOT NULL THEN %(now)s::timestamptz END
  FROM named n JOIN enrolled e ON e.subject_id = n.contact_id CROSS JOIN opened o
  RETURNING *
), queued AS (
  INSERT INTO queue (lane_id, due_at, message_id, cohort, workspace_id, contact_id, address_id,
    consent_key, content_version_id, expires_at)
  SELECT m.lane_id, m.due_at, m.id, m.cohort, m.workspace_id, n.contact_id, n.address_id, n.consent_key,
    m.content_version_id, m.expires_at
  FROM moved m JOIN named n ON n.address_id = m.address_id WHERE m.state = 'ready'
), counted AS ({tally.ADD})
SELECT address_id, id AS message_id, state::text, reason FROM moved
"""


_OVER_ONE, _OVER_POOL = _statement(pooled=False), _statement(pooled=True)


async def write(
    connection: Connection,
    run_id: UUID,
    address_ids: Sequence[UUID],
    now: datetime,
    routes: Sequence[Route] | None = None,
) -> list[Row]:
    """A message to each of these addresses, each of another person, in place of the run's expansion:
    {address_id, message_id, state, reason}. Given `routes`, over the lane that is chosen of these."""
    values = {"run": run_id, "addresses": list(address_ids), "now": now}
    if routes is None:
        return await rows(connection, _OVER_ONE, values)
    return await rows(connection, _OVER_POOL, {**values, **params(routes)})
