"""Sequences: everybody of a live audience is followed through a schedule, from a date of their own."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Query

from clarion.api.announcement_answers import ProgressAnswer
from clarion.api.auth import needs
from clarion.api.edge import Edge
from clarion.api.pages import Ask, Page, asked
from clarion.api.problems import responses
from clarion.api.routers import new_router
from clarion.api.sequence_shapes import (
    EnrollmentAnswer,
    SequenceAnswer,
    SequenceBody,
    SequenceChange,
    SequenceInList,
    SteerBody,
    SteeredAnswer,
    WouldAnswer,
    ahead,
    answer,
    enrollment,
    in_list,
)
from clarion.domain.enrollment import Status
from clarion.domain.scope import Scope
from clarion.domain.sequence import KIND
from clarion.flow import progress, sequence
from clarion.flow.enroll import crowd, steer, would
from clarion.kit.db import Connection
from clarion.store import campaign as campaigns
from clarion.store import enrollment as enrollments

router = new_router("sequences", "People of a live audience, each followed from a date of their own.")

Reader = Annotated[Edge, needs(Scope.ANNOUNCEMENTS_READ)]
Writer = Annotated[Edge, needs(Scope.ANNOUNCEMENTS_WRITE)]
Statuses = Annotated[list[Status] | None, Query(description="only these; repeat it for several")]


@router.post("", status_code=201, summary="Write a sequence", responses=responses(409))
async def create(body: SequenceBody, edge: Writer) -> SequenceAnswer:
    """Everything that is wrong with it is told at once. With `launch` its door is open from then on."""
    definition = body.definition()
    await sequence.freshen(edge.apart, edge.workspace_id, body.channel_id, definition)
    async with edge.transaction() as connection:
        campaign_id = await sequence.create(
            connection, edge.services, name=body.name, channel_id=body.channel_id, definition=definition,
            by=edge.caller.name,
        )  # fmt: skip
        if body.launch:
            await sequence.launch(connection, edge.services, campaign_id)
        return await _shown(connection, campaign_id)


@router.get("", summary="List sequences, newest first")
async def listed(edge: Reader, ask: Annotated[Ask, asked()]) -> Page[SequenceInList]:
    async with edge.transaction() as connection:
        found = await campaigns.page(connection, KIND, ask.after, ask.fetch)
        return ask.page(SequenceInList, [in_list(row) for row in found])


@router.get("/{sequence_id}", summary="Show a sequence", responses=responses(404))
async def show(sequence_id: UUID, edge: Reader) -> SequenceAnswer:
    async with edge.transaction() as connection:
        return await _shown(connection, sequence_id)


@router.patch("/{sequence_id}", summary="Edit it, also while it runs", responses=responses(404, 409))
async def change(sequence_id: UUID, body: SequenceChange, edge: Writer) -> SequenceAnswer:
    """Of a changed schedule only what is to come is reckoned anew, from where each person is; nothing is said
    twice. An edit of content alone moves nothing."""
    changes = body.changes()
    async with edge.transaction() as connection:
        row, before = await sequence.read(connection, sequence_id)
    after = before.model_copy(update=changes)
    await sequence.freshen(edge.apart, edge.workspace_id, body.channel_id or row["channel_id"], after)
    async with edge.transaction() as connection:
        await sequence.edit(
            connection,
            edge.services,
            sequence_id,
            name=body.name,
            channel_id=body.channel_id,
            changes=changes,
        )
        return await _shown(connection, sequence_id)


@router.post("/{sequence_id}/dry-run", summary="What an edit would do", responses=responses(404, 409))
async def dry_run(sequence_id: UUID, body: SequenceChange, edge: Reader) -> WouldAnswer:
    """To how many people, while nothing is written. Takes a second for some ten thousand people."""
    found = await would.would(edge.apart, edge.workspace_id, sequence_id, body.changes())
    return WouldAnswer.model_validate(found)


@router.post("/{sequence_id}/launch", summary="Open its door", responses=responses(404, 409))
async def launch(sequence_id: UUID, edge: Writer) -> SequenceAnswer:
    """Everybody whom it means is enrolled, now and as they come."""
    async with edge.transaction() as connection:
        await sequence.launch(connection, edge.services, sequence_id)
        return await _shown(connection, sequence_id)


@router.post("/{sequence_id}/pause", summary="Pause it", responses=responses(404, 409))
async def pause(sequence_id: UUID, edge: Writer) -> SequenceAnswer:
    """Nothing more is sent. Everybody stays in step; what falls due meanwhile is skipped when it goes on."""
    async with edge.transaction() as connection:
        await sequence.pause(connection, edge.services, sequence_id)
        return await _shown(connection, sequence_id)


@router.post("/{sequence_id}/resume", summary="Resume it", responses=responses(404, 409))
async def resume(sequence_id: UUID, edge: Writer) -> SequenceAnswer:
    async with edge.transaction() as connection:
        await sequence.resume(connection, edge.services, sequence_id)
        return await _shown(connection, sequence_id)


@router.post("/{sequence_id}/cancel", summary="End it", responses=responses(404, 409))
async def cancel(sequence_id: UUID, edge: Writer) -> SequenceAnswer:
    """For everybody in it, and for good: what waits is cancelled, nobody enters any more."""
    async with edge.transaction() as connection:
        await sequence.cancel(connection, edge.services, sequence_id)
        return await _shown(connection, sequence_id)


@router.get("/{sequence_id}/progress", summary="What became of its messages", responses=responses(404))
async def far(sequence_id: UUID, edge: Reader) -> ProgressAnswer:
    async with edge.transaction() as connection:
        await campaigns.get(connection, sequence_id, KIND)
        return ProgressAnswer.model_validate(await progress.progress(connection, sequence_id, edge.now()))


@router.get("/{sequence_id}/enrollments", summary="Who is in it", responses=responses(404))
async def people(
    sequence_id: UUID, edge: Reader, ask: Annotated[Ask, asked()], status: Statuses = None
) -> Page[EnrollmentAnswer]:
    """Where each of them is, in the order in which the people were added."""
    async with edge.transaction() as connection:
        _, definition = await sequence.read(connection, sequence_id)
        found = await enrollments.page(
            connection, sequence_id, states=status or (), after=ask.after, limit=ask.fetch
        )
        return ask.page(EnrollmentAnswer, [enrollment(row, definition) for row in found], key="contact_id")


@router.get("/{sequence_id}/enrollments/{contact_id}", summary="One person in it", responses=responses(404))
async def person(
    sequence_id: UUID, contact_id: UUID, edge: Reader, count: Annotated[int, Query(ge=1, le=200)] = 20
) -> EnrollmentAnswer:
    """Where they are, and the next `count` of what comes."""
    async with edge.transaction() as connection:
        return await _person(connection, edge, sequence_id, contact_id, count)


@router.post("/{sequence_id}/enrollments", summary="Steer people in it", responses=responses(404, 409))
async def steer_people(sequence_id: UUID, body: SteerBody, edge: Writer) -> SteeredAnswer:
    """Pause, resume, restart or take people out; skip what comes next of them, or move it; set the time that
    they choose, which their contacts keep. The second time there is nothing to do. Of a group, a thousand
    people are one transaction."""
    wish = body.wish()
    if body.group_id is not None:
        done = await crowd.steer_group(edge.apart, edge.workspace_id, sequence_id, body.group_id, wish)
        return SteeredAnswer.model_validate(done)
    async with edge.transaction() as connection:
        done = await steer.several(connection, edge.services, sequence_id, body.contacts or (), wish)
        return SteeredAnswer.model_validate(done)


async def _shown(connection: Connection, sequence_id: UUID) -> SequenceAnswer:
    row, definition = await sequence.read(connection, sequence_id)
    return answer(row, definition, await enrollments.counts(connection, sequence_id))


async def _person(
    connection: Connection, edge: Edge, sequence_id: UUID, contact_id: UUID, count: int
) -> EnrollmentAnswer:
    _, definition = await sequence.read(connection, sequence_id)
    found = await steer.ahead(connection, edge.services, sequence_id, contact_id, count)
    return ahead(await enrollments.shown(connection, sequence_id, contact_id), found, definition)
