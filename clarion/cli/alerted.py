"""Who hears of which case on the command line: those of an alert, why, and what an edit would do to them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any
from uuid import UUID

import typer

from clarion.cli import options, place, terminal, written
from clarion.cli.place import Place
from clarion.domain.alert import KIND, Alert
from clarion.domain.enrollment import Status, unpacked
from clarion.domain.schedule.zones import utc
from clarion.flow import explain_alert, explain_told
from clarion.flow.enroll.would_tell import WouldTell, would
from clarion.flow.explain_alert import Explained
from clarion.kit.db import Connection, Row
from clarion.store import enrollment
from clarion.store import recipient as told
from clarion.store.recipient import Pair

Which = Annotated[str, typer.Argument(metavar="NAME|ID", help="Which alert.")]
OF_ALERT, OF_CASE = ("id", "name", "state", "reason"), ("id", "external_id", "name", "type", "state")


async def find(connection: Connection, named: str) -> Row:
    """An alert by id, or by its name where only one has it. Raises NotFound, Invalid."""
    return await written.find(connection, KIND, named)


def recipients(
    which: Which,
    status: Annotated[list[Status] | None, typer.Option(help="Only these; several times.")] = None,
    limit: options.Limit = 50,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Who hears of which case, and what comes next of each."""
    place.run(_recipients(which, status or [], limit, workspace, json))


async def _recipients(
    which: str, status: list[Status], limit: int, workspace: str | None, json: bool
) -> None:
    async with place.opened(workspace) as here, here.tenant() as connection:
        row = await find(connection, which)
        names = Alert.read(row["definition"]).followed_as().names()
        found = await enrollment.page(connection, row["id"], states=status, limit=limit)
        pairs = await told.names(connection, [(one["case_id"], one["contact_id"]) for one in found])
    both = [(one, pairs[one["case_id"], one["contact_id"]]) for one in found]
    if json:
        terminal.json([_recipient(one, pair, names) for one, pair in both])
        return
    terminal.table(
        ("case", "name", "status", "next", "says", "time round"),
        (
            (
                pair.case, pair.name,
                f"{one['state']}: {one['reason'].replace('_', ' ')}" if one["reason"] else one["state"],
                terminal.moment(one["next_due"], here.zone) if one["next_due"] else "",
                names.get(unpacked(one["ahead"])[0].step, "") if one["ahead"] else "", one["generation"],
            )
            for one, pair in both
        ),
        numbers=("time round",),
    )  # fmt: skip


def _recipient(one: Row, pair: Pair, names: dict[int, str]) -> dict[str, Any]:
    shown = {key: one[key] for key in ("case_id", "contact_id", "reason", "generation", "began_at",
             "next_due")}  # fmt: skip
    coming = [
        {"due_at": utc(each.due), "iteration": each.iteration, "step": each.step,
         "content": names.get(each.step), "skip": each.skip} for each in unpacked(one["ahead"])
    ]  # fmt: skip
    who = {"case": pair.case, "external_id": pair.external_id, "name": pair.name}
    return {**shown, **who, "status": one["state"], "next": coming}


def explain(
    which: Which,
    case: Annotated[str, typer.Option("--case", metavar="CASE", help="Its id or external id.")],
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Say why a case is told of, or is not: each condition with what it saw, each recipient with the address
    or the reason for none, and what was said and will be.

    [dim]$[/] clarion alert explain Visits --case V-17
    """
    place.run(_explain(which, case, workspace, json))


async def _explain(which: str, case: str, workspace: str | None, json: bool) -> None:
    async with place.opened(workspace) as here, here.tenant() as connection:
        row = await find(connection, which)
        found = await explain_alert.explain(connection, here.services, row["id"], case)
    if json:
        terminal.json(_explained(found))
        return
    for sentence in explain_told.sentences(found, here.zone):
        terminal.result(sentence)


def _explained(found: Explained) -> dict[str, Any]:
    plain = asdict(found)
    alert, case = plain.pop("alert"), plain.pop("case")
    return {
        "alert": {key: alert[key] for key in OF_ALERT}, "case": {key: case[key] for key in OF_CASE}, **plain
    }  # fmt: skip


# --- beforehand


async def foretell(
    here: Place, alert_id: UUID, changes: dict[str, Any], *, say_again: bool, json: bool
) -> None:
    """Tell what these changes would do, or the launch of a draft."""
    with terminal.Bar("cases") as bar:
        found = await would(here.services, here.id, alert_id, changes, bar.update, say_again=say_again)
    if json:
        terminal.json(asdict(found))
        return
    terminal.pairs(
        [
            ("cases gone over", found.gone_over),
            ("would come to be told of", found.cases.enter), ("would be told of no more", found.cases.leave),
            ("would begin anew", found.cases.again), ("would stay", found.cases.same),
        ]
    )  # fmt: skip
    terminal.result("")
    terminal.pairs(
        [
            ("people, each once a case, would come in", found.people.enter),
            ("  of them to whom nothing would come", found.silent),
            ("would be stopped", found.people.leave), ("would hear all again", found.people.again),
            ("would hear the next at another moment", found.people.move),
            ("would notice nothing", found.people.same),
        ]
    )  # fmt: skip
    _sample(here, found)


_WHAT = {
    "enter": "comes in", "leave": "is stopped", "again": "hears all again", "move": "hears at another moment"
}  # fmt: skip


def _sample(here: Place, found: WouldTell) -> None:
    if not found.sample:
        return
    terminal.result("")
    terminal.table(
        ("case", "name", "what", "next as it is", "next as it would be"),
        (
            (
                one.case, one.name, _WHAT[one.what],
                terminal.moment(one.before, here.zone), terminal.moment(one.after, here.zone),
            )
            for one in found.sample
        ),
    )  # fmt: skip
