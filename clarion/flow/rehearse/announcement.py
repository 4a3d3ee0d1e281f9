"""Rehearsing an announcement: everybody at one moment."""

from __future__ import annotations

from datetime import datetime

from clarion.domain.campaign import STEP, Announcement, State
from clarion.domain.message import Skip
from clarion.domain.message import State as Became
from clarion.domain.rehearsal.late import Coming, Judged
from clarion.domain.rehearsal.reckoning import Reckoning
from clarion.domain.schedule.allowed import Allowed
from clarion.domain.schedule.holds import Closed
from clarion.domain.schedule.subject import Occurrence
from clarion.domain.schedule.zones import seconds
from clarion.errors import Conflict
from clarion.flow import draft, whom
from clarion.flow.rehearse import scene as scenes
from clarion.flow.rehearse.scene import Play, Scene
from clarion.flow.rehearse.sequence import ALL_SKIPPED, Told
from clarion.flow.services import Services
from clarion.kit.db import Connection, Row
from clarion.store import rehearsing, run
from clarion.store.rehearsing import Share

NAME = "announcement"  # of its only content


async def moment(connection: Connection, row: Row, at: datetime | None, now: datetime) -> datetime:
    """When it would begin: at the moment that was asked for, else at its own, else now. Raises Conflict where
    it has begun."""
    begun = [one for one in await run.of_campaign(connection, row["id"]) if one["state"] != "planned"]
    if begun or row["state"] in (State.COMPLETED, State.CANCELLED):
        raise Conflict(
            "it has begun already, or is over",
            where="state",
            hint="`clarion announcement show` says how far it is. A copy of it can be rehearsed.",
            extra={"state": row["state"]},
        )
    own = row["send_at"] or Announcement.read(row["definition"]).send_at
    return at or max(own or now, now)


async def count(
    connection: Connection, services: Services, row: Row, begin: datetime, reckoning: Reckoning
) -> tuple[Scene, Told]:
    """Everybody, counted in one statement. Raises Invalid, NotFound, Misconfigured."""
    definition = Announcement.read(row["definition"])
    over = await draft.check(connection, row["channel_id"], definition, services.clock.now())
    launched = definition.frozen and row["state"] != State.DRAFT
    meant = (
        await whom.meant(connection, row["id"], definition, begin)
        if launched
        else await whom.now_meant(connection, definition.audience, begin)
    )
    contents = {NAME: definition.content}
    scene = await scenes.read(
        connection, services, Play(row, definition, contents, {STEP: NAME}, begin, over, meant)
    )
    told, due = Told(), [Occurrence(seconds(begin), 1, STEP)]
    for one in await rehearsing.shares(
        connection, meant, schemes=over.schemes, once_an_address=definition.one_per == "address",
        cut=scene.cut, hours_field=scene.home_hours.field, routes=scene.routes,
    ):  # fmt: skip
        told.people += one.people
        if one.reason is not None:
            reckoning.skip(due, one.reason, one.people)
            told.apart[one.reason] += one.people
            continue
        lot = scene.lot(one.channel_id, one.zone, one.language)
        heard = reckoning.count(_by_their_hours(scene, one, due[0]), lot, one.begins, one.people)
        told.hear += one.people * heard.messages
        told.apart[ALL_SKIPPED] += one.people * heard.skipped
    return scene, told


def _by_their_hours(scene: Scene, some: Share, due: Occurrence) -> list[Coming]:
    """What is due, when people with hours of their own may be told it; the hours of all others are kept by
    their channel (`domain.rehearsal.carrying`)."""
    hours = scene.home_hours.of({scene.home_hours.field: some.hours}) if some.hours else ()
    if len(hours) == len(scene.home_hours.layers):
        return [due]
    own, begin = scene.definition.hours, due.due_at
    allowed = Allowed(*([own] if own is not None else []), *hours)
    try:
        opens, _ = allowed.span(begin, some.zone or scene.home)
        if allowed.too_late(begin, opens):
            raise Closed
    except Closed:
        return [Judged(*due[:4], Skip.QUIET_HOURS)]
    if opens >= begin + scene.definition.patience:
        return [Judged(*due[:4], Became.EXPIRED)]
    return [due if opens == begin else Judged(seconds(opens), 1, STEP, (Skip.QUIET_HOURS,))]
