"""The same thing again? Announcements that say about the same, to some of the same people, at about the
same moment. Whoever launches is told, and confirms or lets it be."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from clarion.domain.campaign import Announcement, Caution, similarity_text
from clarion.errors import Conflict, Invalid
from clarion.flow import whom
from clarion.kit.db import Connection, Row
from clarion.store import campaign as campaigns
from clarion.store import likeness, run
from clarion.store import workspace as workspaces
from clarion.store.expansion import Meant

SHOWN = 5


@dataclass(frozen=True, slots=True)
class Similar:
    """Another announcement. `likeness` is 0 to 1 (trigrams), `people` those whom both mean."""

    id: UUID
    name: str
    state: str
    send_at: datetime
    likeness: float
    people: int


async def find(
    connection: Connection, campaign_id: UUID, definition: Announcement, moment: datetime
) -> list[Similar]:
    """Those that a launch for `moment` would repeat, most alike first.

    Scheduled or sent and not cancelled, within `hours` either way, texts alike by `likeness` (settings of
    the workspace), and at least one person in common.
    """
    caution = Caution.of((await workspaces.get(connection))["settings"])
    alike = await campaigns.similar(
        connection, campaign_id, similarity_text(definition.content), moment,
        within_hours=caution.hours, likeness=caution.likeness,
    )  # fmt: skip
    ours = await whom.now_meant(connection, definition.audience, moment)
    found: list[Similar] = []
    for other in alike:
        people = await _in_common(connection, ours, other)
        if people:
            likeness_ = round(float(other["likeness"]), 3)
            found.append(
                Similar(other["id"], other["name"], other["state"], other["send_at"], likeness_, people)
            )
        if len(found) == SHOWN:
            break
    return found


async def refuse(
    connection: Connection, campaign_id: UUID, definition: Announcement, moment: datetime
) -> None:
    """Raises Conflict with `similar` in its extra, when there are any."""
    if found := await find(connection, campaign_id, definition, moment):
        raise Conflict(
            f"a similar announcement is there already: {found[0].name}",
            where="confirm_similar",
            hint="Look at it; give confirm_similar where both are meant.",
            extra={"reason": "similar", "similar": [shown(one) for one in found]},
        )


def shown(one: Similar) -> dict[str, Any]:
    """As JSON, for errors and replies."""
    return {**asdict(one), "id": str(one.id), "send_at": one.send_at.isoformat()}


async def _in_common(connection: Connection, ours: Meant, other: Row) -> int:
    """People of ours whom the other has reached or will reach: by its messages once it is expanded."""
    runs = await run.of_campaign(connection, other["id"])
    if runs and all(one["state"] not in ("planned", "expanding") for one in runs):
        return await likeness.people_who_got(connection, ours, other["id"])
    try:
        definition = Announcement.read(other["definition"])
    except Invalid:
        return 0
    theirs = await whom.meant(connection, other["id"], definition, other["send_at"])
    return await likeness.people_in_common(connection, ours, theirs)
