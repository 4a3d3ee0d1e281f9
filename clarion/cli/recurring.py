"""Announcements that recur: written on the command line, and each time that they spoke."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from clarion.cli import announced, foreseen, options, place, saying, terminal
from clarion.cli import pool as pools
from clarion.cli.moment import parse_moment
from clarion.cli.saying import Words, content_of
from clarion.cli.send import similar
from clarion.cli.sequence import audience_of
from clarion.domain.audience import Audience
from clarion.domain.campaign import KIND, Announcement
from clarion.domain.content import Content
from clarion.domain.schedule import check
from clarion.domain.schedule.model import Schedule
from clarion.domain.schedule.sentence import describe
from clarion.domain.wording import why
from clarion.errors import Conflict, Invalid
from clarion.flow import announce, draft, recur
from clarion.store import campaign as campaigns

Every = Annotated[
    str | None,
    typer.Option(
        metavar="WHEN", help="It recurs: 'day 09:00', 'mon,thu 09:00', 'month 1 09:00', 'month last 09:00'."
    ),
]
ScheduleFile = Annotated[
    Path | None,
    typer.Option("--schedule", metavar="FILE", help="It recurs by a schedule, as JSON (docs/schedules.md)."),
]
_EVERY = re.compile(r"(?P<days>day|month +(?P<month>-?\d+|last)|[a-z]+(?: *, *[a-z]+)*) +(?P<time>\S+)", re.I)
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_HINT = "Write 'day 09:00', 'mon,thu 09:00', 'month 1 09:00' or 'month last 09:00'."
BY = "clarion announcement"


def add_to(app: typer.Typer) -> None:
    """Add these commands to `clarion announcement`."""
    app.command()(create)
    app.command()(occasions)


def schedule_of(every: str | None, file: Path | None) -> Schedule | None:
    """What --every or --schedule says; None where neither is given. Raises Invalid, NotFound."""
    if every is None and file is None:
        return None
    if every is not None and file is not None:
        raise Invalid("it recurs by one of the two", where="--every", hint="Leave --schedule out.")
    if file is not None:
        return check.read(foreseen.object_of(foreseen.text_of(file), str(file)), "")
    return check.read(
        {"time": _time(every), "steps": [{"number": 1}], "repeat": {"rrule": _rule(every)}}, "--every"
    )


def _parts(every: str | None) -> re.Match[str]:
    found = _EVERY.fullmatch((every or "").strip())
    if found is None:
        raise Invalid(f"{every!r} does not say when", where="--every", hint=_HINT)
    return found


def _time(every: str | None) -> str:
    return _parts(every)["time"]


def _rule(every: str | None) -> str:
    """As a recurrence rule (RFC 5545)."""
    found = _parts(every)
    days = found["days"].lower()
    if days == "day":
        return "FREQ=DAILY"
    if month := found["month"]:
        day = -1 if month.lower() == "last" else int(month)
        if day not in (-1, *range(1, 32)):
            raise Invalid(f"no month has a day {day}", where="--every", hint=_HINT)
        return f"FREQ=MONTHLY;BYMONTHDAY={day}"
    named = [day.strip() for day in days.split(",")]
    if unknown := [day for day in named if len(day) < 3 or not any(w.startswith(day) for w in _WEEKDAYS)]:
        raise Invalid(f"{unknown[0]!r} is no day of the week", where="--every", hint=_HINT)
    return f"FREQ=WEEKLY;BYDAY={','.join(day[:2].upper() for day in named)}"


def create(
    name: Annotated[str, typer.Option(help="What it is called.")],
    group: Annotated[list[str] | None, typer.Option(help="Whoever is in this group; several times.")] = None,
    everyone: Annotated[bool, typer.Option("--everyone", help="Everybody there is.")] = False,
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
    every: Every = None,
    schedule: ScheduleFile = None,
    at: Annotated[str | None, typer.Option(metavar="TIME", help="Once, at this moment; absent: now.")] = None,
    channel: Annotated[str | None, typer.Option(help="Which channel, where there are several.")] = None,
    pool: Annotated[str | None, typer.Option(help="In place of a channel: a pool's channels.")] = None,
    frozen: Annotated[
        bool, typer.Option("--frozen", help="To whom it means when launched, and nobody later.")
    ] = False,
    launch: Annotated[bool, typer.Option("--launch", help="Launch it at once.")] = False,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Write an announcement to groups: said once, or each time that its schedule says. Nothing is sent before
    it is launched."""
    words = Words(
        text, subject, title, link, file, tuple(button or ()), flow, template, tuple(param or ()), header,
        language,
    )  # fmt: skip
    when = schedule_of(every, schedule)
    place.run(
        _create(
            name, (group or [], everyone), content_of(words), when, at, (channel, pool),
            {"frozen": frozen}, launch, workspace, json,
        )
    )  # fmt: skip


async def _create(
    name: str, whom: tuple[list[str], bool], content: Content, schedule: Schedule | None, at: str | None,
    over: tuple[str | None, str | None], more: dict[str, Any], launch: bool, workspace: str | None,
    json: bool,
) -> None:  # fmt: skip
    async with place.opened(workspace) as here:
        async with here.tenant() as connection:
            channel_id, pool_id = await pools.identified(connection, *over)
            definition = Announcement(
                audience=Audience.model_validate(await audience_of(connection, *whom)), content=content,
                send_at=None if at is None else parse_moment(at, here.zone, here.now()), schedule=schedule,
                pool_id=pool_id, **more,
            )  # fmt: skip
            made = await draft.create(
                connection, here.services, name=name, channel_id=channel_id, definition=definition, by=BY
            )
        if launch:
            await draft.freshen(here.services, here.id, made)
            async with here.tenant() as connection:
                try:
                    await announce.launch(connection, here.services, made, confirm_empty=True)
                except Conflict as error:
                    raise similar(error, here) from None
        async with here.tenant() as connection:
            row = await campaigns.get(connection, made, KIND)
    if json:
        terminal.json({key: row[key] for key in announced.SHOWN})
        return
    when = terminal.moment(row["send_at"], here.zone) or "not launched"
    terminal.pairs([("id", made), ("name", row["name"]), ("state", row["state"]), ("first", when)])
    if schedule is not None:
        terminal.say(describe(schedule, announced=True))


def occasions(
    which: announced.Which,
    limit: options.Limit = 20,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Each time that a recurring announcement spoke, the newest first, and what became of whom."""
    place.run(_occasions(which, limit, workspace, json))


async def _occasions(which: str, limit: int, workspace: str | None, json: bool) -> None:
    async with place.opened(workspace) as here, here.tenant() as connection:
        row = await announced.find(connection, which)
        found = await recur.occasions(connection, row["id"], limit)
    if json:
        terminal.json([asdict(one) for one in found])
        return
    terminal.table(
        ("number", "began", "people", "what became of them"),
        (
            (one.number, terminal.moment(one.began_at, here.zone), one.total, _became(one))
            for one in found
        ),
        numbers=("number", "people"),
    )  # fmt: skip


def _became(one: recur.Occasion) -> str:
    parts = []
    for word, count in sorted(one.counts.items(), key=lambda pair: -pair[1]):
        reasons = one.reasons.get(word, {})
        told = ", ".join(f"{n:,} {why(reason)}" for reason, n in reasons.items())
        parts.append(f"{count:,} {word}" + (f" ({told})" if told else ""))
    return "; ".join(parts)
