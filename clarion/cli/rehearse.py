"""`clarion rehearse`: what a campaign would do, reckoned by the real engine; nothing is sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

import typer
from rich.text import Text

from clarion.cli import announced, followed, options, place, terminal
from clarion.cli.commands import single
from clarion.cli.moment import parse_moment
from clarion.domain.campaign import State
from clarion.domain.caps import OF_CAPS
from clarion.domain.wording import REASONS, STOPPED, why
from clarion.errors import Invalid, NotFound
from clarion.flow.rehearse.advice import span
from clarion.flow.rehearse.outcome import Day, OverChannel
from clarion.flow.rehearse.rehearse import Rehearsal, Wish
from clarion.flow.rehearse.rehearse import rehearse as rehearsed
from clarion.kit.db import Connection, Row
from clarion.store import campaign as campaigns

app = single()
DAYS = 62  # days that are shown line by line
APART: Mapping[str, str] = {
    **REASONS,
    **STOPPED,
    "paused": "paused in it",
    "finished": "heard all of it",
    "lapsed": "it was over for them before it began",
    "nothing_comes": "nothing comes for them any more",
    "later": "what comes for them comes after that",
    "all_skipped": "all of theirs is left out",
}


@app.command()
def rehearse(
    which: Annotated[str, typer.Argument(metavar="NAME|ID", help="Which announcement or sequence.")],
    at: Annotated[str | None, typer.Option(metavar="TIME", help="When it would begin; now.")] = None,
    days: Annotated[
        int | None, typer.Option(min=1, help="For so many days; else to its end, or 90 where it has none.")
    ] = None,
    hours: Annotated[bool, typer.Option("--hours", help="Show hours instead of days.")] = False,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """What a campaign would do: who hears how many messages when, what its channels make of them, what it
    costs, and what does not fit. The real engine reckons it on a copy of the audience; nothing is sent."""
    place.run(_rehearse(which, at, days, workspace, hours=hours, json=json))


async def _rehearse(
    which: str, at: str | None, days: int | None, workspace: str | None, *, hours: bool, json: bool
) -> None:
    async with place.opened(workspace) as here:
        async with here.tenant() as connection:
            row = await _find(connection, which)
        moment = None if at is None else parse_moment(at, here.zone, here.now())
        with terminal.Bar("rehearsing") as bar:

            def progress(what: str, done: int, total: int | None) -> None:
                bar.update(done, "people read" if what == "people" else "people", total=total)

            found = await rehearsed(here.services, here.id, row["id"], Wish(moment, days), progress)
    if json:
        terminal.json(found.plain())
        return
    _tell(found, here.zone)
    _tables(found, here.zone, hours=hours)


async def _find(connection: Connection, named: str) -> Row:
    """A campaign by id, or by its name where only one has it. Raises NotFound, Invalid."""
    try:
        return await campaigns.any_kind(connection, UUID(named))
    except ValueError:
        found = []
    for find in (followed.find, announced.find):
        try:
            found.append(await find(connection, named))
        except NotFound:
            continue
    if len(found) > 1:
        found = [row for row in found if row["state"] != State.CANCELLED] or found
    if len(found) > 1:
        ids = " or ".join(f"{row['id']} (the {row['kind']})" for row in found)
        raise Invalid("an announcement and a sequence are named so", hint=f"Say which by id: {ids}")
    if not found:
        hint = "`clarion sequence list` and `clarion announcement list` show them."
        raise NotFound("there is no such campaign", hint=hint)
    return found[0]


# --- in words


def _tell(found: Rehearsal, zone: ZoneInfo) -> None:
    begins = terminal.moment(found.begins, zone)
    terminal.say(f"{found.name} ({found.kind}), rehearsed from {begins}. Nothing was sent.")
    for one in found.warnings:
        terminal.result(Text(f"! {one}", style="yellow"))
    terminal.pairs(_lines(found, zone))


def _lines(found: Rehearsal, zone: ZoneInfo) -> Iterator[tuple[str, object]]:
    yield "people", f"{found.people:,}; {found.hear:,} hear something"
    for reason, many in found.apart.items():
        yield "", f"{many:,} do not: {APART.get(reason, reason.replace('_', ' '))}"
    yield (
        "messages",
        f"{found.messages:,} fall due"
        + (f" until {terminal.moment(found.until, zone)}; more come after that" if found.beyond else ""),
    )
    for reason, many in found.skipped.items():
        yield "", f"{many:,} more are left out: {why(reason)}"
    yield (
        "leave",
        f"{found.leave:,}"
        + ("" if found.last is None else f", the last {terminal.moment(found.last, zone)}"),
    )
    if found.held:
        yield "held", f"{found.held:,} wait for hours at which they may be told"
    for cap in OF_CAPS:
        if waiting := found.moved.get(cap):
            yield "held", f"{waiting:,} wait: {REASONS[cap]}"
    if found.expire:
        yield "expire", f"{found.expire:,}"
    yield from _takes(found)
    for one in found.outcome.channels:
        yield "over", f"{one.name}: {_busiest(one, zone)}"


def _takes(found: Rehearsal) -> Iterator[tuple[str, object]]:
    if (taken := found.outcome.segments) is not None:
        about = "" if taken.exact else "about "
        yield "takes", f"{about}{taken.total:,} SMS: {taken.each:g} for each, {taken.most} at most"
    for cost in found.outcome.costs:
        apart = f", and {cost.unpriced:,} messages without a price" if cost.unpriced else ""
        yield "costs", f"about {cost.currency} {cost.amount:,.2f}{apart}"


def _busiest(one: OverChannel, zone: ZoneInfo) -> str:
    if one.busiest is None:
        return "nothing"
    most = one.busiest
    units = "" if one.counts == "message" else f" ({most.units:,} segments)"
    waits = f"; somebody waits {span(one.longest_wait)}" if one.longest_wait >= 1 else ""
    return (
        f"{one.due:,} messages; in the busiest minute, {most.minute.astimezone(zone):%a %Y-%m-%d %H:%M}, "
        f"{most.messages:,}{units} of the {most.capacity:,.0f} that it carries{waits}"
    )


def _tables(found: Rehearsal, zone: ZoneInfo, *, hours: bool) -> None:
    """What is due and what leaves, of all channels together and of each, by day or by hour."""
    several = len(found.outcome.channels) > 1
    if found.outcome.days and not hours:
        terminal.result("\nover all channels" if several else "")
        _days(found.outcome.days)
    for one in found.outcome.channels if several or hours else ():
        terminal.result(f"\nover {one.name}")
        if hours:
            _hours(one, zone)
        else:
            _days(one.days)


def _days(days: Sequence[Day]) -> None:
    columns = ["day", "due", "leave"]
    columns += ["expire"] if any(one.expire for one in days) else []
    columns += ["put off"] if any(one.put_off for one in days) else []
    terminal.table(
        columns,
        (
            [f"{one.day:%a %Y-%m-%d}", *(getattr(one, name.replace(" ", "_")) for name in columns[1:])]
            for one in days[:DAYS]
        ),
        numbers=columns[1:],
    )
    if len(days) > DAYS:
        terminal.result(f"… and {len(days) - DAYS:,} more days; --json has them all.")


def _hours(one: OverChannel, zone: ZoneInfo) -> None:
    terminal.table(
        ("hour", "due", "leave"),
        ((f"{hour.begins.astimezone(zone):%a %Y-%m-%d %H:%M}", hour.due, hour.leave) for hour in one.hours),
        numbers=("due", "leave"),
    )
