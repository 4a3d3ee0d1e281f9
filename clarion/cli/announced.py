"""Announcements as they are looked up and shown."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

import typer

from clarion.cli import estimate, terminal
from clarion.cli.following import Seen
from clarion.domain.campaign import KIND, Announcement, State
from clarion.domain.content import (
    Content,
    FlowStartForm,
    Form,
    InteractiveForm,
    MailForm,
    MediaForm,
    PushForm,
    TemplateForm,
    TextForm,
)
from clarion.domain.outside import Outside
from clarion.domain.part import Attachment
from clarion.domain.schedule.hours import Hours
from clarion.domain.schedule.sentence import describe, told_at
from clarion.domain.wording import why
from clarion.errors import Invalid, NotFound
from clarion.flow.preview import Preview
from clarion.kit.db import Connection, Row
from clarion.store import campaign as campaigns

Which = Annotated[str, typer.Argument(metavar="NAME|ID", help="Which announcement.")]
SHOWN = ("id", "name", "state", "reason", "send_at", "created_by", "created_at", "launched_at", "finished_at")
SEARCHED = 2_000  # of the newest, for a name


async def find(connection: Connection, named: str) -> Row:
    """An announcement by id, or by its name where only one has it, or only one that is not cancelled
    (what `clarion send` refused is there, cancelled, under the same name). Raises NotFound, Invalid."""
    try:
        identifier = UUID(named)
    except ValueError:
        recent = await campaigns.page(connection, KIND, None, SEARCHED)
        found = [row for row in recent if row["name"] == named and not is_test(row)]
        if len(found) > 1:
            found = [row for row in found if row["state"] != State.CANCELLED] or found
        if len(found) > 1:
            ids = ", ".join(str(row["id"]) for row in found[:10])
            raise Invalid(
                f"{len(found)} announcements are named so", hint=f"Say which by id: {ids}"
            ) from None
        if not found:
            raise NotFound(
                "there is no such announcement", hint="`clarion announcement list` shows them."
            ) from None
        return found[0]
    return await campaigns.get(connection, identifier, KIND)


def is_test(row: Row) -> bool:
    """Whether it only tries out another one on named addresses."""
    return row["definition"].get("test_of") is not None


def plain(row: Row, seen: Seen) -> dict[str, Any]:
    """For JSON: its row without what it says, and how far it is."""
    return {**{name: row[name] for name in SHOWN}, **seen.plain()}


def rehearsal(made: Preview) -> list[tuple[str, object]]:
    """Whom it reaches if sent now, what some of them would read, and what is similar."""
    lines: list[tuple[str, object]] = [("reaches", estimate.whom(made.counts))]
    lines += [("over", f"{one.name}: {one.people:,}") for one in made.channels]
    lines += [("takes", line) for line in estimate.takes(made)]
    lines += [
        ("would skip", f"{why(reason)} ({n} of {made.sampled} tried)") for reason, n in made.unsayable.items()
    ]
    for one in made.examples:
        named = one.template or one.flow
        told = one.text if named is None else f"{named}: {one.text or 'no parameters'}"
        if heading := one.subject or one.title:
            told = f"{heading}\n{told}"
        if one.url and one.kind != "push":
            told = f"{one.url}\n{told}".rstrip()
        told = "\n".join(
            [told, *([one.footer] if one.footer else []), *(f"[{each}]" for each in one.choices)]
        )
        lines.append(("reads", f"{one.name or 'somebody'}: {told}"))
    lines += [
        ("similar", f"{one.name} ({one.state}), {one.people:,} of the same people") for one in made.similar
    ]
    return [*lines, *(("note", warning) for warning in made.warnings)]


def hours(told: Hours | None) -> list[tuple[str, object]]:
    """At which hours people are told, where not at all."""
    return [] if told is None else [("hours", f"{told_at(told)}, where each of them is")]


def recurs(definition: Announcement, next_at: datetime | None, zone: ZoneInfo) -> list[tuple[str, object]]:
    """What its schedule says, and when the next of them hears it, of one that recurs."""
    if definition.schedule is None:
        return []
    soon = [("next", terminal.moment(next_at, zone))] if next_at else []
    return [("schedule", describe(definition.schedule, announced=True)), *soon]


_OUTSIDE = {
    Outside.TEMPLATE: "is told the template",
    Outside.WAIT: "is waited for",
    Outside.SKIP: "is skipped",
}


def outside(declared: Outside | None) -> list[tuple[str, object]]:
    """What becomes of who has not written within the service window, where that is declared."""
    return [] if declared is None else [("window", f"who wrote nothing for 24 hours {_OUTSIDE[declared]}")]


WHEN = {"content": "", "inside": ", within 24 hours of a message of theirs", "outside": ", otherwise"}


def said(content: Content) -> list[tuple[str, object]]:
    """Each thing that is said, with to whom and when."""
    return [
        (form.kind, f"{_words(form)}  ({variant.language or 'everybody'}{WHEN[where]})")
        for variant in content.variants
        for where, form in variant.forms
    ]


def _words(form: Form) -> str:
    match form:
        case TextForm():
            return form.text
        case TemplateForm():
            above = form.header.url if isinstance(form.header, Attachment) else form.header
            parameters = ", ".join([*([above] if above else []), *form.parameters])
            return f"{form.name} in {form.language}" + (f": {parameters}" if parameters else "")
        case MailForm():
            return f"{form.subject}\n{form.text}" + ("\n(and in HTML)" if form.html else "")
        case MediaForm():
            return f"{form.media} at {form.url}" + (f"\n{form.caption}" if form.caption else "")
        case InteractiveForm():
            choices = form.buttons or (form.menu.rows if form.menu else ())
            return "\n".join([form.text, *(f"[{one.title}]" for one in choices)])
        case PushForm():
            return f"{form.title}\n{form.body}" + (f"\n{form.url}" if form.url else "")
        case FlowStartForm():
            params = "".join(f"\n{key}: {form.params[key]}" for key in sorted(form.params))
            return f"flow {form.flow}{params}"
        case _:
            return form.model_dump_json(exclude={"kind"}, exclude_none=True)
