"""Parents and hosts that would come round to the case itself, by however many steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import LiteralString

from clarion.kit.db import Connection, texts

_COLUMNS: dict[str, LiteralString] = {"parent": "parent", "host": "host"}


Said = tuple[int, str, str]  # a word's number, its external id, what is said to be above it ("": nothing)


async def coming_round(
    connection: Connection, said: Mapping[str, Sequence[Said]], fresh: Set[str] = frozenset()
) -> dict[int, str]:
    """Which of the words cannot be, and by what: taken one after the other by their numbers, each after those
    before it that can. `said` is by parent and host; a word that cannot be by one says nothing of the other.
    The caller has the turn. `fresh` are external ids that the database certainly does not know yet."""
    above = {
        which: await _known_above(connection, _COLUMNS[which], {one for _, *both in some for one in both})
        for which, some in said.items()
        if await _may_be(connection, _COLUMNS[which], some, fresh)
    }
    links: dict[int, list[tuple[str, str, str]]] = {}
    for which in above:
        for n, own, over in said[which]:
            links.setdefault(n, []).append((which, own, over))
    wrong: dict[int, str] = {}
    for n, some in sorted(links.items()):
        for which, own, over in some:
            if _leads_to(own, over, above[which]):
                wrong[n] = which
                break
        else:
            for which, own, over in some:
                above[which][own] = over
    return wrong


def _leads_to(own: str, over: str, above: dict[str, str]) -> bool:
    seen: set[str] = set()
    while over not in seen:
        if over == own:
            return True
        seen.add(over)
        if not above.get(over):
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
