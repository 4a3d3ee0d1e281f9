"""What a table becomes: a schedule, what it says, and what of the table the schedule itself does not tell."""

from __future__ import annotations

from datetime import date
from typing import Any

from pydantic import Field, ValidationError

from clarion.domain.content import Content
from clarion.domain.schedule.check import read as read_schedule
from clarion.domain.schedule.clocktime import Part
from clarion.domain.schedule.model import Number, Schedule
from clarion.errors import Invalid, Problem


class Known(Part):
    """What the table says of a step beside its day, time and content: its own name there, its track."""

    id: str | None = None
    track: str | None = None


class Sheet(Part):
    """By this a row is known again. `first_date`: the day 0 of a table of dates. `rows`: by step number,
    where there is something to know."""

    first_date: date | None = None
    rows: dict[Number, Known] = Field(default_factory=dict)


class Document(Part):
    """A schedule and the contents that its steps name, for a sequence."""

    schedule: Schedule
    contents: dict[str, Content]
    sheet: Sheet = Sheet()

    def stored(self) -> dict[str, Any]:
        """As JSON; `read` reads it back."""
        found: dict[str, Any] = {
            "schedule": self.schedule.stored(),
            "contents": {
                name: content.model_dump(mode="json", exclude_defaults=True)
                for name, content in self.contents.items()
            },
        }
        sheet = self.sheet.model_dump(mode="json", exclude_defaults=True)
        return found | {"sheet": sheet} if sheet else found


def read(document: object, where: str = "") -> Document:
    """A document that an earlier import made. Raises Invalid with everything that is wrong with it."""
    if isinstance(document, dict) and isinstance(document.get("schedule"), dict):
        read_schedule(document["schedule"], f"{where}.schedule".lstrip("."))
    try:
        return Document.model_validate(document)
    except ValidationError as error:
        prefix = f"{where}." if where else ""
        problems = tuple(
            Problem(f"{prefix}{'.'.join(map(str, one['loc']))}", one["msg"])
            for one in error.errors(include_url=False)
        )
        hint = "Give what `clarion schedule import --out` wrote."
        raise Invalid(
            "not the document of an imported schedule", where=where, hint=hint, problems=problems
        ) from None
