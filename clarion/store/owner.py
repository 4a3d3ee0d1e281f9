"""Who owns an account: one worker at a time over all machines, fenced by an epoch.

The channels of one account have one owner, in the row of the channel that leads them; a channel by itself
leads its own account.

An owner beats; a candidate watches the beat by its own monotonic clock, so that no two machines'
clocks are ever compared. Intents hold KEY SHARE on the owner's row: a beat passes them, a takeover
waits for them, and once it has committed, no intent of the old epoch can.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from uuid import UUID

import orjson
from psycopg.rows import class_row, tuple_row

from clarion.kit.db import Connection


@dataclass(frozen=True, slots=True)
class Holding:
    """An account, by the channel that leads it, as the board shows it to workers (no tenant's data)."""

    workspace_id: UUID
    channel_id: UUID
    worker_id: UUID | None
    epoch: int
    beat: int
    due: bool


@dataclass(frozen=True, slots=True)
class Sight:
    """What an owner tells of a channel with each beat. `health` is up, degraded or down, since a moment, with
    the reason; `waits_for` the limit that lets nobody go now; `aside` how many wait for a limit of their own;
    `outstanding` of `capacity` units, where it is counted."""

    health: str
    why: str
    since: datetime | None
    waits_for: str | None
    aside: int
    outstanding: int | None
    capacity: int | None
    at: datetime


async def board(connection: Connection, now: datetime, heard: Sequence[str] = ()) -> list[Holding]:
    """Every account with an active channel or an owner, over all workspaces; `due` only without an owner.

    Due is what has something to send now; what must be listened to: an active channel of the providers
    `heard`; and where the owner of before left something unknown that may be asked again.
    """
    async with connection.cursor(row_factory=class_row(Holding)) as cursor:
        await cursor.execute("SELECT * FROM clarion_board(%s, %s)", (now, list(heard)), prepare=True)
        return await cursor.fetchall()


async def take(
    connection: Connection, holding: Holding, worker_id: UUID, now: datetime
) -> tuple[int, datetime] | None:
    """Become the owner, if the row is still as `holding` says; (epoch, settled_through) or None.

    What earlier owners left in flight began after `settled_through`.
    """
    await connection.execute(
        """INSERT INTO channel_owner (channel_id, workspace_id, settled_through)
           VALUES (%s, clarion_workspace(), %s) ON CONFLICT DO NOTHING""",
        (holding.channel_id, now - timedelta(minutes=1)),
    )
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(
            """SELECT worker_id, epoch, beat, settled_through FROM channel_owner
               WHERE channel_id = %s FOR UPDATE""",
            (holding.channel_id,),
        )
        found = await cursor.fetchone()
        if found is None or (found[0], found[1], found[2]) != (
            holding.worker_id,
            holding.epoch,
            holding.beat,
        ):
            return None
        await cursor.execute(
            """UPDATE channel_owner SET worker_id = %s, epoch = epoch + 1, beat = beat + 1,
                 sights = '{}'
               WHERE channel_id = %s""",
            (worker_id, holding.channel_id),
        )
    return found[1] + 1, found[3]


async def beat(
    connection: Connection,
    channel_id: UUID,
    worker_id: UUID,
    epoch: int,
    settled_through: datetime | None,
    sights: Mapping[UUID, Sight] | None = None,
    asks_until: datetime | None = None,
) -> bool:
    """Say that the owner lives, how far it has settled, how its channels do, and until when it asks again
    what is unknown; False when it owns the account no longer."""
    told = {str(id): asdict(sight) for id, sight in (sights or {}).items()}
    cursor = await connection.execute(
        """UPDATE channel_owner SET beat = beat + 1, sights = %s, asks_until = %s,
             settled_through = greatest(settled_through, coalesce(%s, settled_through))
           WHERE channel_id = %s AND worker_id = %s AND epoch = %s""",
        (orjson.dumps(told).decode(), asks_until, settled_through, channel_id, worker_id, epoch),
        prepare=True,
    )
    return cursor.rowcount == 1


async def release(
    connection: Connection, channel_id: UUID, worker_id: UUID, epoch: int, asks_until: datetime | None = None
) -> None:
    """Give the account up, with nothing in flight; the next owner need not wait. Until `asks_until` it is
    due though nothing waits."""
    await connection.execute(
        """UPDATE channel_owner SET worker_id = NULL, sights = '{}', asks_until = %s
           WHERE channel_id = %s AND worker_id = %s AND epoch = %s""",
        (asks_until, channel_id, worker_id, epoch),
    )
