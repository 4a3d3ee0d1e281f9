"""Announcements: say who, what and when; each person hears it once."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query
from fastapi.responses import FileResponse, Response, StreamingResponse
from starlette.background import BackgroundTask

from clarion.api.announcement_answers import (
    AnnouncementAnswer,
    AnnouncementInList,
    MessageAnswer,
    OccasionAnswer,
    PreviewAnswer,
    ProgressAnswer,
    RetriedAnswer,
    TrialAnswer,
    answer,
    in_list,
    message,
)
from clarion.api.announcement_shapes import (
    AnnouncementBody,
    AnnouncementChange,
    DuplicateBody,
    LaunchBody,
    PauseBody,
    RetryBody,
    TestBody,
)
from clarion.api.auth import needs
from clarion.api.edge import Edge
from clarion.api.pages import Ask, Page, asked
from clarion.api.problems import responses
from clarion.api.routers import new_router
from clarion.domain.campaign import KIND
from clarion.domain.message import State
from clarion.domain.scope import Scope
from clarion.flow import announce, catalogue, draft, preview, progress, recur, results, retry, trial
from clarion.kit.db import Connection
from clarion.store import campaign as campaigns
from clarion.store import message as messages

router = new_router("announcements", "One content to many people, now or at a moment; each hears it once.")

Reader = Annotated[Edge, needs(Scope.ANNOUNCEMENTS_READ)]
Writer = Annotated[Edge, needs(Scope.ANNOUNCEMENTS_WRITE)]
ResultsReader = Annotated[Edge, needs(Scope.ANNOUNCEMENTS_READ, Scope.MESSAGES_READ)]
States = Annotated[
    list[State] | None, Query(description="only messages in these states; repeat it for several")
]
Reasons = Annotated[list[str] | None, Query(max_length=50, description="only messages with these reasons")]
Occasion = Annotated[int | None, Query(ge=1, description="of one that recurs, only this occasion")]

_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_FILE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/csv": {}, _XLSX: {}}, "description": "the file, as a download"}
}


@router.post("", status_code=201, summary="Write an announcement", responses=responses(409))
async def create(body: AnnouncementBody, edge: Writer) -> AnnouncementAnswer:
    """Everything that is wrong with it is told at once. With `launch` it is scheduled or sent as well."""
    definition = body.definition()
    await catalogue.freshen(edge.apart, edge.workspace_id, body.channel_id, definition)
    async with edge.transaction() as connection:
        campaign_id = await draft.create(
            connection, edge.services, name=body.name, channel_id=body.channel_id,
            definition=definition, by=edge.caller.name,
        )  # fmt: skip
        if body.launch:
            await announce.launch(
                connection, edge.services, campaign_id,
                confirm_similar=body.confirm_similar, confirm_empty=body.confirm_empty,
            )  # fmt: skip
        return await _shown(connection, campaign_id, edge)


@router.get("", summary="List announcements, newest first")
async def listed(edge: Reader, ask: Annotated[Ask, asked()]) -> Page[AnnouncementInList]:
    async with edge.transaction() as connection:
        found = await campaigns.page(connection, KIND, ask.after, ask.fetch)
        return ask.page(AnnouncementInList, [in_list(row) for row in found])


@router.get("/{announcement_id}", summary="Show an announcement", responses=responses(404))
async def show(announcement_id: UUID, edge: Reader) -> AnnouncementAnswer:
    async with edge.transaction() as connection:
        return await _shown(connection, announcement_id, edge)


@router.patch("/{announcement_id}", summary="Edit or reschedule", responses=responses(404, 409))
async def change(announcement_id: UUID, body: AnnouncementChange, edge: Writer) -> AnnouncementAnswer:
    """While it has not begun. What is scheduled stays scheduled, for its new moment. One that recurs may be
    changed between two of its occasions, too: from the next one on."""
    changes = body.changes()
    await draft.freshen(
        edge.apart, edge.workspace_id, announcement_id, channel_id=body.channel_id, changes=changes
    )
    async with edge.transaction() as connection:
        await draft.edit(
            connection, edge.services, announcement_id, name=body.name, channel_id=body.channel_id,
            changes=changes, confirm_similar=body.confirm_similar,
        )  # fmt: skip
        return await _shown(connection, announcement_id, edge)


@router.post("/{announcement_id}/duplicate", status_code=201, summary="Copy it", responses=responses(404))
async def duplicate(
    announcement_id: UUID, edge: Writer, body: DuplicateBody | None = None
) -> AnnouncementAnswer:
    """A new draft that says the same to the same audience."""
    async with edge.transaction() as connection:
        copy_id = await draft.duplicate(
            connection, edge.services, announcement_id, name=body.name if body else None, by=edge.caller.name
        )
        return await _shown(connection, copy_id, edge)


@router.get("/{announcement_id}/preview", summary="What sending would come to", responses=responses(404))
async def previewed(announcement_id: UUID, edge: Reader) -> PreviewAnswer:
    """How many people, how many of them reachable, why not the others, and what they would read."""
    async with edge.transaction() as connection:
        return PreviewAnswer.model_validate(await preview.preview(connection, edge.services, announcement_id))


@router.post("/{announcement_id}/test", status_code=201, summary="Send a test", responses=responses(404))
async def test(announcement_id: UUID, body: TestBody, edge: Writer) -> TrialAnswer:
    """Send it to a few addresses now. Whoever had the test still receives the announcement itself."""
    await draft.freshen(edge.apart, edge.workspace_id, announcement_id)
    async with edge.transaction() as connection:
        made = await trial.send_test(
            connection, edge.services, announcement_id, body.addresses, by=edge.caller.name
        )
        return TrialAnswer.model_validate(made)


@router.post(
    "/{announcement_id}/launch", summary="Schedule it, or send it now", responses=responses(404, 409)
)
async def launch(announcement_id: UUID, edge: Writer, body: LaunchBody | None = None) -> AnnouncementAnswer:
    """409 with `similar` when another one says about the same to some of the same people at about the same
    moment: look at it, then give `confirm_similar`."""
    body = body or LaunchBody()
    await draft.freshen(edge.apart, edge.workspace_id, announcement_id)
    async with edge.transaction() as connection:
        await announce.launch(connection, edge.services, announcement_id, **body.model_dump())
        return await _shown(connection, announcement_id, edge)


@router.post("/{announcement_id}/pause", summary="Pause it", responses=responses(404, 409))
async def pause(announcement_id: UUID, edge: Writer, body: PauseBody | None = None) -> AnnouncementAnswer:
    """Nothing more is sent; calls under way end by themselves. Pausing again changes nothing."""
    async with edge.transaction() as connection:
        await announce.pause(connection, edge.services, announcement_id, reason=body.reason if body else "")
        return await _shown(connection, announcement_id, edge)


@router.post("/{announcement_id}/resume", summary="Resume it", responses=responses(404, 409))
async def resume(announcement_id: UUID, edge: Writer) -> AnnouncementAnswer:
    """What waits is sent, unless it has expired meanwhile."""
    async with edge.transaction() as connection:
        await announce.resume(connection, edge.services, announcement_id)
        return await _shown(connection, announcement_id, edge)


@router.post("/{announcement_id}/cancel", summary="Cancel it", responses=responses(404, 409))
async def cancel(announcement_id: UUID, edge: Writer) -> AnnouncementAnswer:
    """Also while it is being sent: what waits ends as cancelled within moments, what is in flight ends by
    its own evidence. For good."""
    async with edge.transaction() as connection:
        await announce.cancel(connection, edge.services, announcement_id)
        return await _shown(connection, announcement_id, edge)


@router.post("/{announcement_id}/retry", summary="Try again what did not go", responses=responses(404, 409))
async def again(announcement_id: UUID, edge: Writer, body: RetryBody | None = None) -> RetriedAnswer:
    """The same messages are opened again, so nobody gets a second one; who was skipped is judged again."""
    async with edge.transaction() as connection:
        done = await retry.retry(
            connection, edge.services, announcement_id, undelivered=bool(body and body.undelivered),
            by=edge.caller.name,
        )  # fmt: skip
        return RetriedAnswer.model_validate(done)


@router.get("/{announcement_id}/progress", summary="How far it is", responses=responses(404))
async def far(announcement_id: UUID, edge: Reader) -> ProgressAnswer:
    """Costs the same however large it is; ask as often as you like."""
    async with edge.transaction() as connection:
        return ProgressAnswer.model_validate(await progress.progress(connection, announcement_id, edge.now()))


@router.get("/{announcement_id}/occasions", summary="Each time it spoke", responses=responses(404))
async def occasions(
    announcement_id: UUID, edge: Reader, limit: Annotated[int, Query(ge=1, le=500)] = 50
) -> list[OccasionAnswer]:
    """Of one that recurs, the newest first, each with its own count."""
    async with edge.transaction() as connection:
        await campaigns.get(connection, announcement_id, KIND)
        found = await recur.occasions(connection, announcement_id, limit)
        return [OccasionAnswer.model_validate(one) for one in found]


@router.get("/{announcement_id}/messages", summary="Its messages", responses=responses(404))
async def of_announcement(
    announcement_id: UUID,
    edge: ResultsReader,
    ask: Annotated[Ask, asked()],
    state: States = None,
    reason: Reasons = None,
    occasion: Occasion = None,
) -> Page[MessageAnswer]:
    """One for everybody who was meant, in the order in which the people were added. Of one that recurs the
    last of each person, or those of one `occasion`."""
    async with edge.transaction() as connection:
        await campaigns.get(connection, announcement_id, KIND)
        found = await messages.of_campaign(
            connection, announcement_id, states=state or (), reasons=reason or (), after=ask.after,
            limit=ask.fetch, run_id=await recur.run_of(connection, announcement_id, occasion),
        )  # fmt: skip
        now = edge.now()
        return ask.page(MessageAnswer, [message(row, now) for row in found], key="contact_id")


@router.get(
    "/{announcement_id}/results",
    summary="Who got it and who did not, as a file",
    responses={**responses(404), **_FILE},
    response_class=Response,
)
async def download(
    announcement_id: UUID,
    edge: ResultsReader,
    format: Literal["csv", "xlsx"] = "csv",
    state: States = None,
    occasion: Occasion = None,
) -> Response:
    """Everybody who was meant, with state and reason. CSV begins to come at once, however many they are."""
    async with edge.transaction() as connection:
        await campaigns.get(connection, announcement_id, KIND)
        run_id = await recur.run_of(connection, announcement_id, occasion)
    name = f"attachment; filename=results-{announcement_id}.{format}"
    headers = {"Content-Disposition": name}
    if format == "csv":
        lines = results.as_csv(
            edge.services, edge.workspace_id, announcement_id, states=state or (), run_id=run_id
        )
        return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)
    path = await results.xlsx_file(
        edge.services, edge.workspace_id, announcement_id, states=state or (), run_id=run_id
    )
    return FileResponse(
        path, media_type=_XLSX, headers=headers, background=BackgroundTask(path.unlink, missing_ok=True)
    )


async def _shown(connection: Connection, announcement_id: UUID, edge: Edge) -> AnnouncementAnswer:
    row, definition = await draft.read(connection, announcement_id)
    if row["state"] not in ("draft", "scheduled"):
        return answer(row)
    judged = await catalogue.judged(connection, row["channel_id"], definition, edge.now())
    return answer(row, judged.warnings)
