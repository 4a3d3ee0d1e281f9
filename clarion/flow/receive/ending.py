"""Ending by reply: whoever answers what an alert said of a case hears no more of it in this time round, where
the alert says so, and with them all who hear of the case, where it says that.

That they replied is kept in the transaction that reads the message, so once however often the provider
tells it; a worker then brings the case in step. A word about consent is no reply, but "yes" is where it
starts nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from clarion.domain.address import address_from_urn
from clarion.domain.identity import consent_hash
from clarion.domain.replies import WITHIN, ended
from clarion.flow.receive.choosing import BLUR
from clarion.flow.receive.heeding import Heeding
from clarion.kit.db import Connection
from clarion.providers.contract import Provider
from clarion.store import choice, inbound, replied
from clarion.store.replied import Reply

MEANING = "reply"


async def end(
    connection: Connection,
    channel_id: UUID,
    provider: Provider,
    said: Sequence[inbound.Said],
    heard: Sequence[inbound.Heard],
    words: Heeding,
) -> int:
    """Keep who of these replied to alerts that stop on it, after consent was heeded; how many replies."""
    some = [one for one in heard if not one.meaning or one.provider_id in words.aside]
    if not some or not await replied.is_heeded(connection):
        return 0
    names = {one.provider_id: _names(one) for one in said}
    pepper, replies = bytes(words.home["pepper"]), list[Reply]()
    for one in some:
        keys = [consent_hash(pepper, address_from_urn(name)) for name in names[one.provider_id]]
        found = ended(
            await choice.spoken(
                connection, channel_id, keys, provider.schemes, one.at - WITHIN, one.at + BLUR
            )
        )
        if found and not one.meaning:
            await inbound.mean(connection, one.id, MEANING)
        replies += [
            Reply(each.campaign_id, each.case_id, each.contact_id, each.generation, one.at)
            for each in found
            if each.case_id is not None
        ]
    await replied.keep(connection, replies)
    return len(replies)


def _names(one: inbound.Said) -> list[str]:
    """The URNs by which its writer is known."""
    return [one.urn, f"{one.urn.partition(':')[0]}:{one.also}"] if one.also else [one.urn]
