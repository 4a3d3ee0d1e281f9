"""What follows from what came back, beyond its messages: consent, a pause, somebody told.

Wishes of people are part of the transaction that reads them; pauses come after it, since they lock what
the dispatch holds. Doing any of it again changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from clarion.domain.address import Address
from clarion.domain.identity import consent_hash
from clarion.domain.wording import gone
from clarion.flow.compose import WINDOW
from clarion.kit.db import Connection
from clarion.providers.contract import Fault, Provider
from clarion.store import address, campaign, consent, inbound, notice, receipt, window, workspace
from clarion.store import channel as channels
from clarion.store.inbound import Heard
from clarion.store.receipt import Said


class Failure(NamedTuple):
    """A failure that says more than that one message did not arrive."""

    fault: Fault
    cohort: date
    said: Said


async def wake(
    connection: Connection, channel_id: UUID, provider: Provider, heard: Sequence[Heard], now: datetime
) -> int:
    """Who wrote is told what waited for that, where their service window is open now; how many messages."""
    wrote = {address_id for one in heard for address_id in one.address_ids}
    if not provider.has_window or not wrote:
        return 0
    return await window.wake(connection, channel_id, wrote, now - WINDOW, now)


async def heed_opt_outs(connection: Connection, said: Sequence[tuple[Address, datetime]]) -> None:
    """Write into the consent ledger that these addresses want nothing more, and since when."""
    if not said:
        return
    pepper = bytes((await workspace.get(connection))["pepper"])
    for place, at in sorted(said, key=lambda one: one[1]):
        key = consent_hash(pepper, place)
        if await inbound.is_news(connection, key, "out", at):
            await consent.opt_out(connection, [key], at, how="unsubscribe")


async def heed_provider(connection: Connection, provider: str, failures: Sequence[Failure]) -> None:
    """The provider says that a person told it to stop: that is an opt-out here too. Or that an address is no
    more: it is used no more."""
    for failure in failures:
        if failure.fault not in (Fault.OPTED_OUT, Fault.GONE):
            continue
        said = failure.said
        found = (await receipt.whose(connection, failure.cohort, [said.attempt_id])).get(said.attempt_id)
        if found is None or found.consent_key is None or found.scheme is None:
            continue
        key = bytes(found.consent_key)
        if failure.fault is Fault.GONE:
            why = gone(provider, said.code)
            await address.forget(connection, [found.scheme], [key], said.at, why=why)
        elif await inbound.is_news(connection, key, "out", said.at):
            await consent.opt_out(
                connection, [key], said.at, how="provider", by=provider, note=said.code or ""
            )


async def contradiction(
    connection: Connection, workspace_id: UUID, channel_id: UUID, attempts: Sequence[UUID], now: datetime
) -> None:
    """The provider took a try that the ledger held for without effect, while another one stands."""
    await notice.put(
        connection,
        workspace_id,
        cause=f"channel:{channel_id}:contradiction",
        level="error",
        text=f"The evidence contradicts what the provider answered: it took {len(attempts)} tries that it "
        f"had refused, after they were tried again. Somebody may have the message twice. First: "
        f"attempt {attempts[0]}.",
        now=now,
    )


async def halt(
    connection: Connection, workspace_id: UUID, channel_id: UUID, failures: Sequence[Failure], now: datetime
) -> None:
    """Failures that the account or the content is at fault for stop the channel or the campaign."""
    for failure in _one_of_each(failures).values():
        why = f"{failure.said.code}: told in a receipt"
        if failure.fault is Fault.ACCOUNT:
            if failure.said.at < (await channels.get(connection, channel_id))["modified_at"]:
                continue  # it happened before somebody mended or resumed the channel
            await channels.pause(connection, channel_id, why, now)
            await notice.put(
                connection, workspace_id, cause=f"channel:{channel_id}:account", level="error",
                text=f"A channel is paused, the provider refuses our account ({why}).", now=now,
            )  # fmt: skip
        elif failure.fault is Fault.CONTENT:
            found = await receipt.whose(connection, failure.cohort, [failure.said.attempt_id])
            for whose in found.values():
                paused = await campaign.pause_lane(connection, whose.lane_id, why, now)
                if paused is not None:
                    await notice.put(
                        connection, workspace_id, cause=f"campaign:{paused}:content", level="error",
                        text=f"A campaign is paused, the provider refuses its content ({why}).", now=now,
                    )  # fmt: skip


def _one_of_each(failures: Sequence[Failure]) -> Mapping[object, Failure]:
    """Of account failures the latest is enough; of content each campaign's, so all are asked."""
    return {
        f.fault if f.fault is Fault.ACCOUNT else f.said.attempt_id: f
        for f in sorted(failures, key=lambda f: f.said.at)
        if f.fault in (Fault.ACCOUNT, Fault.CONTENT)
    }
