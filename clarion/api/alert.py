"""Alerts: people are told of a case that meets criteria, from when it does or from a date of it."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Query

from clarion.api.alert_shapes import (
    AlertAnswer,
    AlertBody,
    AlertChange,
    AlertInList,
    RecipientAnswer,
    WouldTellAnswer,
    answer,
    recipient,
)
from clarion.api.announcement_answers import ProgressAnswer
from clarion.api.auth import needs
from clarion.api.edge import Edge
from clarion.api.pages import Ask, Page, asked
from clarion.api.problems import responses
from clarion.api.routers import new_router
from clarion.api.sequence_shapes import in_list
from clarion.domain.alert import KIND
from clarion.domain.enrollment import Status
from clarion.domain.scope import Scope
from clarion.flow import alert, progress, rerun
from clarion.flow.enroll import would_tell
from clarion.kit.db import Connection
from clarion.store import campaign as campaigns
from clarion.store import enrollment as enrollments

router = new_router("alerts", "People are told of cases that meet criteria, in time before a date of them.")

Reader = Annotated[Edge, needs(Scope.ANNOUNCEMENTS_READ)]
Writer = Annotated[Edge, needs(Scope.ANNOUNCEMENTS_WRITE)]
Statuses = Annotated[list[Status] | None, Query(description="only these; repeat it for several")]
MOST_CASES = 200_000
"""What one request may go over beforehand; `clarion alert edit --dry-run` takes more."""
Confirm = Annotated[bool, Query(description="also where all cases of the type meet its criteria")]


@router.post("", status_code=201, summary="Write an alert", responses=responses(409))
async def create(body: AlertBody, edge: Writer) -> AlertAnswer:
    """Everything that is wrong with it is told at once. With `launch` it watches its cases from then on."""
    definition = body.definition()
    await alert.freshen(edge.apart, edge.workspace_id, body.channel_id, definition)
    async with edge.transaction() as connection:
        alert_id = await alert.create(
            connection, edge.services, name=body.name, channel_id=body.channel_id, definition=definition,
            by=edge.caller.name,
        )  # fmt: skip
        if body.launch:
            await alert.launch(connection, edge.services, alert_id, confirm_all=body.confirm_all)
        return await shown(connection, edge, alert_id)


@router.get("", summary="List alerts, newest first")
async def listed(edge: Reader, ask: Annotated[Ask, asked()]) -> Page[AlertInList]:
    async with edge.transaction() as connection:
        found = await campaigns.page(connection, KIND, ask.after, ask.fetch)
        return ask.page(AlertInList, [in_list(row) for row in found])


@router.get("/{alert_id}", summary="Show an alert", responses=responses(404))
async def show(alert_id: UUID, edge: Reader) -> AlertAnswer:
    async with edge.transaction() as connection:
        return await shown(connection, edge, alert_id)


@router.patch("/{alert_id}", summary="Edit it, also while it runs", responses=responses(404, 409))
async def change(alert_id: UUID, body: AlertChange, edge: Writer) -> AlertAnswer:
    """What decides who hears, or when, has all its cases gone through again; nothing is said twice. While
    that lasts (`rerun`) it cannot be changed once more; content can, and such an edit moves nothing."""
    changes = body.changes()
    async with edge.transaction() as connection:
        row, before = await alert.read(connection, alert_id)
    after = before.model_copy(update=changes)
    await alert.freshen(edge.apart, edge.workspace_id, body.channel_id or row["channel_id"], after)
    async with edge.transaction() as connection:
        await alert.edit(
            connection, edge.services, alert_id, name=body.name, channel_id=body.channel_id, changes=changes,
            say_again=body.say_again,
        )  # fmt: skip
        return await shown(connection, edge, alert_id)


@router.post(
    "/{alert_id}/dry-run", summary="What an edit or the launch would do", responses=responses(404, 409, 413)
)
async def dry_run(alert_id: UUID, edge: Reader, body: AlertChange | None = None) -> WouldTellAnswer:
    """To how many cases, and to how many who hear of them, while nothing is written; of a draft, if it were
    launched. 413 where there are too many cases for a request: the command line goes over any number."""
    wanted = body or AlertChange()
    found = await would_tell.would(
        edge.apart, edge.workspace_id, alert_id, wanted.changes(), say_again=wanted.say_again,
        most=MOST_CASES,
    )  # fmt: skip
    return WouldTellAnswer.model_validate(found)


@router.post("/{alert_id}/launch", summary="Launch it", responses=responses(404, 409))
async def launch(alert_id: UUID, edge: Writer, confirm_all: Confirm = False) -> AlertAnswer:
    """Cases that meet its criteria are told of, now and as they come to. Where all of the type do, it asks
    to be told that this is meant."""
    async with edge.transaction() as connection:
        await alert.launch(connection, edge.services, alert_id, confirm_all=confirm_all)
        return await shown(connection, edge, alert_id)


@router.post("/{alert_id}/pause", summary="Pause it", responses=responses(404, 409))
async def pause(alert_id: UUID, edge: Writer) -> AlertAnswer:
    """Nothing more is sent. Its cases stay in step; what falls due meanwhile is skipped when it goes on."""
    async with edge.transaction() as connection:
        await alert.pause(connection, edge.services, alert_id)
        return await shown(connection, edge, alert_id)


@router.post("/{alert_id}/resume", summary="Resume it", responses=responses(404, 409))
async def resume(alert_id: UUID, edge: Writer) -> AlertAnswer:
    async with edge.transaction() as connection:
        await alert.resume(connection, edge.services, alert_id)
        return await shown(connection, edge, alert_id)


@router.post("/{alert_id}/cancel", summary="End it", responses=responses(404, 409))
async def cancel(alert_id: UUID, edge: Writer) -> AlertAnswer:
    """For all cases, and for good: what waits is cancelled."""
    async with edge.transaction() as connection:
        await alert.cancel(connection, edge.services, alert_id)
        return await shown(connection, edge, alert_id)


@router.get("/{alert_id}/progress", summary="What became of its messages", responses=responses(404))
async def far(alert_id: UUID, edge: Reader) -> ProgressAnswer:
    async with edge.transaction() as connection:
        await campaigns.get(connection, alert_id, KIND)
        return ProgressAnswer.model_validate(await progress.progress(connection, alert_id, edge.now()))


@router.get("/{alert_id}/recipients", summary="Who hears of which case", responses=responses(404))
async def people(
    alert_id: UUID, edge: Reader, ask: Annotated[Ask, asked()], status: Statuses = None
) -> Page[RecipientAnswer]:
    """Where each of them is, in the order in which the cases were added."""
    async with edge.transaction() as connection:
        _, definition = await alert.read(connection, alert_id)
        found = await enrollments.page(
            connection, alert_id, states=status or (), after=ask.after, limit=ask.fetch
        )
        return ask.page(RecipientAnswer, [recipient(row, definition) for row in found], key="subject_id")


async def shown(connection: Connection, edge: Edge, alert_id: UUID) -> AlertAnswer:
    row, definition = await alert.read(connection, alert_id)
    far = await rerun.shown(connection, alert_id, edge.now())
    return answer(row, definition, await enrollments.counts(connection, alert_id), far)
