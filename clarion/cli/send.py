"""`clarion send`: say something to the people in a file, and see what became of everybody."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from clarion.cli import channel as channel_command
from clarion.cli import contacts, estimate, following, options, place, pool, saying, terminal
from clarion.cli.commands import single
from clarion.cli.contacts import Imported
from clarion.cli.given import hours_of, pairs_from
from clarion.cli.moment import parse_moment
from clarion.cli.place import Place
from clarion.cli.saying import Words, content_of, warn_of_the_window
from clarion.domain.audience import Audience, Selection
from clarion.domain.campaign import Announcement, Fallback
from clarion.domain.content import Content
from clarion.domain.imports import ImportOptions
from clarion.domain.outside import Outside
from clarion.domain.person import clean_group
from clarion.domain.purpose import Purpose
from clarion.domain.schedule.hours import Hours
from clarion.domain.wording import why
from clarion.errors import Conflict, Invalid
from clarion.flow import announce, draft, fitting, outside
from clarion.flow.announce import Launched
from clarion.flow.preview import Preview, preview
from clarion.kit.db import Connection
from clarion.store import group

app = single()
BY = "clarion send"
PAUSED = 75  # sysexits: try again later


@dataclass(frozen=True, slots=True)
class Wish:
    """To whom something is to be sent and how, as the command line says it."""

    file: Path
    at: str | None = None
    channel: str | None = None
    pool: str | None = None
    fallback: tuple[str, ...] = ()
    name: str | None = None
    one_per_address: bool = False
    purpose: Purpose = Purpose.UTILITY
    hours: Hours | None = None
    outside: Outside | None = None
    country: str | None = None
    columns: tuple[str, ...] = ()
    confirm_similar: bool = False
    ask: bool = False


@app.command()
def send(
    to: Annotated[Path, typer.Option("--to", help="The people: CSV, XLSX or JSON.", show_default=False)],
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
    at: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="When: 'YYYY-MM-DD HH:MM' of the workspace, or ISO 8601. Absent: now."
        ),
    ] = None,
    channel: Annotated[str | None, typer.Option(help="Which channel, where there are several.")] = None,
    pool: Annotated[
        str | None, typer.Option(help="In place of a channel: each hears it over one of this pool's.")
    ] = None,
    fallback: Annotated[
        list[str] | None,
        typer.Option(help="A further channel for whom it does not reach over those before; may be repeated."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="What the announcement is called.")] = None,
    one_per_address: Annotated[
        bool, typer.Option("--one-per-address", help="People who share a phone get one message.")
    ] = False,
    purpose: Annotated[
        Purpose, typer.Option(help="What it is; templates and tags must be for that.")
    ] = Purpose.UTILITY,
    between: Annotated[
        str | None, typer.Option(metavar="HOURS", help="Only at these hours where each is: 08:00-20:00.")
    ] = None,
    outside_window: saying.OutsideWindow = None,
    country: contacts.Country = None,
    column: contacts.Column = None,
    confirm_similar: Annotated[
        bool, typer.Option("--confirm-similar", help="Send although a similar one is there.")
    ] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Do not wait for the end.")] = False,
    yes: options.Yes = False,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Say something to the people in a file: each of them hears it once.

    Takes the people in, shows whom it will reach, sends, and prints what became of everybody by status
    and reason. Ctrl-C stops the waiting, not the announcement. Exit code 75: it was paused.

    [dim]$[/] clarion send --to people.csv --text "The office is closed on Friday." --template office_closed
    [dim]$[/] clarion send --to people.xlsx --template reminder --param "{{ contact.name }}" --no-wait
    [dim]$[/] clarion send --to people.csv --text "Will you come on Monday?" --button yes=Yes --button no=No
    """
    words = Words(
        text, subject, title, link, file, tuple(button or ()), flow, template, tuple(param or ()), header,
        language,
    )  # fmt: skip
    wish = Wish(
        to, at, channel, pool, tuple(fallback or ()), name, one_per_address, purpose,
        hours_of(between), outside_window, country,
        tuple(column or ()), confirm_similar, ask=terminal.asks() and not yes,
    )  # fmt: skip
    place.run(_send(wish, content_of(words), workspace, wait=not no_wait, json=json))


async def _send(wish: Wish, content: Content, workspace: str | None, *, wait: bool, json: bool) -> None:
    async with place.opened(workspace) as here:
        done, campaign_id, launched = await launch(here, wish, content)
        terminal.say(f"Announcement {campaign_id}, for {terminal.moment(launched.send_at, here.zone)}")
        seen = await following.look(here, campaign_id)
        if wait:
            seen = await following.wait(here, campaign_id, lambda ours: gone_on(campaign_id, ours))
        elif not await following.alive(here):
            terminal.say("No worker is running: it is sent once `clarion worker` or `clarion serve` runs.")
    if json:
        told = {"announcement": campaign_id, "run": launched.run_id, "send_at": launched.send_at}
        terminal.json({**told, **seen.plain(), "import": done.plain()})
    elif seen.count():
        following.tell(seen)
    finish(campaign_id, seen)


def finish(campaign_id: UUID, seen: following.Seen) -> None:
    """Say what a person should do about what is left; exit code 75 where it was paused."""
    if seen.count("unknown"):
        terminal.say("Of some nobody knows whether they went: `clarion unknown list` shows them.")
    if seen.state == "paused":
        terminal.say(f"It is paused: {seen.reason}")
        terminal.say(f"When that is settled: `clarion announcement resume {campaign_id}` (or the channel).")
        raise typer.Exit(PAUSED)


def gone_on(campaign_id: UUID, ours: bool) -> None:
    """What Ctrl-C means."""
    if ours:
        terminal.say("Stopped. What was not sent waits until a worker runs (`clarion worker`).")
    else:
        terminal.say("No longer waiting; the announcement goes on.")
    terminal.say(f"`clarion announcement pause {campaign_id}` pauses it, `… cancel …` ends it.")


async def launch(here: Place, wish: Wish, content: Content) -> tuple[Imported, UUID, Launched]:
    """Take the people in, write the announcement, show whom it reaches, and launch it.

    Raises what the parts raise; nothing is left scheduled then.
    """
    moment = None if wish.at is None else _moment(here, wish)
    columns = pairs_from(wish.columns, "--column")
    async with here.tenant() as connection:
        over = await pool.over(connection, wish.channel, wish.pool)
        for provider in over.providers:
            if problems := await fitting.content_problems(connection, content, provider):
                raise Invalid("this cannot be said", problems=tuple(problems))
        if problems := outside.problems(content, wish.outside, over.providers):
            raise Invalid("this cannot be said", problems=tuple(problems))
        further = [await channel_command.find(connection, each) for each in wish.fallback]
    if len({over.channel_id, *(one["id"] for one in further)}) <= len(further):
        raise Invalid("a channel is named twice", where="--fallback", hint="Name each channel once.")
    ways = [*over.channel_ids, *(one["id"] for one in further)]
    await saying.check_called(here, ways, content, wish.purpose)
    if not wish.fallback and wish.outside is None:
        warn_of_the_window(over.providers, content)
    now = here.now().astimezone(here.zone)
    title = wish.name or f"{wish.file.name}, {now:%Y-%m-%d %H:%M:%S}"
    # A group of its own: under a name that was used before, the people of that time would hear this too.
    group_name = f"Sent {now:%Y-%m-%d %H:%M:%S.%f} to: {title}"
    chosen = ImportOptions(columns=columns, groups=(group_name,), country=wish.country)
    done = await contacts.take_in(here, wish.file, chosen)
    contacts.say_refused(done)
    async with here.tenant() as connection:
        everybody = await _group(connection, clean_group(chosen.groups[0]))
        definition = Announcement(
            audience=Audience(include=Selection(groups=(everybody,))), content=content, send_at=moment,
            one_per="address" if wish.one_per_address else "person", purpose=wish.purpose, hours=wish.hours,
            fallback=tuple(Fallback(channel_id=one["id"]) for one in further), pool_id=over.pool_id,
            outside_window=wish.outside,
        )  # fmt: skip
        campaign_id = await draft.create(
            connection, here.services, name=title, channel_id=over.channel_id, definition=definition, by=BY
        )
        rehearsed = await preview(connection, here.services, campaign_id)
        if not wish.fallback or not rehearsed.counts["reachable"]:
            _refuse_unreachable(rehearsed, moment)  # the draft goes with it
    estimate.say(rehearsed, further=bool(wish.fallback))
    try:
        if wish.ask:
            typer.confirm(_question(rehearsed.counts, moment, here), abort=True, err=True)
        async with here.tenant() as connection:
            launched = await announce.launch(
                connection, here.services, campaign_id, confirm_similar=wish.confirm_similar
            )
    except BaseException as error:
        async with here.tenant() as connection:
            await announce.cancel(connection, here.services, campaign_id)
        if isinstance(error, Conflict):
            raise similar(error, here) from None
        raise
    return done, campaign_id, launched


def similar(error: Conflict, here: Place) -> Conflict:
    """The same refusal in the words of the command line, where it is that something similar is there."""
    if error.extra.get("reason") != "similar":
        return error
    lines = []
    found = error.extra.get("similar")
    for one in found if isinstance(found, list) else []:
        when = terminal.moment(datetime.fromisoformat(one["send_at"]), here.zone)
        lines.append(f"{one['name']} ({one['state']}, {when}): {one['people']:,} of the same people")
    return Conflict(
        "something similar was sent, or will be, to some of the same people:\n  " + "\n  ".join(lines),
        hint="Nothing was sent. If both are meant, say --confirm-similar.",
        extra=error.extra,
    )


def _refuse_unreachable(rehearsed: Preview, moment: datetime | None) -> None:
    """Raises Invalid where nobody could hear it. Of a later moment only who has no way at all is known."""
    counts = rehearsed.counts
    if counts.get("by_fallback"):
        return
    reasons = estimate.left_out(counts)
    everybody = rehearsed.sampled >= counts["reachable"]
    if moment is None and everybody and sum(rehearsed.unsayable.values()) == rehearsed.sampled:
        reasons += [f"{n:,} skipped, {why(reason)}" for reason, n in rehearsed.unsayable.items()]
    elif counts["reachable"]:
        return
    closed = not moment and rehearsed.unsayable.get("outside_window")
    raise Invalid(
        f"none of the {counts['people']:,} people can be reached: {', '.join(reasons)}",
        where="--to",
        hint="Nothing is scheduled. "
        + (
            "Give --template too: it reaches people who have not written within 24 hours."
            if closed
            else "Mend the list (is --country right, or --column COLUMN=MEANING missing?) and send it again; "
            "who opted out is reached after they say START."
        ),
        extra={"reason": "nobody_reachable", "counts": counts},
    )


def _question(counts: dict[str, int], moment: datetime | None, here: Place) -> str:
    when = "now" if moment is None else f"at {terminal.moment(moment, here.zone)}"
    return f"Send to {counts['reachable'] + counts.get('by_fallback', 0):,} people {when}?"


def _moment(here: Place, wish: Wish) -> datetime | None:
    assert wish.at is not None
    try:
        return parse_moment(wish.at, here.zone, here.now())
    except Invalid as error:
        if error.extra.get("reason") != "past" or not wish.ask:
            raise
        terminal.say(f"{error.what}.")
        typer.confirm("Send now instead?", abort=True, err=True)
        return None


async def _group(connection: Connection, name: str) -> UUID:
    after: UUID | None = None
    while found := await group.page(connection, after, 1_000):
        for one in found:
            if one["name"].casefold() == name.casefold():
                identifier: UUID = one["id"]
                return identifier
        after = found[-1]["id"]
    raise Invalid(
        "nobody in this file can be sent to", hint="`clarion import contacts FILE` says of each row why."
    )
