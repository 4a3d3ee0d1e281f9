"""People of a sequence on the command line: who is in it, what comes next of each, and steering them."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import typer

from clarion.cli import contact, options, place, terminal, written
from clarion.cli.moment import parse_moment
from clarion.domain.enrollment import Status, Verb, unpacked
from clarion.domain.person import clean_group
from clarion.domain.schedule.clocktime import minutes_of
from clarion.domain.schedule.zones import utc
from clarion.domain.sequence import KIND, Sequence
from clarion.errors import Invalid, NotFound
from clarion.flow.enroll import crowd, steer
from clarion.flow.enroll.choose import Choice
from clarion.kit.db import Connection, Row
from clarion.store import enrollment
from clarion.store import group as groups

Which = Annotated[str, typer.Argument(metavar="NAME|ID", help="Which sequence.")]
Who = Annotated[str, typer.Argument(metavar="CONTACT", help="Id, external id or address of a person.")]


def people(
    which: Which,
    status: Annotated[list[Status] | None, typer.Option(help="Only these; several times.")] = None,
    limit: options.Limit = 50,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Who is in it, and what comes next of each."""
    place.run(_people(which, status or [], limit, workspace, json))


async def _people(which: str, status: list[Status], limit: int, workspace: str | None, json: bool) -> None:
    async with place.opened(workspace) as here, here.tenant() as connection:
        row = await find(connection, which)
        names = Sequence.read(row["definition"]).names()
        found = await enrollment.page(connection, row["id"], states=status, limit=limit)
    if json:
        terminal.json([_person(one, names) for one in found])
        return
    terminal.table(
        ("id", "name", "status", "next", "says", "time round"),
        (
            (
                one["contact_id"], one["name"],
                f"{one['state']}: {one['reason'].replace('_', ' ')}" if one["reason"] else one["state"],
                terminal.moment(one["next_due"], here.zone) if one["next_due"] else "",
                names.get(unpacked(one["ahead"])[0].step, "") if one["ahead"] else "", one["generation"],
            )
            for one in found
        ),
        numbers=("time round",),
    )  # fmt: skip


def person(
    which: Which,
    who: Who,
    count: Annotated[int, typer.Option(min=1, max=200, help="So many of what comes.")] = 20,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Where one person is in it, and what comes next."""
    place.run(_one(which, who, count, workspace, json))


async def _one(which: str, who: str, count: int, workspace: str | None, json: bool) -> None:
    async with place.opened(workspace) as here, here.tenant() as connection:
        row = await find(connection, which)
        contact_id = await contact.find(connection, here, who)
        found = await steer.ahead(connection, here.services, row["id"], contact_id, count)
        shown = await enrollment.shown(connection, row["id"], contact_id)
    names = Sequence.read(row["definition"]).names()
    if json:
        coming = [
            {"due_at": one.due_at, "iteration": one.iteration, "step": one.step,
             "content": names.get(one.step), "moved": one.moved, "skip": one.skip} for one in found.coming
        ]  # fmt: skip
        terminal.json({**_person(shown, names), "next": coming, "times": found.times})
        return
    reason = f": {shown['reason'].replace('_', ' ')}" if shown["reason"] else ""
    terminal.pairs(
        [
            ("name", shown["name"]), ("status", f"{shown['state']}{reason}"),
            ("time round", f"{shown['generation']}, since {terminal.moment(shown['began_at'], here.zone)}"),
            *((key.replace("_", " "), time or "not chosen") for key, time in found.times.items()),
        ]
    )  # fmt: skip
    terminal.table(
        ("iteration", "step", "when", "says", "moved by"),
        (
            (
                one.iteration, one.step, terminal.moment(one.due_at, here.zone),
                names.get(one.step, "") if one.skip is None else f"not sent: {one.skip.value}",
                ", ".join(one.moved).replace("_", " "),
            )
            for one in found.coming
        ),
        numbers=("iteration", "step"),
    )  # fmt: skip


def steer_people(
    verb: Annotated[Verb, typer.Argument(help="What is to be done.")],
    which: Which,
    who: Annotated[
        list[str] | None, typer.Argument(metavar="CONTACT…", help="Ids, external ids or addresses.")
    ] = None,
    at: Annotated[str | None, typer.Option(metavar="TIME", help="Of a move: 'YYYY-MM-DD HH:MM'.")] = None,
    time: Annotated[
        str | None, typer.Option(metavar="HH:MM", help='Of choose: when they hear; "" takes it away.')
    ] = None,
    field: Annotated[
        str | None, typer.Option(help="Of choose: which chosen time, where there are several.")
    ] = None,
    group: Annotated[str | None, typer.Option(help="Everybody of this group who is in it.")] = None,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Pause, resume, restart or take out people; skip what comes next of them, or move it; set the time that
    they choose."""
    choice = _choice(verb, time, field)
    if (group is None) == (not who):
        raise Invalid(
            "nobody is named" if group is None else "give either people or a group", where="--group"
        )
    place.run(_steer(verb, which, who or [], group, at, choice, workspace, json))


def _choice(verb: Verb, time: str | None, field: str | None) -> Choice | None:
    if verb is not Verb.CHOOSE:
        if time is not None or field is not None:
            raise Invalid("only choose takes it", where="--field" if time is None else "--time")
        return None
    if time is None:
        raise Invalid("it does not say which time", where="--time", hint='Give one as 18:30, or "".')
    minutes = minutes_of(time) if time else None
    if time and minutes is None:
        raise Invalid("no time of day", where="--time", hint="Write it as 18:30, from 00:00 to 23:59.")
    return Choice(minutes, field)


async def _steer(
    verb: Verb, which: str, who: list[str], group: str | None, at: str | None, choice: Choice | None,
    workspace: str | None, json: bool,
) -> None:  # fmt: skip
    async with place.opened(workspace) as here:
        async with here.tenant() as connection:
            row = await find(connection, which)
            moment = None if at is None else parse_moment(at, here.zone, here.now())
            ask = steer.Ask(verb, moment, choice)
            some = [await contact.find(connection, here, one) for one in who]
            if some:
                done = await steer.several(connection, here.services, row["id"], some, ask)
            group_id = None if group is None else await group_named(connection, group)
        if group_id is not None:
            done = await crowd.steer_group(here.services, here.id, row["id"], group_id, ask)
    if json:
        terminal.json({"done": done.done, "already": done.already, "refused": done.refused})
        return
    terminal.say(f"Done for {done.done:,}; for {done.already:,} there was nothing to do.")
    for contact_id, why in done.refused.items():
        terminal.say(f"Not for {contact_id}: {why}.")


async def group_named(connection: Connection, named: str) -> UUID:
    """A group by its name. Raises NotFound."""
    there = await groups.page(connection, None, written.SEARCHED)
    known = {row["name"].casefold(): row["id"] for row in there}
    if (found := known.get(clean_group(named).casefold())) is None:
        some = ", ".join(sorted(row["name"] for row in there)[:20]) or "none yet"
        raise NotFound(f"there is no group {named!r}", where="--group", hint=f"There are: {some}.")
    identifier: UUID = found
    return identifier


async def find(connection: Connection, named: str) -> Row:
    """A sequence by id, or by its name where only one has it. Raises NotFound, Invalid."""
    return await written.find(connection, KIND, named)


def _person(one: Row, names: dict[int, str]) -> dict[str, Any]:
    shown = {key: one[key] for key in ("contact_id", "external_id", "name", "reason", "generation",
             "began_at", "next_due")}  # fmt: skip
    coming = [
        {"due_at": utc(each.due), "iteration": each.iteration, "step": each.step,
         "content": names.get(each.step), "skip": each.skip} for each in unpacked(one["ahead"])
    ]  # fmt: skip
    return {**shown, "status": one["state"], "next": coming}
