"""Owing somebody an answer to what they have just written, in the transaction that hears it: a courtesy. It
goes the way of every message, through queue, limits and intent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from clarion.domain.content import Content
from clarion.domain.courtesy import KIND, PATIENCE, PRIORITY
from clarion.domain.message import cohort_of
from clarion.kit.db import Connection
from clarion.store import consent, courtesy
from clarion.store.courtesy import Writer
from clarion.store.inbound import Heard


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said, under which step of the channel's courtesies; `said`: its values, and its `language`
    where one was chosen. A `farewell` passes the opt-out that it confirms."""

    step: int
    content: Content
    said: Mapping[str, Any]
    farewell: bool = False


async def owe(
    connection: Connection, channel_id: UUID, heard: Heard, to: Writer, answer: Answer, now: datetime
) -> bool:
    """Owe somebody this over the channel on which they wrote. Whether it waits now."""
    place = await courtesy.open_place(
        connection, channel_id, kind=KIND, name="Answers to STOP, START and HELP", priority=PRIORITY, now=now
    )
    body = answer.content.model_dump(mode="json", exclude_none=True)
    version = await courtesy.content(connection, place.campaign_id, answer.step, body, now)
    if answer.farewell:
        await consent.let_pass(connection, to.consent_key, heard.id)
    return await courtesy.write(
        connection, heard.id, to, place, content_id=version, step=answer.step, cohort=cohort_of(now),
        variables=dict(answer.said) or None, expires_at=heard.at + PATIENCE, now=now,
    )  # fmt: skip
