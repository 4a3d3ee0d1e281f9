"""Words about cases that come at the same moment, from many callers, are written together.

Writers of one workspace's cases take turns (`store.case_intake`), so whoever saves while another saves has to
wait anyway. All who wait are written by the next transaction, at the cost of one. Each has an answer of its
own once all is committed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID

from clarion.flow.cases import upsert_cases
from clarion.kit.clock import Clock
from clarion.kit.db import AWAY, Database
from clarion.kit.log import logger
from clarion.kit.together import Together
from clarion.store.case_intake import Taken

FEW = 20  # documents of one caller; who brings more is a transaction by themselves
MOST, APART = 100, 0.02  # callers a transaction, and seconds between two where there are always some
log = logger(__name__)
Documents = Sequence[Mapping[str, Any]]
_Told = list[Taken] | Exception
_Upsert = Callable[[Documents], Awaitable[list[Taken]]]
_Who = tuple[UUID, str, str]  # whose cases, how they come, and who says so


@dataclass(frozen=True, slots=True)
class Saves:
    """One a process, for one database."""

    _together: Together[_Who, Documents, _Told] = field(
        default_factory=lambda: Together(most=MOST, apart=APART)
    )

    async def save(
        self, db: Database, clock: Clock, workspace_id: UUID, given: Documents, *, how: str = "api",
        by: str = "",
    ) -> list[Taken]:  # fmt: skip
        """As `cases.upsert_cases`, in a transaction that others may share: it is committed when this returns.
        A caller that goes away meanwhile is written nevertheless."""
        write = partial(upsert_cases, db, clock, workspace_id, how=how, by=by)
        if len(given) > FEW:
            return await write(given)
        told = await self._together.ask((workspace_id, how, by), given, partial(_write, write))
        if isinstance(told, Exception):
            raise told
        return told


async def _write(write: _Upsert, some: Sequence[Documents]) -> list[_Told]:
    """What became of the documents of each, or why they could not be written."""
    try:
        taken = iter(await write([document for own in some for document in own]))
        return [[next(taken) for _ in own] for own in some]
    except AWAY:
        raise
    except Exception as error:  # whatever it was, only whose word it is shall hear of it
        if len(some) == 1:
            return [error]
        log.warning("cases that came together are written one by one", error=type(error).__name__)
        return [(await _write(write, [own]))[0] for own in some]
