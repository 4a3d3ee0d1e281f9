"""Audiences as SQL: whom a campaign means, and how many of them it will reach.

Those who are meant by group, filter or as everyone are active contacts. A contact who is named one by
one is meant whatever became of them: an erased one so that there is a row that says so, and one who was
merged together with the contact that they are now.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, LiteralString
from uuid import UUID

from clarion.domain.audience import Audience, Selection
from clarion.kit.db import Connection, row
from clarion.store.criteria import Frame, Values, below, compiled, frame, in_groups
from clarion.store.expansion import Meant

OnePer = Literal["person", "address"]


def meant(audience: Audience, read_in: Frame) -> Meant:
    """The condition on `contact c` that holds for whom the audience means, and its named values.

    Never null. Its names begin with `who_`, so it can stand in any statement with names of its own.
    """
    values = Values()
    return Meant(_audience(audience, read_in, values), values.params)


async def resolve(connection: Connection, audience: Audience, now: datetime) -> Meant:
    """`meant`, read in the transaction's workspace at `now`; found by key where few are meant by name.

    A group of twenty in a workspace of a million is then twenty look-ups, not a million. For nobody (an alert
    means nobody by itself) nothing is looked up.
    """
    if audience.include.is_nobody:
        return Meant("false", {})
    values = Values()
    return Meant(await _condition(connection, audience, now, values), values.params)


async def _condition(
    connection: Connection, audience: Audience, now: datetime, values: Values
) -> LiteralString:
    condition = _audience(audience, await frame(connection, now), values)
    few = await _few(connection, audience.include)
    return condition if few is None else f"c.id = ANY ({values.add(few)}::uuid[]) AND {condition}"


FEW = 10_000


async def _few(connection: Connection, some: Selection) -> list[UUID] | None:
    """Everybody who may be meant, when only groups and contacts are named and these are few; else None."""
    if some.everyone or some.filter is not None:
        return None
    values = Values()
    groups, contacts = below(some.groups, values), values.add(list(some.contacts))
    cursor = await connection.execute(
        f"""SELECT gm.contact_id FROM group_member gm WHERE gm.group_id = ANY ({groups})
            UNION ALL SELECT unnest({contacts}::uuid[])
            UNION ALL SELECT self.merged_into FROM contact self
            WHERE self.id = ANY ({contacts}::uuid[]) AND self.merged_into IS NOT NULL
            LIMIT {FEW + 1}""",
        values.params,
    )
    found = [one[0] for one in await cursor.fetchall()]
    return None if len(found) > FEW else list(set(found))


def _audience(audience: Audience, read_in: Frame, values: Values) -> LiteralString:
    included = _selection(audience.include, read_in, values)
    if audience.exclude.is_nobody:
        return included
    return f"{included} AND NOT {_selection(audience.exclude, read_in, values)}"


def _selection(some: Selection, read_in: Frame, values: Values) -> LiteralString:
    living: list[LiteralString] = []
    if some.everyone:
        living.append("true")
    if some.groups:
        living.append(in_groups(some.groups, values))
    if some.filter is not None:
        living.append(compiled(some.filter, read_in, values))
    either: list[LiteralString] = []
    if living:
        either.append(f"(c.status = 'active' AND ({' OR '.join(living)}))")
    if some.contacts:
        ids = values.add(list(some.contacts))
        either.append(
            f"""c.id = ANY ({ids}::uuid[]) OR c.id = ANY (ARRAY(SELECT self.merged_into FROM contact self
              WHERE self.id = ANY ({ids}::uuid[]) AND self.merged_into IS NOT NULL))"""
        )
    return f"({' OR '.join(either)})" if either else "false"


def _memberships_beyond_first(some: Selection, values: Values) -> LiteralString:
    """How many memberships of the groups meant are a person's second, third and so on."""
    if not some.groups:
        return "0"
    return f"""SELECT count(*) - count(DISTINCT gm.contact_id) FROM group_member gm
      WHERE gm.group_id = ANY ({below(some.groups, values)}) AND gm.contact_id IN (SELECT id FROM who)"""


_PREVIEW: tuple[LiteralString, LiteralString, LiteralString] = (
    "WITH who AS MATERIALIZED (SELECT c.id, c.status FROM contact c WHERE ",
    """), reach AS (
      SELECT a.consent_key, a.consent_key IS NULL AND EXISTS (
          SELECT FROM address d WHERE d.contact_id = w.id AND d.status = 'active'
            AND d.scheme = ANY (%(further)s::text[])
            AND NOT EXISTS (SELECT FROM consent o WHERE o.consent_key = d.consent_key AND o.state = 'out')
        ) AS further,
        CASE WHEN w.status = 'erased' THEN 'erased'
             WHEN w.status = 'merged' THEN 'duplicate_person'
             WHEN a.consent_key IS NULL AND EXISTS (
               SELECT FROM invalid_address i WHERE i.contact_id = w.id) THEN 'invalid_number'
             WHEN a.consent_key IS NULL THEN 'no_address'
             WHEN EXISTS (SELECT FROM consent o WHERE o.consent_key = a.consent_key AND o.state = 'out')
               THEN 'opted_out' END AS reason
      FROM who w LEFT JOIN LATERAL (
        SELECT address.consent_key FROM address
        WHERE address.contact_id = w.id AND address.status = 'active'
          AND address.scheme = ANY (%(schemes)s::text[])
        ORDER BY array_position(%(schemes)s::text[], address.scheme), address.position, address.id
        LIMIT 1) a ON true
    )
    SELECT count(*) AS people,
      count(*) FILTER (WHERE reason IS NULL) AS reachable,
      count(*) FILTER (WHERE reason IS NULL) - count(DISTINCT consent_key) FILTER (WHERE reason IS NULL)
        AS sharing_an_address,
      count(*) FILTER (WHERE reason = 'duplicate_person') AS duplicate_person,
      count(*) FILTER (WHERE reason = 'opted_out') AS opted_out,
      count(*) FILTER (WHERE reason = 'no_address') AS no_address,
      count(*) FILTER (WHERE reason = 'invalid_number') AS invalid_number,
      count(*) FILTER (WHERE reason = 'erased') AS erased,
      count(*) FILTER (WHERE reason IN ('no_address', 'invalid_number') AND further) AS by_fallback,
      (""",
    ") AS in_several_groups FROM reach",
)


async def preview(
    connection: Connection,
    audience: Audience,
    schemes: Sequence[str],
    one_per: OnePer = "person",
    *,
    now: datetime,
    further: Sequence[str] = (),
) -> dict[str, int]:
    """What sending to this audience now would come to, by channels that reach `schemes` (best first).

    `people` = `reachable` + `duplicate_person` + `duplicate_address` + `opted_out` + `no_address` +
    `invalid_number` + `erased`, the reasons of the ledger (`message.Skip`). Beside that:
    `in_several_groups`, the memberships beyond each person's first, and `sharing_an_address`, the people
    reachable only where somebody else is reached too; by `one_per` address these are duplicates. Given
    `further` schemes, `by_fallback` are those without an address whom these reach.
    """
    values = Values()
    condition = await _condition(connection, audience, now, values)
    several = _memberships_beyond_first(audience.include, values)
    before, after, end = _PREVIEW
    params = {**values.params, "schemes": list(schemes), "further": list(further)}
    found = await row(connection, before + condition + after + several + end, params)
    counts: dict[str, int] = dict(found or {})
    counts["duplicate_address"] = counts["sharing_an_address"] if one_per == "address" else 0
    counts["reachable"] -= counts["duplicate_address"]
    if not further:
        del counts["by_fallback"]
    return counts
