"""Who lacks a value that their text shows, of one channel: decided at the last moment.

What was read ahead may be minutes old where a channel is slow. So before anybody waits it is looked at once
more: who is otherwise than they were read is read again, and whoever is being written now is asked about
again in a moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from clarion.flow.dispatch.admission import Lacks
from clarion.flow.dispatch.leavers import Leavers, places
from clarion.kit.crash import crash_point
from clarion.kit.db import AWAY, Connection
from clarion.store import lacking, told_case
from clarion.store.lacking import Known, Wait
from clarion.store.queue import Waiting

SOON = 0.25  # seconds after which who is being written is asked about again


@dataclass(slots=True)
class _Found:
    """What became of some who lack a value."""

    wait: list[Wait]
    gone: list[Waiting]
    changed: list[Waiting]
    busy: list[Waiting]


@dataclass(slots=True)
class Lackers:
    """Of one channel."""

    leavers: Leavers

    async def leave(self, some: Sequence[Lacks], *, others: Iterable[Waiting] = ()) -> None:
        """Let them wait for the value. Where the database is away, as with `Leavers.end`."""
        if not some:
            return
        leavers = self.leavers
        try:
            async with leavers.shared.db.tenant(leavers.workspace_id) as connection:
                found = await _look(connection, some)
                await lacking.wait(connection, found.wait)
                crash_point("end.before_commit")
            crash_point("end.committed")
        except AWAY:
            leavers.read_again([*(one.waiting for one in some), *others])
            raise
        leavers.forget(found.gone)
        leavers.read_again(found.changed)
        ticks = leavers.shared.clock.monotonic()
        for waiting in found.busy:
            leavers.lanes.park(waiting, ticks, SOON)


async def _look(connection: Connection, some: Sequence[Lacks]) -> _Found:
    rows = places(one.waiting for one in some)
    about = [(one.message_id, one.cohort) for one in (each.waiting for each in some) if one.case is not None]
    await lacking.lock(connection, rows)
    people = await lacking.people(connection, {one.waiting.contact_id for one in some})
    kept = await told_case.keep(connection, about) if about else {}
    told = await told_case.of_messages(connection, about) if about else {}
    found = _Found([], [], [], [])
    for one, place in zip(some, rows, strict=True):
        waiting = one.waiting
        if waiting.contact_id not in people or (waiting.case is not None and waiting.message_id not in kept):
            found.busy.append(waiting)
        elif _same(waiting, people[waiting.contact_id], told):
            case_id = kept.get(waiting.message_id) if one.of_case else None
            whose = case_id or waiting.contact_id
            found.wait.append(Wait(place, one.until, whose, one.reason))
            found.gone.append(waiting)
        else:
            found.changed.append(waiting)
    return found


def _same(waiting: Waiting, known: Known, told: Mapping[UUID, dict[str, Any]]) -> bool:
    """Whether what the text was made of is as it was."""
    as_read = (
        waiting.name, waiting.language, waiting.country, waiting.timezone, waiting.external_id, waiting.fields
    )  # fmt: skip
    return known == as_read and told.get(waiting.message_id) == waiting.case
