"""What tests of announcements need: a channel, people, an announcement, and what became of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from clarion.domain.audience import Audience, Selection
from clarion.domain.campaign import Announcement
from clarion.domain.content import Content
from clarion.domain.message import Outcome, State, Verdict
from clarion.domain.person import Person
from clarion.flow import announce, configure, draft, fire
from clarion.flow.services import Services
from clarion.kit.clock import FakeClock
from clarion.kit.db import Connection, rows
from clarion.kit.ids import uuid7
from clarion.store import attempt, event, fallback, intent, owner, queue, run
from clarion.store.intent import Intended, Intent
from clarion.store.owner import Holding
from clarion.store.queue import Waiting
from tests.store.announced import outcomes
from tests.store.people import ABEBE, AMINA, JOHN, ROSA, person, store

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
EVERYONE = Audience(include=Selection(everyone=True))
NOTICE = {
    "variants": [
        {
            "inside": {"kind": "text", "text": "Hello {{ contact.name }}, the clinic is closed on Monday"},
            "outside": {
                "kind": "template",
                "name": "closed",
                "language": "en",
                "parameters": ["{{ contact.name | default: 'colleague' }}", "Monday"],
            },
        }
    ]
}


def announcement(**more: Any) -> Announcement:
    return Announcement.model_validate({"audience": EVERYONE, "content": NOTICE, **more})


def saying(text: str) -> Content:
    """A template that says this, so that it can be sent at any time."""
    form = {"kind": "template", "name": "notice", "language": "en", "parameters": [text]}
    return Content.model_validate({"variants": [{"content": form}]})


async def channel(
    services: Services, workspace: UUID, name: str = "WhatsApp", provider: str = "whatsapp", **config: Any
) -> UUID:
    async with services.db.tenant(workspace) as connection:
        return await configure.create_channel(
            connection, services, workspace, name=name, provider=provider, config={"sender": "1001", **config}
        )


async def people(services: Services, workspace: UUID, some: Sequence[Person] = ()) -> list[UUID]:
    """Amina, Abebe, Rosa and John (or those given); their identifiers."""
    cast = some or [
        person("Amina", AMINA, external_id="E-1", groups=["Nurses", "Nairobi"]),
        person("Abebe", ABEBE, external_id="E-2", groups=["Drivers"]),
        person("Rosa", ROSA, external_id="E-3", groups=["Nairobi"]),
        person("John", JOHN, external_id="E-4"),
    ]
    async with services.db.tenant(workspace) as connection:
        return [taken.contact_id for taken in await store(connection, cast)]


async def written(
    services: Services, workspace: UUID, channel_id: UUID, name: str = "Closed on Monday", **more: Any
) -> UUID:
    """A draft to everyone."""
    async with services.db.tenant(workspace) as connection:
        return await draft.create(
            connection,
            services,
            name=name,
            channel_id=channel_id,
            definition=announcement(**more),
            by="tests",
        )


async def launched(services: Services, workspace: UUID, campaign_id: UUID, **how: Any) -> UUID:
    """The run of a draft that was launched."""
    async with services.db.tenant(workspace) as connection:
        return (await announce.launch(connection, services, campaign_id, **how)).run_id


async def sent_out(services: Services, workspace: UUID, **more: Any) -> tuple[UUID, UUID]:
    """(campaign, run) of an announcement to everyone that was launched and fired."""
    channel_id = await channel(services, workspace)
    campaign_id = await written(services, workspace, channel_id, **more)
    run_id = await launched(services, workspace, campaign_id)
    await fire.fire(services, workspace, run_id)
    return campaign_id, run_id


async def state_of(services: Services, workspace: UUID, campaign_id: UUID) -> str:
    async with services.db.tenant(workspace) as connection:
        row, _ = await draft.read(connection, campaign_id)
        return str(row["state"])


async def counted(services: Services, workspace: UUID, run_id: UUID) -> Counter[str]:
    """Its messages by state or reason, held equal to tally and queue."""
    async with services.db.tenant(workspace) as connection:
        return await outcomes(connection, run_id)


class Dispatch:
    """Stands where a worker's dispatch stands, by the same statements: begins tries and ends them."""

    def __init__(
        self, services: Services, workspace: UUID, campaign_id: UUID, channel_id: UUID | None = None
    ) -> None:
        self.services, self.workspace, self.campaign_id = services, workspace, campaign_id
        self.channel_id = channel_id  # where it is not the campaign's own
        self.worker = uuid7(services.clock.now())
        self.epoch = 0
        self.watching: timedelta | None = None  # after which what is not delivered goes on

    async def begin(self, limit: int = 100) -> list[tuple[Waiting, UUID]]:
        """Intents for what is due: (queue row, attempt), by name."""
        now = self.services.clock.now()
        async with self.services.db.tenant(self.workspace) as connection:
            channel_id = await self._channel(connection)
            if not self.epoch:
                taken = await owner.take(
                    connection, await self._holding(connection, channel_id), self.worker, now
                )
                assert taken is not None
                self.epoch = taken[0]
            tries: list[Intended] = []
            for lane in (await queue.open_lanes(connection, [channel_id]))[channel_id]:
                start = (datetime(1970, 1, 1, tzinfo=UTC), UUID(int=0))
                for waiting in await queue.read_ahead(connection, lane.id, start, now, limit):
                    said = waiting.variables or {"contact": {"name": waiting.name}}
                    tries.append(Intended(waiting, lane.epoch, uuid7(now), said))
            ours = await intent.intend(
                connection,
                worker_id=self.worker,
                intents=[Intent(channel_id, self.epoch, tries)],
                now=now,
            )
            if self.watching is not None:
                some = [(t.waiting.message_id, t.waiting.cohort) for t in tries if t.attempt_id in ours]
                await fallback.watch(connection, tries[0].waiting.lane_id, some, now + self.watching)
        begun = [(t.waiting, t.attempt_id) for t in tries if t.attempt_id in ours]
        return sorted(begun, key=lambda one: one[0].name)

    async def end(self, begun: Sequence[tuple[Waiting, UUID]], outcome: Outcome, **more: Any) -> None:
        """All of these end alike; the message's state follows the outcome unless `state` is given."""
        states = {
            Outcome.ACCEPTED: State.ACCEPTED, Outcome.REFUSED: State.FAILED, Outcome.UNKNOWN: State.UNKNOWN,
            Outcome.UNSENT: State.READY,
        }  # fmt: skip
        state = more.pop("state", states[outcome])
        verdicts = [
            Verdict(attempt_id, outcome, state, reason="refused" if state is State.FAILED else None, **more)
            for _, attempt_id in begun
        ]
        async with self.services.db.tenant(self.workspace) as connection:
            if begun:
                cohort, now = begun[0][0].cohort, self.services.clock.now()
                await attempt.settle(connection, cohort, verdicts, now)
                await event.of_attempts(connection, cohort, [one.attempt_id for one in verdicts], now)

    async def all(self, outcome: Outcome = Outcome.ACCEPTED, **more: Any) -> int:
        """Everything that is due ends like this; how many."""
        begun = await self.begin()
        await self.end(begun, outcome, **more)
        return len(begun)

    async def _channel(self, connection: Connection) -> UUID:
        if self.channel_id is not None:
            return self.channel_id
        found = await rows(connection, "SELECT channel_id FROM campaign WHERE id = %s", (self.campaign_id,))
        channel_id: UUID = found[0]["channel_id"]
        return channel_id

    async def _holding(self, connection: Connection, channel_id: UUID) -> Holding:
        found = await rows(connection, "SELECT * FROM channel_owner WHERE channel_id = %s", (channel_id,))
        if not found:
            return Holding(self.workspace, channel_id, None, 0, 0, True)
        one = found[0]
        return Holding(self.workspace, channel_id, one["worker_id"], one["epoch"], one["beat"], True)


async def runs_of(services: Services, workspace: UUID, campaign_id: UUID) -> list[dict[str, Any]]:
    async with services.db.tenant(workspace) as connection:
        return await run.of_campaign(connection, campaign_id)


def at(services: Services) -> FakeClock:
    """The clock, to be moved."""
    assert isinstance(services.clock, FakeClock)
    return services.clock
