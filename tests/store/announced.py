"""An announcement to an audience, as far as the ledger: expanded, nothing sent yet."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from clarion.domain.audience import Audience, Selection
from clarion.domain.message import cohort_of
from clarion.kit.db import Connection, rows
from clarion.kit.ids import uuid7
from clarion.store import audience as audiences
from clarion.store import campaign, channel, run, tally
from clarion.store.expansion import expand_chunk

SCHEMES = ("whatsapp", "tel")
EVERYONE = Audience(include=Selection(everyone=True))


async def announce(
    connection: Connection,
    workspace: UUID,
    now: datetime,
    who: Audience = EVERYONE,
    *,
    one_an_address: bool = False,
) -> UUID:
    """Plan and expand an announcement; the run's id."""
    channel_id, campaign_id, content_id, lane_id, run_id = (uuid7(now) for _ in range(5))
    await channel.create(
        connection, channel_id, workspace, name=f"WhatsApp {channel_id}", provider="sandbox", config={},
        credentials=None, rate=Decimal(80), now=now,
    )  # fmt: skip
    await campaign.create(
        connection, campaign_id, kind="announcement", name="Closed on Monday", definition={},
        channel_id=channel_id, similarity_text="", created_by="", now=now,
    )  # fmt: skip
    await campaign.add_content(connection, content_id, campaign_id, 1, {}, now)
    await campaign.open_lane(connection, lane_id, channel_id, campaign_id, 5)
    await run.plan(
        connection, run_id, campaign_id=campaign_id, iteration=1, cohort=cohort_of(now),
        content_version_id=content_id, lane_id=lane_id, due_at=now, expires_at=now + timedelta(days=1),
    )  # fmt: skip
    await expand_all(connection, run_id, now, who, one_an_address=one_an_address)
    return run_id


async def expand_all(
    connection: Connection,
    run_id: UUID,
    now: datetime,
    who: Audience = EVERYONE,
    *,
    one_an_address: bool = False,
) -> None:
    condition = await audiences.resolve(connection, who, now)
    while chunk := await expand_chunk(
        connection, run_id, condition, schemes=SCHEMES, once_an_address=one_an_address, limit=1000, now=now
    ):
        if chunk.done:
            return


async def reopen(connection: Connection, run_id: UUID) -> None:
    """Let a run be expanded once more from the beginning, as if nobody knew how far it was."""
    await connection.execute("DELETE FROM run_part WHERE run_id = %s", (run_id,))
    await connection.execute("UPDATE run SET state = 'planned' WHERE id = %s", (run_id,))


async def outcomes(connection: Connection, run_id: UUID) -> Counter[str]:
    """The run's messages by state, or by reason where there is one; held equal to the tally and queue."""
    found = await rows(
        connection, "SELECT coalesce(reason, state::text) AS word FROM message WHERE run_id = %s", (run_id,)
    )
    counted = Counter(str(one["word"]) for one in found)
    told = {str(one["reason"] or one["state"]): one["n"] for one in await tally.counts(connection, run_id)}
    assert told == counted
    waiting = await rows(
        connection,
        "SELECT count(*) AS n FROM queue q JOIN message m ON m.id = q.message_id WHERE m.run_id = %s",
        (run_id,),
    )
    assert waiting[0]["n"] == counted["ready"]
    return counted


async def waiting_for(connection: Connection, run_id: UUID) -> list[tuple[UUID, str]]:
    """Who waits and at which address: (contact, value), by value."""
    found = await rows(
        connection,
        """SELECT q.contact_id, a.value FROM queue q JOIN message m ON m.id = q.message_id
           JOIN address a ON a.id = q.address_id WHERE m.run_id = %s ORDER BY a.value""",
        (run_id,),
    )
    return [(one["contact_id"], one["value"]) for one in found]
