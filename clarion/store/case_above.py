"""Parents and hosts that would come round to the case itself, by however many steps."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import LiteralString

from clarion.kit.db import Connection, texts

_COLUMNS: dict[str, LiteralString] = {"parent": "parent", "host": "host"}


async def coming_round(
    connection: Connection, which: str, said: Sequence[tuple[int, str, str]], fresh: Set[str] = frozenset()
) -> list[int]:
    """Which of the words (number, external id, what is said to be above it; "": nothing) cannot be: taken
    one after the other, each after those before it that can. `which`: parent or host; the caller has the
    turn. `fresh` are external ids that the database certainly does not know yet."""
    if not await _may_be(connection, _COLUMNS[which], said, fresh):
        return []
    above = await _known_above(
        connection, _COLUMNS[which], {one for _, own, over in said for one in (own, over)}
    )
    wrong = []
    for n, own, over in said:
        if not over:
            above.pop(own, None)
        elif _leads_to(own, over, above):
            wrong.append(n)
        else:
            above[own] = over
    return wrong


def _leads_to(own: str, over: str, above: dict[str, str]) -> bool:
    seen: set[str] = set()
    while over not in seen:
        if over == own:
            return True
        seen.add(over)
        if over not in above:
            return False
        over = above[over]
    return False  # an older ring, which this word is not in


async def _may_be(
    connection: Connection, column: LiteralString, said: Sequence[tuple[int, str, str]], fresh: Set[str]
) -> bool:
    """A ring needs a case that has one above it and is above another: most batches have none."""
    named = {over for _, _, over in said if over}
    if not named:
        return False
    own = [one for _, one, over in said if over]
    if not named.isdisjoint(own):
        return True
    # whichever is told of those below, or of those above, is enough; there are fewer above
    known = named - fresh
    of: LiteralString = f"c.external_id = w.id AND c.{column} IS NOT NULL"
    if not known or not await _any(connection, of, list(known)):
        return False
    return await _any(connection, f"c.{column} = w.id", own)


async def _any(connection: Connection, which: LiteralString, names: Sequence[str]) -> bool:
    """Whether there is a case for any of these names (w.id)."""
    cursor = await connection.execute(
        f"""SELECT true FROM unnest(%s::text[]) AS w(id) CROSS JOIN LATERAL (
             SELECT 1 FROM "case" c WHERE c.workspace_id = (SELECT clarion_workspace()) AND {which}
             LIMIT 1) k
           LIMIT 1""",
        (texts(names),),
        prepare=True,
    )
    return await cursor.fetchone() is not None


async def _known_above(connection: Connection, column: LiteralString, own: set[str]) -> dict[str, str]:
    """What is above each of these, and above that, as far as it is known."""
    of: LiteralString = f"""CROSS JOIN LATERAL (
        SELECT external_id, {column} AS above FROM "case" c
        WHERE c.workspace_id = (SELECT clarion_workspace()) AND c.external_id = w.id LIMIT 1) k
      WHERE k.above IS NOT NULL"""
    cursor = await connection.execute(
        f"""WITH RECURSIVE w(own, id) AS (
             SELECT k.external_id, k.above FROM unnest(%s::text[]) AS w(id) {of}
             UNION SELECT k.external_id, k.above FROM w {of})
           SELECT own, id FROM w""",
        (texts(list(own)),),
        prepare=True,
    )
    return dict(await cursor.fetchall())
