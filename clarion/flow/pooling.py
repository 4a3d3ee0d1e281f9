"""Pools of channels, and what a workspace's announcements go over by default. Each verb is part of the
caller's transaction; a pool is judged when it is made and when it is changed."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from clarion.domain.pool import LONGEST_NAME, MOST, MOST_PREFIXES, NUMBERED, PoolMember, common
from clarion.errors import Conflict, Invalid, NotFound, Problem
from clarion.flow import route
from clarion.flow.services import Services
from clarion.kit.db import Connection
from clarion.kit.ids import uuid7
from clarion.providers import registry
from clarion.store import channel as channels
from clarion.store import pool as pools
from clarion.store import workspace as workspaces


async def create(
    connection: Connection,
    services: Services,
    *,
    name: str,
    members: Sequence[PoolMember],
    skip_paused: bool = False,
) -> UUID:
    """A pool of these channels, the first of which leads; its identifier. Raises Invalid with all that is
    wrong, and Conflict on the name."""
    now = services.clock.now()
    pool_id = uuid7(now)
    await _check(connection, members)
    await pools.create(
        connection, pool_id, name=_name(name), skip_paused=skip_paused, members=members, now=now
    )
    return pool_id


async def change(
    connection: Connection,
    services: Services,
    pool_id: UUID,
    *,
    name: str | None = None,
    members: Sequence[PoolMember] | None = None,
    skip_paused: bool | None = None,
) -> None:
    """Another name, other channels (all of them) or another rule. It holds for whoever is written down from
    now on; what waits stays where it is. Raises NotFound, Invalid, Conflict."""
    if members is not None:
        await _check(connection, members)
    await pools.change(
        connection, pool_id, name=None if name is None else _name(name), skip_paused=skip_paused,
        members=members, now=services.clock.now(),
    )  # fmt: skip


async def remove(connection: Connection, pool_id: UUID) -> None:
    """It is no more; its channels stay. Raises NotFound, and Conflict while an announcement that has not
    ended goes over it, or the workspace's do by default."""
    found = await pools.get(connection, pool_id)
    if (user := await pools.used_by(connection, pool_id)) is not None:
        raise Conflict(
            f"an announcement goes over this pool: {user['name']} ({user['state']})",
            where="pool",
            hint="Edit or cancel it, or wait until it has ended.",
        )
    if (await workspaces.settings(connection)).get(route.SETTING) == {"pool_id": str(found["id"])}:
        raise Conflict(
            "announcements go over this pool by default",
            where="pool",
            hint="Name another default first: `clarion workspace set --channel …`.",
        )
    await pools.remove(connection, pool_id)


async def set_default(
    connection: Connection, *, channel_id: UUID | None = None, pool_id: UUID | None = None
) -> None:
    """What announcements go over that name neither: one of the two, or (both None) none. Raises Invalid."""
    if channel_id is not None and pool_id is not None:
        raise Invalid("the default is either a channel or a pool", where="default_pool_id")
    value: dict[str, object] = {}
    try:
        if channel_id is not None:
            value = {"channel_id": str((await channels.get(connection, channel_id))["id"])}
        if pool_id is not None:
            value = {"pool_id": str((await pools.get(connection, pool_id))["id"])}
    except NotFound as error:
        where = "default_channel_id" if pool_id is None else "default_pool_id"
        raise Invalid(error.what, where=where, hint=error.hint) from None
    await workspaces.set_setting(connection, route.SETTING, value)


async def _check(connection: Connection, members: Sequence[PoolMember]) -> None:
    """Raises Invalid with everything that keeps these channels from standing for one another."""
    if not 1 <= len(members) <= MOST:
        raise Invalid(f"a pool has 1 to {MOST} channels", where="channels")
    if sum(len(member.prefixes) for member in members) > MOST_PREFIXES:
        raise Invalid(f"a pool has at most {MOST_PREFIXES:,} prefixes", where="channels")
    problems: list[Problem] = []
    found = []
    for place, member in enumerate(members):
        where = f"channels[{place}].channel_id"
        if any(member.channel_id == other.channel_id for other in members[:place]):
            problems.append(Problem(where, "this channel is in it already", "Name each channel once."))
            continue
        try:
            found.append(registry.get((await channels.get(connection, member.channel_id))["provider"]))
        except NotFound:
            problems.append(Problem(where, "no such channel", "GET /api/v1/channels lists them."))
    if not problems:
        schemes = common([provider.schemes for provider in found])
        if not schemes:
            hint = f"These reach {'; '.join(sorted({', '.join(one.schemes) for one in found}))}."
            problems.append(Problem("channels", "no kind of address is reached by all of them", hint))
        if not frozenset.intersection(*(frozenset(one.kinds) for one in found)):
            problems.append(Problem("channels", "no kind of content is carried by all of them"))
        problems += _prefixes(members, schemes)
    if problems:
        raise Invalid("these channels make no pool", problems=tuple(problems))


def _prefixes(members: Sequence[PoolMember], schemes: Sequence[str]) -> list[Problem]:
    """Prefixes where addresses are no numbers: nobody would ever fit."""
    if not schemes or any(scheme in NUMBERED for scheme in schemes):
        return []
    return [
        Problem(f"channels[{place}].prefixes", f"prefixes are of numbers, and these reach {schemes[0]}")
        for place, member in enumerate(members)
        if member.prefixes
    ]


def _name(name: str) -> str:
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME:
        raise Invalid(f"a pool needs a name of at most {LONGEST_NAME} characters", where="name")
    return name
