"""Subscribers hear what happened: each event once where all is well, again where it is not."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from clarion.domain.message import Outcome
from clarion.flow.services import Services
from tests.flow.announcing import NOON, Dispatch, at, channel, launched, people, sent_out, written
from tests.flow.telling import kept, subscribed, subscriber, tell


async def test_a_message_that_was_accepted_is_told_with_who_and_what_and_no_number(
    services: Services, workspace: UUID
) -> None:
    await people(services, workspace)
    async with subscriber() as portal:
        await subscribed(services, workspace, portal.url, "message.accepted")
        campaign_id, _ = await sent_out(services, workspace)
        await Dispatch(services, workspace, campaign_id).all()
        await tell(services)
    assert kept is not None
    assert len(portal.told) == 4
    assert sorted(one["external_id"] for one in portal.of("message.accepted")) == ["E-1", "E-2", "E-3", "E-4"]
