"""Whom a campaign means: checked when it is written, resolved when it is sent (or frozen when launched)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from clarion.domain.audience import Audience, Selection
from clarion.domain.campaign import Announcement
from clarion.domain.leaf import InGroup
from clarion.domain.matching import check, walk
from clarion.errors import Problem
from clarion.kit.db import Connection
from clarion.store import audience as audiences
from clarion.store import criteria, frozen
from clarion.store.expansion import Meant


async def meant(
    connection: Connection, campaign_id: UUID, definition: Announcement, moment: datetime
) -> Meant:
    """Whom a launched campaign means at `moment`."""
    if definition.frozen:
        return frozen.meant(campaign_id)
    return await now_meant(connection, definition.audience, moment)


async def now_meant(connection: Connection, audience: Audience, moment: datetime) -> Meant:
    """Whom an audience means at `moment`, whatever was frozen."""
    return await audiences.resolve(connection, audience, moment)


async def problems(connection: Connection, audience: Audience, now: datetime) -> list[Problem]:
    """What is wrong with an audience: groups, contacts and fields that there are not."""
    found = []
    if audience.include.is_nobody:
        hint = "Name groups or contacts, give a filter, or say everyone."
        found.append(Problem("audience.include", "nobody is meant", hint))
    for place, some in (("include", audience.include), ("exclude", audience.exclude)):
        found += await _selection(connection, some, f"audience.{place}", now)
    return found


async def _selection(connection: Connection, some: Selection, where: str, now: datetime) -> list[Problem]:
    found = []
    if some.groups:
        there = await frozen.groups_that_are(connection, some.groups)
        found += [
            Problem(f"{where}.groups[{n}]", "no such group")
            for n, id in enumerate(some.groups)
            if id not in there
        ]
    if some.contacts:
        known = await frozen.contacts_that_are(connection, some.contacts)
        missing = [n for n, id in enumerate(some.contacts) if id not in known]
        found += [Problem(f"{where}.contacts[{n}]", "no such contact") for n in missing[:100]]
    if some.filter is not None:
        frame = await criteria.frame(connection, now)
        named = [node.in_group for _, node, _ in walk(some.filter) if isinstance(node, InGroup)]
        groups = await frozen.groups_that_are(connection, [id for name in named if (id := group_id(name))])
        wrong = check(some.filter, frame.known, groups={str(id) for id in groups}, zone=frame.zone)
        found += [Problem(f"{where}.filter{p.where.removeprefix('$')}", p.what, p.hint) for p in wrong]
    return found


def group_id(name: str) -> UUID | None:
    """The group that criteria name, where it is an identifier."""
    try:
        return UUID(name)
    except ValueError:
        return None
