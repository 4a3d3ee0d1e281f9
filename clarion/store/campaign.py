"""Campaigns, what they say, and their lanes. Runs are in `run`, messages in the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from clarion.errors import NotFound
from clarion.kit.db import Connection, Row, row, rows
from clarion.store import event

_ALL = """id, kind, name, state, reason, definition, channel_id, send_at, created_by, created_at,
  modified_at, launched_at, finished_at, follows, revision, resumed_at, switched"""


async def create(
    connection: Connection,
    campaign_id: UUID,
    *,
    kind: str,
    name: str,
    definition: Mapping[str, Any],
    channel_id: UUID,
    similarity_text: str,
    created_by: str,
    now: datetime,
) -> None:
    """Add a draft. `definition` is the campaign's model as JSON, `similarity_text` what it says."""
    await connection.execute(
        """INSERT INTO campaign (id, workspace_id, kind, name, state, definition, channel_id,
             similarity_text, created_by, created_at, modified_at)
           VALUES (%s, clarion_workspace(), %s, %s, 'draft', %s, %s, %s, %s, %s, %s)""",
        (
            campaign_id, kind, name, Jsonb(dict(definition)), channel_id, similarity_text, created_by, now,
            now,
        ),
    )  # fmt: skip


async def get(connection: Connection, campaign_id: UUID, kind: str, *, lock: bool = False) -> Row:
    """One campaign of a kind, locked against other changes where asked. Raises NotFound."""
    found = await row(
        connection,
        f"SELECT {_ALL} FROM campaign WHERE id = %s AND kind = %s" + (" FOR NO KEY UPDATE" if lock else ""),
        (campaign_id, kind),
    )
    if found is None:
        raise NotFound(f"there is no such {kind}", hint=f"`clarion {kind} list` shows those there are.")
    return found


async def any_kind(connection: Connection, campaign_id: UUID) -> Row:
    """One campaign of any kind. Raises NotFound."""
    found = await row(connection, f"SELECT {_ALL} FROM campaign WHERE id = %s", (campaign_id,))
    if found is None:
        raise NotFound("there is no such campaign")
    return found


async def lock(connection: Connection, campaign_id: UUID) -> Row:
    """One campaign of any kind, locked against other changes. Raises NotFound."""
    found = await row(
        connection, f"SELECT {_ALL} FROM campaign WHERE id = %s FOR NO KEY UPDATE", (campaign_id,)
    )
    if found is None:
        raise NotFound("there is no such campaign")
    return found


async def page(connection: Connection, kind: str, before: UUID | None, limit: int) -> list[Row]:
    """Campaigns of a kind, newest first, before the given one; without tests of them."""
    return await rows(
        connection,
        f"""SELECT {_ALL} FROM campaign WHERE workspace_id = clarion_workspace() AND kind = %(kind)s
            AND (%(before)s::uuid IS NULL OR id < %(before)s) AND NOT definition ? 'test_of'
            ORDER BY id DESC LIMIT %(limit)s""",
        {"kind": kind, "before": before, "limit": limit},
    )


async def change(
    connection: Connection,
    campaign_id: UUID,
    *,
    name: str,
    definition: Mapping[str, Any],
    channel_id: UUID,
    similarity_text: str,
    now: datetime,
) -> None:
    """Write an edited campaign (the caller has it locked and judged the edit)."""
    await connection.execute(
        """UPDATE campaign SET name = %s, definition = %s, channel_id = %s, similarity_text = %s,
             modified_at = %s WHERE id = %s""",
        (name, Jsonb(dict(definition)), channel_id, similarity_text, now, campaign_id),
    )


async def set_state(
    connection: Connection,
    campaign_id: UUID,
    state: str,
    now: datetime,
    *,
    reason: str = "",
    send_at: datetime | None = None,
) -> None:
    """Move a campaign on; `send_at` is set where given, launched and finished times by the state."""
    await connection.execute(
        """UPDATE campaign SET state = %(state)s, reason = %(reason)s, modified_at = %(now)s,
             send_at = coalesce(%(send_at)s, send_at),
             launched_at = CASE WHEN %(state)s IN ('draft', 'cancelled') THEN launched_at
               ELSE coalesce(launched_at, %(now)s) END,
             finished_at = CASE WHEN %(state)s IN ('completed', 'cancelled') THEN %(now)s::timestamptz END
           WHERE id = %(id)s""",
        {"state": state, "reason": reason, "now": now, "send_at": send_at, "id": campaign_id},
    )
    await event.of_campaign(connection, campaign_id, state, now, reason)


# --- what it says


async def add_content(
    connection: Connection,
    content_id: UUID,
    campaign_id: UUID,
    step_id: int,
    body: Mapping[str, Any],
    now: datetime,
) -> None:
    """Add a version of what a step says. Versions are never changed."""
    await connection.execute(
        """INSERT INTO content_version (id, workspace_id, campaign_id, step_id, version, body, created_at)
           SELECT %(id)s, clarion_workspace(), %(campaign)s, %(step)s, coalesce(max(version), 0) + 1,
             %(body)s, %(now)s
           FROM content_version WHERE campaign_id = %(campaign)s AND step_id = %(step)s""",
        {"id": content_id, "campaign": campaign_id, "step": step_id, "body": Jsonb(dict(body)), "now": now},
    )


async def latest_contents(connection: Connection, campaign_id: UUID) -> dict[int, UUID]:
    """The last version of what each step of a campaign says."""
    found = await rows(
        connection,
        """SELECT DISTINCT ON (step_id) step_id, id FROM content_version WHERE campaign_id = %s
           ORDER BY step_id, version DESC""",
        (campaign_id,),
    )
    return {one["step_id"]: one["id"] for one in found}


async def content(connection: Connection, content_id: UUID) -> dict[str, Any]:
    """A version's body. Raises NotFound."""
    found = await row(connection, "SELECT body FROM content_version WHERE id = %s", (content_id,))
    if found is None:
        raise NotFound("there is no such content")
    body: dict[str, Any] = found["body"]
    return body


# --- lanes


async def open_lane(
    connection: Connection,
    lane_id: UUID,
    channel_id: UUID,
    campaign_id: UUID,
    priority: int,
    weight: int = 1,
    *,
    onward: UUID | None = None,
    after: int | None = None,
    hours: str | None = None,
    outside: str | None = None,
    state: str = "open",
) -> UUID:
    """The campaign's lane on a channel at a priority, made where it is not (in `state`), with its share;
    its id.

    What does not arrive goes on in the lane `onward`, with `after` also what nobody has heard of as many
    seconds after its try. `hours`: at which its people may be told (`domain.schedule.hours.Hours` as JSON).
    `outside`: what becomes of whom it finds outside the service window (`domain.outside`).
    """
    found = await row(
        connection,
        """INSERT INTO lane (id, workspace_id, channel_id, campaign_id, priority, weight, next_lane_id,
             next_after, hours, outside_window, state)
           VALUES (%s, clarion_workspace(), %s, %s, %s, %s, %s, %s, %s, %s, %s)
           ON CONFLICT (channel_id, campaign_id, priority) DO UPDATE SET weight = excluded.weight,
             next_lane_id = excluded.next_lane_id, next_after = excluded.next_after,
             hours = excluded.hours, outside_window = excluded.outside_window
           RETURNING id""",
        (lane_id, channel_id, campaign_id, priority, weight, onward, after, hours, outside, state),
    )
    assert found is not None
    opened: UUID = found["id"]
    return opened


async def lane_ids(connection: Connection, campaign_id: UUID) -> list[UUID]:
    """All lanes of a campaign, on whichever channels."""
    found = await rows(connection, "SELECT id FROM lane WHERE campaign_id = %s ORDER BY id", (campaign_id,))
    return [one["id"] for one in found]


async def waiting_channels(connection: Connection, campaign_id: UUID) -> list[UUID]:
    """The channels on which something of a campaign waits."""
    found = await rows(
        connection,
        """SELECT DISTINCT l.channel_id FROM lane l
           CROSS JOIN LATERAL (SELECT FROM queue q WHERE q.lane_id = l.id LIMIT 1) waiting
           WHERE l.campaign_id = %s ORDER BY l.channel_id""",
        (campaign_id,),
    )
    return [one["channel_id"] for one in found]


async def set_lanes(connection: Connection, campaign_id: UUID, state: str, reason: str = "") -> list[UUID]:
    """Open, pause, cancel or close all lanes of a campaign; those changed.

    Bumps the epoch: what an owner has read ahead is void. Intents hold KEY SHARE on a lane's row, so
    after this lock none is under way that has not committed. A cancelled lane stays cancelled.
    """
    locked = await rows(
        connection, "SELECT id FROM lane WHERE campaign_id = %s ORDER BY id FOR UPDATE", (campaign_id,)
    )
    changed = await rows(
        connection,
        """UPDATE lane SET state = %s, reason = %s, epoch = epoch + 1
           WHERE id = ANY (%s) AND state <> %s AND state <> 'cancelled' RETURNING id""",
        (state, reason, [found["id"] for found in locked], state),
    )
    ids = [found["id"] for found in changed]
    if state == "closed":  # a second row of a message that has ended (retry pressed twice) goes with it
        await connection.execute(
            """DELETE FROM queue q WHERE q.lane_id = ANY (%s) AND NOT EXISTS (
                 SELECT FROM message m
                 WHERE m.id = q.message_id AND m.cohort = q.cohort AND m.state = 'ready')""",
            (ids,),
        )
    return ids


async def pause_lane(connection: Connection, lane_id: UUID, reason: str, now: datetime) -> UUID | None:
    """Pause the campaign that a lane belongs to, all its lanes at once; its id, None when it was already."""
    found = await row(
        connection,
        """SELECT c.id, c.state FROM campaign c JOIN lane l ON l.campaign_id = c.id WHERE l.id = %s
           FOR NO KEY UPDATE OF c""",
        (lane_id,),
    )
    if found is None or found["state"] not in ("scheduled", "running"):
        return None
    await set_lanes(connection, found["id"], "paused", reason)
    await set_state(connection, found["id"], "paused", now, reason=reason)
    paused: UUID = found["id"]
    return paused


# --- the same thing again?


async def similar(
    connection: Connection,
    campaign_id: UUID,
    text: str,
    moment: datetime,
    *,
    within_hours: float,
    likeness: float,
) -> list[Row]:
    """Campaigns launched for about the same moment that say about the same (pg_trgm), most alike first.

    Answers {id, name, state, send_at, likeness, definition}; whether audiences overlap is asked next.
    """
    return await rows(
        connection,
        """SELECT id, name, state, send_at, definition, similarity(similarity_text, %(text)s) AS likeness
           FROM campaign
           WHERE workspace_id = clarion_workspace() AND id <> %(id)s AND send_at IS NOT NULL
             AND state IN ('scheduled', 'running', 'paused', 'completed')
             AND send_at BETWEEN %(moment)s - make_interval(secs => %(seconds)s)
                             AND %(moment)s + make_interval(secs => %(seconds)s)
             AND similarity(similarity_text, %(text)s) >= %(likeness)s
           ORDER BY likeness DESC LIMIT 100""",
        {
            "id": campaign_id, "text": text, "moment": moment, "seconds": within_hours * 3600,
            "likeness": likeness,
        },
    )  # fmt: skip
