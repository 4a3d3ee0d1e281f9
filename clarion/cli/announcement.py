"""`clarion announcement`: what was said, is being said, and will be."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Annotated, Any
from uuid import UUID

import typer

from clarion.cli import afterwards, announced, following, options, place, recurring, saying, terminal
from clarion.cli import pool as pools
from clarion.cli.commands import group
from clarion.cli.moment import parse_moment
from clarion.cli.place import Place
from clarion.cli.saying import Words, content_of
from clarion.cli.send import finish, gone_on, similar
from clarion.domain.campaign import KIND, Announcement
from clarion.errors import Conflict
from clarion.flow import announce, draft
from clarion.flow.preview import Preview, preview
from clarion.kit.db import Connection, Row
from clarion.store import campaign as campaigns

app = group(
    "Announcements: create, list, show, edit, duplicate, launch, pause, resume, cancel, results.",
    [
        'clarion announcement create --name Open --group Staff --text "We are open." --every "mon 09:00"',
        "clarion announcement list",
        'clarion announcement edit "Friday" --at "2026-03-04 18:00"',
        'clarion announcement results "Friday" who.xlsx',
    ],
)

Which = announced.Which
At = Annotated[
    str | None, typer.Option(metavar="TIME", help="'YYYY-MM-DD HH:MM' of the workspace, ISO 8601, or now.")
]
ConfirmSimilar = Annotated[bool, typer.Option("--confirm-similar", help="Although a similar one is there.")]


@app.command("list")
def listed(
    limit: options.Limit = 20, workspace: options.Workspace = None, json: options.Json = False
) -> None:
    """List announcements, newest first."""
    place.run(_list(limit, workspace, json))


async def _list(limit: int, workspace: str | None, json: bool) -> None:
    async with place.opened(workspace) as here:
        async with here.tenant() as connection:
            recent = await campaigns.page(connection, KIND, None, limit)
        found = [row for row in recent if not announced.is_test(row)]
        seen = {row["id"]: await following.look(here, row["id"]) for row in found}
    if json:
        terminal.json([announced.plain(row, seen[row["id"]]) for row in found])
        return
    terminal.table(
        ("id", "name", "state", "when", "people", "done"),
        (
            (
                row["id"], row["name"], row["state"], terminal.moment(row["send_at"], here.zone) or "not set",
                seen[row["id"]].count(), seen[row["id"]].far.done,
            )
            for row in found
        ),
        numbers=("people", "done"),
    )  # fmt: skip


@app.command()
def show(which: Which, workspace: options.Workspace = None, json: options.Json = False) -> None:
    """Show what it says and how far it is; before it begins, whom it reaches and what they read."""
    place.run(_show(which, workspace, json))


async def _show(which: str, workspace: str | None, json: bool) -> None:
    async with place.opened(workspace) as here:
        async with here.tenant() as connection:
            row = await announced.find(connection, which)
            definition = Announcement.read(row["definition"])
            over = await pools.named(connection, row)
        seen = await following.look(here, row["id"])
        rehearsed: Preview | None = None
        if not seen.count() and row["state"] not in ("completed", "cancelled"):
            async with here.tenant() as connection:
                rehearsed = await preview(connection, here.services, row["id"])
    if json:
        extra = {} if rehearsed is None else {"preview": asdict(rehearsed)}
        terminal.json({**announced.plain(row, seen), over[0]: over[1], **definition.stored(), **extra})
        return
    terminal.pairs(
        [
            ("id", row["id"]), ("name", row["name"]),
            ("state", f"{seen.state}: {seen.reason}" if seen.reason else seen.state),
            ("when", terminal.moment(row["send_at"], here.zone) or "not set"), over,
            *announced.recurs(definition, seen.far.next_at, here.zone),
            *announced.said(definition.content), *announced.hours(definition.hours),
            *announced.outside(definition.outside_window),
            *([] if rehearsed is None else announced.rehearsal(rehearsed)),
        ]
    )  # fmt: skip
    if seen.count():
        terminal.result("")
        following.tell(seen)


@app.command()
def edit(
    which: Which,
    name: Annotated[str | None, typer.Option(help="Another name.")] = None,
    text: saying.Text = None,
    subject: saying.Subject = None,
    title: saying.Title = None,
    link: saying.Link = None,
    file: saying.File = None,
    button: saying.Tap = None,
    flow: saying.Flow = None,
    template: saying.Called = None,
    param: saying.Param = None,
    header: saying.Header = None,
    language: saying.Language = "en",
    at: At = None,
    every: recurring.Every = None,
    schedule: recurring.ScheduleFile = None,
    channel: Annotated[str | None, typer.Option(help="Over this channel instead.")] = None,
    pool: Annotated[str | None, typer.Option(help="Over this pool instead.")] = None,
    outside_window: saying.OutsideWindow = None,
    confirm_similar: ConfirmSimilar = False,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Change an announcement that has not begun, or one that recurs; what is not given stays."""
    words = Words(
        text, subject, title, link, file, tuple(button or ()), flow, template, tuple(param or ()), header,
        language,
    )  # fmt: skip
    content = None if words.nothing else content_of(words)
    given = {
        "content": content, "schedule": recurring.schedule_of(every, schedule),
        "outside_window": outside_window,
    }  # fmt: skip
    place.run(_edit(which, workspace, name, given, at, (channel, pool), confirm_similar, json))


async def _edit(
    which: str, workspace: str | None, name: str | None, given: dict[str, Any], at: str | None,
    over: tuple[str | None, str | None], confirm_similar: bool, json: bool,
) -> None:  # fmt: skip
    async with place.opened(workspace) as here:
        async with here.tenant() as connection:
            row = await announced.find(connection, which)
            channel_id, pool_id = await pools.identified(connection, *over)
        changes = {key: value for key, value in given.items() if value is not None}
        if pool_id is not None:
            changes["pool_id"] = pool_id
        if at is not None:
            changes["send_at"] = None if at == "now" else parse_moment(at, here.zone, here.now())
        await draft.freshen(here.services, here.id, row["id"], channel_id=channel_id, changes=changes)
        async with here.tenant() as connection:
            try:
                await draft.edit(
                    connection, here.services, row["id"], name=name, channel_id=channel_id, changes=changes,
                    confirm_similar=confirm_similar,
                )  # fmt: skip
            except Conflict as error:
                raise similar(error, here) from None
            row = await campaigns.get(connection, row["id"], KIND)
    _done(row, "Changed.", json)


@app.command()
def launch(
    which: Which,
    at: At = None,
    confirm_similar: ConfirmSimilar = False,
    confirm_empty: Annotated[
        bool, typer.Option("--confirm-empty", help="Although nobody is meant yet.")
    ] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Do not wait for the end.")] = False,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Send a draft, now or at its moment, and wait for the end. Exit code 75: it was paused."""
    place.run(_launch(which, at, workspace, (confirm_similar, confirm_empty), wait=not no_wait, json=json))


async def _launch(
    which: str, at: str | None, workspace: str | None, confirmed: tuple[bool, bool], *, wait: bool, json: bool
) -> None:
    async with place.opened(workspace) as here:
        async with here.tenant() as connection:
            row = await announced.find(connection, which)
        await draft.freshen(here.services, here.id, row["id"])
        async with here.tenant() as connection:
            moment = None if at in (None, "now") else parse_moment(str(at), here.zone, here.now())
            try:
                launched = await announce.launch(
                    connection, here.services, row["id"], send_at=here.now() if at == "now" else moment,
                    confirm_similar=confirmed[0], confirm_empty=confirmed[1],
                )  # fmt: skip
            except Conflict as error:
                raise similar(error, here) from None
        terminal.say(f"It is sent at {terminal.moment(launched.send_at, here.zone)}.")
        recurs = row["definition"].get("schedule") is not None  # has no end to wait for
        await _wait(here, row["id"], wait=wait and not recurs, json=json)


@app.command()
def wait(which: Which, workspace: options.Workspace = None, json: options.Json = False) -> None:
    """Wait until an announcement has ended. Exit code 75: it was paused."""
    place.run(_waiting(which, workspace, json))


async def _waiting(which: str, workspace: str | None, json: bool) -> None:
    async with place.opened(workspace) as here:
        async with here.tenant() as connection:
            row = await announced.find(connection, which)
        await _wait(here, row["id"], wait=True, json=json)


async def _wait(here: Place, campaign_id: UUID, *, wait: bool, json: bool) -> None:
    if wait:
        seen = await following.wait(here, campaign_id, lambda ours: gone_on(campaign_id, ours))
    else:
        seen = await following.look(here, campaign_id)
    if json:
        terminal.json({"announcement": campaign_id, **seen.plain()})
    elif wait:
        following.tell(seen)
    finish(campaign_id, seen)


Verb = Callable[[Connection, Place, UUID], Awaitable[bool]]


@app.command()
def pause(
    which: Which,
    reason: Annotated[str, typer.Option(help="Why, for whoever reads it later.")] = "",
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Send nothing more of it until it is resumed; calls under way end by themselves."""

    async def verb(connection: Connection, here: Place, campaign_id: UUID) -> bool:
        return await announce.pause(connection, here.services, campaign_id, reason=reason)

    place.run(_do(which, workspace, verb, "Paused.", "It was paused already.", json))


@app.command()
def resume(which: Which, workspace: options.Workspace = None, json: options.Json = False) -> None:
    """Go on with a paused announcement."""

    async def verb(connection: Connection, here: Place, campaign_id: UUID) -> bool:
        return await announce.resume(connection, here.services, campaign_id)

    place.run(_do(which, workspace, verb, "It goes on.", "It was not paused.", json))


@app.command()
def cancel(which: Which, workspace: options.Workspace = None, json: options.Json = False) -> None:
    """End an announcement for good: nobody who waits is sent to, calls under way end by themselves."""
    place.run(_cancel(which, workspace, json))


async def _cancel(which: str, workspace: str | None, json: bool) -> None:
    async with place.opened(workspace) as here:
        async with here.tenant() as connection:
            row = await announced.find(connection, which)
            changed = await announce.cancel(connection, here.services, row["id"])
            row = await campaigns.get(connection, row["id"], KIND)
        ended = await announce.withdraw_cancelled(here.services, here.id, row["id"])
    words = f"Cancelled; {ended:,} people will not hear it." if changed else "It was cancelled already."
    _done(row, words, json)


async def _do(which: str, workspace: str | None, verb: Verb, done: str, already: str, json: bool) -> None:
    async with place.opened(workspace) as here, here.tenant() as connection:
        row = await announced.find(connection, which)
        changed = await verb(connection, here, row["id"])
        row = await campaigns.get(connection, row["id"], KIND)
    _done(row, done if changed else already, json)


def _done(row: Row, words: str, json: bool) -> None:
    """What became of it: in words, or its row as JSON."""
    if json:
        terminal.json({name: row[name] for name in announced.SHOWN})
    else:
        terminal.say(words)


afterwards.add_to(app)
recurring.add_to(app)
