"""A sequence is written to RapidPro, over a channel of it, as a campaign with an event for each moment.

Nothing is kept of it here: what is there is read each time, and made equal to the sequence.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

from clarion.connectors.rapidpro.client import Client
from clarion.connectors.rapidpro.plan import Wanted
from clarion.connectors.rapidpro.push import SETTLE, Pushed, Pusher
from clarion.connectors.rapidpro.shown import Change, changes
from clarion.connectors.rapidpro.translate import translate
from clarion.connectors.rapidpro.wording import Names
from clarion.domain.audience import Audience
from clarion.domain.campaign import State
from clarion.domain.sequence import Sequence
from clarion.errors import Conflict, Invalid
from clarion.flow import sequence
from clarion.flow.bring.calling import opened
from clarion.flow.dispatch.account import Channel
from clarion.flow.services import Services
from clarion.kit.db import Connection
from clarion.store import brought, group
from clarion.store import field as fields

LANGUAGE = "eng"  # where the channel's option says no other
_SAY = "Say which group there with --group."


def _nothing(_: object) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be pushed: the sequence, to the `group` of this name there (else the one that it is for).
    `done` hears of every change that was made, `waiting` of every wait, in seconds; lists there are read
    `settle` seconds after the last change."""

    campaign_id: UUID
    group: str | None = None
    done: Callable[[str], None] = field(default=_nothing)
    waiting: Callable[[float], None] = field(default=_nothing)
    settle: float = SETTLE


@dataclass(frozen=True, slots=True)
class Pushing:
    """A sequence as RapidPro is to have it."""

    wanted: Wanted
    pusher: Pusher

    async def foresee(self) -> list[Change]:
        """What a push would do now; nothing is changed. Raises as `push`."""
        there, todo = await self.pusher.foresee(self.wanted)
        return changes(self.wanted, there, todo)

    async def push(self) -> Pushed:
        """Make it so; again, it changes nothing; killed, the next one finishes it. Raises Invalid, Conflict,
        Misconfigured, Unavailable."""
        return await self.pusher.push(self.wanted)


@asynccontextmanager
async def pushing(
    services: Services, workspace_id: UUID, channel_id: UUID, wish: Wish, client: Client | None = None
) -> AsyncIterator[Pushing]:
    """A sequence on its way to RapidPro. Raises NotFound, Conflict (people hear it from here already), and
    Invalid with everything that RapidPro cannot do."""
    async with opened(services, workspace_id, channel_id, wish.waiting, client) as (channel, asked):
        async with services.db.tenant(workspace_id) as connection:
            definition, names = await wanted_names(connection, channel, wish)
        yield Pushing(_translated(definition, names), Pusher(asked, settle=wish.settle, told=wish.done))


async def wanted_names(connection: Connection, channel: Channel, wish: Wish) -> tuple[Sequence, Names]:
    """What is to be pushed, and what things are called there. Raises NotFound, Invalid, and Conflict where
    people hear it from here."""
    row, definition = await sequence.read(connection, wish.campaign_id)
    if row["state"] in (State.RUNNING, State.PAUSED):
        raise Conflict(
            f"this sequence is {row['state']}: its people would hear everything twice, from RapidPro too",
            where="state",
            hint="Cancel it here first, or push another one that is a draft.",
        )
    name = wish.group or await _group(connection, definition.audience)
    options = channel.account.options
    return definition, Names(
        str(row["name"]), name, await fields.declared(connection), options.get("flows", {}),
        str(options.get("language", LANGUAGE)),
    )  # fmt: skip


def _translated(definition: Sequence, names: Names) -> Wanted:
    wanted = translate(definition, names)
    wanted.check()
    return wanted


async def _group(connection: Connection, audience: Audience) -> str:
    """What the one group of an audience is called there. Raises Invalid where it is more than a group."""
    only = audience.include.groups
    rest = audience.include.everyone or audience.include.contacts or audience.include.filter
    if len(only) != 1 or rest or not audience.exclude.is_nobody:
        raise Invalid("a campaign of RapidPro's is for one group", where="audience", hint=_SAY)
    if len(await group.below(connection, only)) > 1:
        raise Invalid("this group has others below it, and RapidPro's have none", where="audience", hint=_SAY)
    found = await group.get(connection, only[0])
    there = (one for one in (await brought.groups(connection)).values() if one["group_id"] == only[0])
    return str(next((one["name"] for one in there), found["name"]))
