"""Unknown tries, where the provider can be asked: settled by its answer, never by patience alone.

What the provider has is evidence at once. That it has nothing proves something only when nothing can
be under way any more: the call is known to have ended (its own process said so, or is proven dead),
and since that was known a lease, the call's longest time and the provider's own lag have passed. Then the
message goes back to the queue (DESIGN, ledger rule 6). All else is left for people to decide.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from clarion.domain.message import Outcome, State, Verdict, reference
from clarion.errors import ClarionError
from clarion.flow.dispatch import account, deaths
from clarion.flow.dispatch.account import Channel
from clarion.flow.dispatch.recover import VANISHED
from clarion.flow.receive import consequences
from clarion.flow.services import Services
from clarion.kit.db import fit
from clarion.kit.http import Http
from clarion.kit.log import logger
from clarion.providers.contract import Evidence, Found, Sender
from clarion.store import attempt, event, receipt, worker
from clarion.store.receipt import Contended, Doubt, Said

AT_ONCE = 10  # look-ups under way
A_SECOND = 50.0  # look-ups, at most
ONE_ROUND = 250  # attempts of one channel; the others' turn comes with the next round
log = logger(__name__)


@dataclass(slots=True)
class Reconciled:
    """What one round did with a channel's unknown tries. `asked` = found + missing + silent."""

    asked: int = 0
    found: int = 0  # the provider has it: settled by that
    missing: int = 0  # it has not
    returned: int = 0  # of those, put back to be tried again (or failed: no tries are left)
    silent: int = 0  # it could not say


Answers = list[tuple[Doubt, Found]]


async def workspace(services: Services, http: Http, workspace_id: UUID) -> None:
    """One round for every channel of a workspace that has unknown tries, paused ones too."""
    async with services.db.tenant(workspace_id) as connection:
        channels = await receipt.doubtful_channels(connection)
    for channel_id in channels:
        try:
            done = await reconcile(services, http, workspace_id, channel_id)
        except (ClarionError, Contended) as error:
            log.warning("unknowns cannot be looked up", channel=str(channel_id), error=type(error).__name__)
            continue
        if done.found or done.returned:
            log.info(
                "unknowns were settled", channel=str(channel_id), found=done.found, returned=done.returned
            )


async def reconcile(services: Services, http: Http, workspace_id: UUID, channel_id: UUID) -> Reconciled:
    """One round for one channel. It can be repeated, and run in several places at once.

    Does nothing where the channel's service answers no look-ups. Raises NotFound, Misconfigured.
    """
    channel = await account.load(services, workspace_id, channel_id)
    if not channel.can_look_up:
        return Reconciled()
    async with services.db.tenant(workspace_id) as connection:
        doubts = await receipt.doubts(connection, channel_id, ONE_ROUND)
        owners = await worker.some(connection, list({doubt.worker_id for doubt in doubts}))
        ended = await deaths.ended(connection, owners.values(), services.clock.now())
    # judged by the moment before the question, not by the moment of the answer
    asked_at = services.clock.now()
    answers, silent = await _ask(channel.provider.sender(channel.account, http), doubts)
    known = [(doubt, found) for doubt, found in answers if found.known]
    missing = [doubt for doubt, found in answers if not found.known]
    ripe = [
        doubt for doubt in missing if _proves(services, channel, doubt, ended.get(doubt.worker_id), asked_at)
    ]
    if known:
        await _believe(services, workspace_id, channel_id, known)
    returned = await _return(services, channel, ripe) if ripe else 0
    return Reconciled(len(answers) + silent, len(known), len(missing), returned, silent)


def _proves(
    services: Services, channel: Channel, doubt: Doubt, ended: datetime | None, asked_at: datetime
) -> bool:
    """Whether a look-up of `asked_at` that found nothing proves that there is nothing and will be.

    `ended`: since when it is known that the doubt's worker makes no call any more.
    """
    if doubt.code != VANISHED:  # its own process wrote that the call was over
        since = doubt.since
    elif ended is not None:
        since = max(doubt.since, ended)
    else:
        return False
    patience = timedelta(
        seconds=services.settings.lease
        + channel.config.total_timeout
        + channel.config.lookup_lag
        + services.settings.clock_tolerance
    )
    return asked_at - since >= patience


async def _ask(sender: Sender, doubts: Sequence[Doubt]) -> tuple[Answers, int]:
    """Look each up, a few at a time; what was answered, and how many were not."""
    answers: Answers = []
    silent = 0
    loop = asyncio.get_running_loop()
    for start in range(0, len(doubts), AT_ONCE):
        began = loop.time()
        part = doubts[start : start + AT_ONCE]
        told = await asyncio.gather(*(sender.look_up(reference(d.cohort, d.id)) for d in part))
        answers += [(doubt, found) for doubt, found in zip(part, told, strict=True) if found is not None]
        silent += told.count(None)
        if not any(told):
            break  # it says nothing at present: another time
        await asyncio.sleep(max(0.0, len(part) / A_SECOND - (loop.time() - began)))
    return answers, silent


async def _believe(services: Services, workspace_id: UUID, channel_id: UUID, known: Answers) -> None:
    """What the provider has is evidence as good as a receipt."""
    now = services.clock.now()
    cohorts: dict[date, list[Said]] = defaultdict(list)
    for doubt, found in known:
        evidence = found.evidence or Evidence.ACCEPTED
        name = found.provider_id and fit(found.provider_id)
        cohorts[doubt.cohort].append(Said(doubt.id, evidence.value, now, None, name))
    contradicted: list[UUID] = []
    async with services.db.tenant(workspace_id) as connection:
        for cohort, said in sorted(cohorts.items()):
            contradicted += (await receipt.apply(connection, cohort, said, now)).contradicted
            await event.of_receipts(connection, cohort, [(s.attempt_id, s.status) for s in said], now)
        if contradicted:
            await consequences.contradiction(connection, workspace_id, channel_id, contradicted, now)


async def _return(services: Services, channel: Channel, ripe: Sequence[Doubt]) -> int:
    """What had no effect is tried again, while tries are left. Evidence that came meanwhile stands."""
    now = services.clock.now()
    cohorts: dict[date, list[Verdict]] = defaultdict(list)
    for doubt in ripe:
        again = doubt.number < channel.config.attempts
        cohorts[doubt.cohort].append(
            Verdict(
                doubt.id,
                Outcome.UNSENT,
                State.READY if again else State.FAILED,
                reason=None if again else "attempts_used_up",
                code="not_found",
                detail="the provider does not have it",
                retry_at=now if again else None,
            )
        )
    returned = 0
    async with services.db.tenant(channel.workspace_id) as connection:
        for cohort, verdicts in sorted(cohorts.items()):
            returned += await attempt.settle(connection, cohort, verdicts, now)
            await event.of_attempts(connection, cohort, [v.attempt_id for v in verdicts], now)
    return returned
