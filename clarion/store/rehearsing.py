"""Rehearsing: whom a campaign means, as copied in one snapshot for what would become of them. Nothing is
written and nothing locked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString, NamedTuple
from uuid import UUID

from psycopg.rows import args_row

from clarion.kit.db import Connection
from clarion.store import reach
from clarion.store.entering import Looked, looking
from clarion.store.expansion import Meant
from clarion.store.routes import ROUTES, Route, params
from clarion.store.routes import chosen as routed


@dataclass(frozen=True, slots=True)
class Person(Looked):
    """Somebody whom a campaign means that follows people, or who is enrolled in it. `unreached`: why nothing
    can be sent to them; `channel_id`: over which channel of a pool it would be. `begins`: how the address
    begins, as far as was asked."""

    resumed_at: datetime | None
    language: str
    begins: str
    channel_id: UUID | None
    unreached: str | None


class Share(NamedTuple):
    """So many people of an announcement who are alike. `hours`: as they wrote their own, where asked for."""

    reason: str | None
    channel_id: UUID | None
    zone: str
    language: str
    begins: str
    hours: str
    people: int


_TOLD: LiteralString = ", address.value, address.last_channel_id"
_BEGINS: LiteralString = "left(coalesce(a.value, ''), %(cut)s)"


def _people(meant: LiteralString, *, pooled: bool) -> LiteralString:
    routes: LiteralString = f"WITH {ROUTES} " if pooled else ""
    route: LiteralString = "r.channel_id" if pooled else "NULL::uuid"
    no_route: LiteralString = "WHEN r.lane_id IS NULL THEN 'no_route'" if pooled else ""
    chosen: LiteralString = f"LEFT JOIN LATERAL ({routed('c.channel_id')}) r ON true" if pooled else ""
    return routes + looking(
        meant,
        "c.id > %(after)s AND (w.meant OR e.id IS NOT NULL)",
        more=f""", e.resumed_at, coalesce(c.language, ''), {_BEGINS}, {route},
  CASE {reach.unreached(reach.opted_out("a.consent_key"))} {no_route} END""",
        told=_TOLD,
        joined=f"CROSS JOIN LATERAL (SELECT c.id, c.status) p {chosen}",
    )


async def people(
    connection: Connection,
    campaign_id: UUID,
    meant: Meant,
    after: UUID,
    limit: int,
    *,
    keys: Sequence[str],
    schemes: Sequence[str],
    cut: int,
    routes: Sequence[Route] | None,
) -> list[Person]:
    """The next people after an identifier whom a campaign means that follows people, or who are enrolled in
    it. Addresses are told by their first `cut` characters."""
    values = {
        **meant.params, **params(routes or ()), "campaign": campaign_id, "after": after, "keys": list(keys),
        "schemes": list(schemes), "limit": limit, "cut": cut,
    }  # fmt: skip
    async with connection.cursor(row_factory=args_row(Person)) as cursor:
        statement = _people(meant.predicate, pooled=routes is not None)
        await cursor.execute(statement + " ORDER BY c.id LIMIT %(limit)s", values)
        return await cursor.fetchall()


# Of everybody at once: the planner may read the consents of all of them.
_OUT: LiteralString = """EXISTS (SELECT FROM consent o WHERE o.workspace_id = clarion_workspace()
                      AND o.consent_key = a.consent_key AND o.state = 'out')"""


def _shares(meant: LiteralString, *, pooled: bool) -> LiteralString:
    # The reasons are those of `store.expansion`, in its order.
    routes: LiteralString = ROUTES + ", " if pooled else ""
    route: LiteralString = "r.channel_id" if pooled else "NULL::uuid"
    apart: LiteralString = ", r.lane_id IS NULL" if pooled else ""
    no_route: LiteralString = "WHEN r.lane_id IS NULL THEN 'no_route'" if pooled else ""
    chosen: LiteralString = f"LEFT JOIN LATERAL ({routed('p.channel_id')}) r ON true" if pooled else ""
    return f"""WITH {routes}page AS MATERIALIZED (
  SELECT c.id, c.status, c.channel_id, c.timezone, c.language, c.fields->>%(hours_field)s::text AS hours
  FROM contact c
  WHERE c.workspace_id = clarion_workspace() AND ({meant})
), reached AS (
  SELECT CASE {reach.unreached(_OUT)} {no_route}
      WHEN %(once)s AND row_number() OVER (PARTITION BY a.consent_key{apart} ORDER BY p.id) > 1
        THEN 'duplicate_address' END AS reason,
    {route} AS channel_id, coalesce(p.timezone, '') AS zone, coalesce(p.language, '') AS language,
    {_BEGINS} AS begins, coalesce(p.hours, '') AS hours
  FROM page p LEFT JOIN LATERAL ({reach.address("p.id", _TOLD)}) a ON true {chosen}
)
SELECT reason, channel_id, zone, language, begins, hours, count(*) FROM reached
GROUP BY reason, channel_id, zone, language, begins, hours"""


async def shares(
    connection: Connection,
    meant: Meant,
    *,
    schemes: Sequence[str],
    once_an_address: bool,
    cut: int,
    hours_field: str,
    routes: Sequence[Route] | None,
) -> list[Share]:
    """Everybody whom an announcement means, by who is alike, with why nothing would be sent to them."""
    values = {
        **meant.params, **params(routes or ()), "schemes": list(schemes), "once": once_an_address, "cut": cut,
        "hours_field": hours_field,
    }  # fmt: skip
    async with connection.cursor(row_factory=args_row(Share)) as cursor:
        await cursor.execute(_shares(meant.predicate, pooled=routes is not None), values)
        return await cursor.fetchall()
