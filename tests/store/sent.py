"""A ledger in which something was sent: an announcement to a few people, and the tries at it.

Everything is done by the store's own functions, as the dispatch does it, with nobody at the other end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from clarion.domain.message import Outcome, State, Verdict, cohort_of, reference
from clarion.kit.db import Connection, Database, rows
from clarion.kit.ids import uuid7
from clarion.store import attempt, campaign, expansion, intent, owner, queue, run, tally
from clarion.store.expansion import Meant
from clarion.store.intent import Intended, Intent
from clarion.store.owner import Holding
from tests.store.people import AMINA, person, store

_START = (datetime(1970, 1, 1, tzinfo=UTC), UUID(int=0))


@dataclass
class Sent:
    """One run of one campaign over one channel. Methods that take a connection are one step each."""

    channel_id: UUID
    campaign_id: UUID
    run_id: UUID
    lane_id: UUID
    cohort: date
    worker_id: UUID
    epoch: int
    now: datetime
    attempts: list[UUID] = field(default_factory=list)

    async def begin(self, connection: Connection, now: datetime | None = None) -> list[UUID]:
        """Commit to trying everything that waits; the attempts, in the order of the queue."""
        now = now or self.now
        waiting = await queue.read_ahead(connection, self.lane_id, _START, now, 100_000)
        (lane,) = (await queue.open_lanes(connection, [self.channel_id]))[self.channel_id]
        tries = [Intended(one, lane.epoch, uuid7(now), one.variables) for one in waiting]
        granted = await intent.intend(
            connection, worker_id=self.worker_id, now=now,
            intents=[Intent(self.channel_id, self.epoch, tries)],
        )  # fmt: skip
        begun = [t.attempt_id for t in tries if t.attempt_id in granted]
        self.attempts += begun
        return begun

    async def settle(
        self, connection: Connection, attempt_id: UUID, outcome: Outcome, now: datetime | None = None
    ) -> None:
        """Write down how a try ended; UNSENT goes back to the queue at once."""
        now = now or self.now
        state = {
            Outcome.ACCEPTED: State.ACCEPTED, Outcome.REFUSED: State.FAILED, Outcome.UNSENT: State.READY,
            Outcome.UNKNOWN: State.UNKNOWN,
        }[outcome]  # fmt: skip
        code = {Outcome.REFUSED: "131026", Outcome.UNKNOWN: "unanswered"}.get(outcome)
        verdict = Verdict(
            attempt_id, outcome, state, reason="refused" if outcome is Outcome.REFUSED else None,
            code=code, retry_at=now if state is State.READY else None,
        )  # fmt: skip
        await attempt.settle(connection, self.cohort, [verdict], now)

    def reference(self, attempt_id: UUID) -> str:
        return reference(self.cohort, attempt_id)

    # --- looking

    async def messages(self, connection: Connection) -> list[dict[str, Any]]:
        return await rows(
            connection,
            """SELECT id, state::text, reason, delivered_at, read_at, settled_at FROM message
               WHERE run_id = %s ORDER BY id""",
            (self.run_id,),
        )

    async def message(self, connection: Connection) -> dict[str, Any]:
        (found,) = await self.messages(connection)
        return found

    async def tries(self, connection: Connection) -> list[dict[str, Any]]:
        return await rows(
            connection,
            """SELECT a.id, a.state::text, a.effective, a.unknown_since, a.provider_id, a.code FROM attempt a
               JOIN message m ON m.id = a.message_id WHERE m.run_id = %s ORDER BY a.number, a.id""",
            (self.run_id,),
        )

    async def waiting(self, connection: Connection) -> int:
        """How many of the run's messages are in the queue."""
        found = await rows(connection, "SELECT count(*) AS n FROM queue WHERE lane_id = %s", (self.lane_id,))
        return int(found[0]["n"])

    async def tally_agrees(self, connection: Connection) -> bool:
        """Whether the counts by state and reason are those of the messages."""
        counted = await tally.counts(connection, self.run_id)
        actual = await rows(
            connection,
            """SELECT state::text, reason, count(*) AS n FROM message WHERE run_id = %s
               GROUP BY message.state, reason ORDER BY 1, 2""",
            (self.run_id,),
        )
        return counted == actual


async def announce(
    connection: Connection,
    workspace_id: UUID,
    now: datetime,
    numbers: Sequence[str] = (AMINA,),
    channel_id: UUID | None = None,
    worker_id: UUID | None = None,
    epoch: int = 0,
    patience: timedelta = timedelta(days=1),
    priority: int = 50,
    schemes: Sequence[str] = ("whatsapp", "tel"),
) -> Sent:
    """People with these numbers (or mailboxes), and a message waiting for each; the channel is owned by a
    worker of ours, or is owned by it already, under `epoch`."""
    people = [person(f"Person {number[-4:]}", number) for number in numbers]
    taken = await store(connection, people, now)
    if channel_id is None:
        channel_id = await _channel(connection, workspace_id, now)
    sent = Sent(
        channel_id, uuid7(now), uuid7(now), uuid7(now), cohort_of(now), worker_id or uuid7(now), epoch, now
    )
    content_id = uuid7(now)
    await campaign.create(
        connection, sent.campaign_id, kind="announcement", name=f"Closed on Monday {sent.campaign_id}",
        definition={}, channel_id=channel_id, similarity_text="", created_by="", now=now,
    )  # fmt: skip
    await campaign.add_content(connection, content_id, sent.campaign_id, 1, {}, now)
    sent.lane_id = await campaign.open_lane(connection, sent.lane_id, channel_id, sent.campaign_id, priority)
    await run.plan(
        connection, sent.run_id, campaign_id=sent.campaign_id, iteration=1, cohort=sent.cohort,
        content_version_id=content_id, lane_id=sent.lane_id, due_at=now, expires_at=now + patience,
    )  # fmt: skip
    await campaign.set_state(connection, sent.campaign_id, "running", now, send_at=now)
    await expansion.cut(connection, sent.run_id, now, parts=1)
    meant = Meant("c.id = ANY (%(who)s)", {"who": [one.contact_id for one in taken]})
    await expansion.expand_chunk(
        connection, sent.run_id, meant, schemes=schemes, once_an_address=False,
        limit=len(people) + 1, now=now,
    )  # fmt: skip
    if epoch:
        return sent
    holding = Holding(workspace_id, channel_id, None, 0, 0, True)
    became = await owner.take(connection, holding, sent.worker_id, now)
    assert became is not None
    sent.epoch = became[0]
    return sent


async def _channel(connection: Connection, workspace_id: UUID, now: datetime) -> UUID:
    identifier = uuid7(now)
    await connection.execute(
        """INSERT INTO channel (id, workspace_id, name, provider, config, rate, created_at, modified_at)
           VALUES (%s, %s, %s, 'whatsapp', '{}', 80, %s, %s)""",
        (identifier, workspace_id, f"WhatsApp {identifier}", now, now),
    )
    return identifier


async def sent_once(db: Database, workspace_id: UUID, now: datetime) -> tuple[Sent, UUID]:
    """One message to one person whose only try is in flight; committed."""
    async with db.tenant(workspace_id) as connection:
        sent = await announce(connection, workspace_id, now)
        (begun,) = await sent.begin(connection)
    return sent, begun
