"""Evidence counts whoever brings it, whenever it comes, however often."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

from clarion.domain.message import Outcome, State, Verdict
from clarion.flow.dispatch.judge import not_begun
from clarion.kit.db import Connection, Database
from clarion.store import attempt, receipt
from clarion.store.receipt import Said
from tests.store.ledger.meeting import begin
from tests.store.people import ABEBE, AMINA, NOW, ROSA
from tests.store.sent import announce, sent_once

LATER = NOW + timedelta(minutes=5)


def accepted(attempt_id: UUID) -> Verdict:
    return Verdict(attempt_id, Outcome.ACCEPTED, State.ACCEPTED, provider_id="wamid.1")


def not_sent(attempt_id: UUID) -> Verdict:
    return Verdict(attempt_id, Outcome.SETTLED_NOT_SENT, State.FAILED, "settled_not_sent")


def send_again(attempt_id: UUID) -> Verdict:
    return Verdict(attempt_id, Outcome.SETTLED_NOT_SENT, State.READY, retry_at=NOW, counts=False)


async def test_an_answer_that_comes_after_somebody_decided_otherwise_still_counts(
    db: Database, workspace: UUID
) -> None:
    sent, begun = await sent_once(db, workspace, NOW)
    async with db.tenant(workspace) as connection:
        await sent.settle(connection, begun, Outcome.UNKNOWN)
        await attempt.settle(connection, sent.cohort, [not_sent(begun)], NOW)
        assert (await sent.message(connection))["state"] == "failed"
    async with db.tenant(workspace) as connection:
        await attempt.settle(connection, sent.cohort, [accepted(begun)], LATER)
    async with db.tenant(workspace) as connection:
        message, (tried,) = await sent.message(connection), await sent.tries(connection)
        assert (message["state"], message["reason"]) == ("accepted", None)
        assert (tried["state"], tried["effective"], tried["provider_id"]) == ("accepted", True, "wamid.1")
        assert await sent.tally_agrees(connection)


async def test_what_a_process_found_unknown_itself_is_not_undone_by_its_death(
    db: Database, workspace: UUID
) -> None:
    """Its successor reads a call in flight; the owner writes that nobody knows how it ended, takes its
    mark away and dies. That there is no mark says nothing any more."""
    sent, begun = await sent_once(db, workspace, NOW)
    async with db.tenant(workspace) as connection:
        await sent.settle(connection, begun, Outcome.UNKNOWN)
        unmarked = [not_begun(begun, NOW, "owner_died_before_the_call")]
        assert await attempt.settle(connection, sent.cohort, unmarked, NOW, unknown_too=False) == 0
        assert (await sent.message(connection))["state"] == "unknown"
        assert await sent.waiting(connection) == 0


async def test_an_answer_that_comes_before_it_is_sent_again_stops_that(db: Database, workspace: UUID) -> None:
    sent, begun = await sent_once(db, workspace, NOW)
    async with db.tenant(workspace) as connection:
        await sent.settle(connection, begun, Outcome.UNKNOWN)
        await attempt.settle(connection, sent.cohort, [send_again(begun)], NOW)
        assert await sent.waiting(connection) == 1
    async with db.tenant(workspace) as connection:
        await attempt.settle(connection, sent.cohort, [accepted(begun)], LATER)
    async with db.tenant(workspace) as connection:
        assert (await sent.message(connection))["state"] == "accepted"
        assert await sent.waiting(connection) == 0
        assert await sent.tally_agrees(connection)


async def test_an_answer_that_comes_after_it_was_sent_again_leaves_one_try_effective(
    db: Database, workspace: UUID
) -> None:
    sent, begun = await sent_once(db, workspace, NOW)
    async with db.tenant(workspace) as connection:
        await sent.settle(connection, begun, Outcome.UNKNOWN)
        await attempt.settle(connection, sent.cohort, [send_again(begun)], NOW)
        (second,) = await sent.begin(connection, LATER)
    async with db.tenant(workspace) as connection:
        await attempt.settle(connection, sent.cohort, [accepted(begun)], LATER)
        await sent.settle(connection, second, Outcome.REFUSED, LATER)
    async with db.tenant(workspace) as connection:
        assert (await sent.message(connection))["state"] == "accepted"
        assert sum(one["effective"] for one in await sent.tries(connection)) <= 1
        assert await sent.tally_agrees(connection)


async def test_a_try_that_was_unsent_takes_nothing_from_a_message_that_was_accepted(
    db: Database, workspace: UUID
) -> None:
    """The first try's receipt comes while a second try is in flight, which then turns out unsent."""
    sent, first = await sent_once(db, workspace, NOW)
    async with db.tenant(workspace) as connection:
        await sent.settle(connection, first, Outcome.UNSENT)
        (second,) = await sent.begin(connection)
        await receipt.apply(connection, sent.cohort, [Said(first, "accepted", NOW)], NOW)
        before = await sent.message(connection)
    async with db.tenant(workspace) as connection:
        await sent.settle(connection, second, Outcome.UNSENT, LATER)
        assert await sent.message(connection) == before
        assert before["settled_at"] == NOW
        assert await sent.waiting(connection) == 0


async def test_settling_and_receipts_lock_the_same_people_in_the_same_order(
    db: Database, workspace: UUID
) -> None:
    """Verdicts come in any order. A receipt that holds the first of three and waits for the second meets
    a settling that is given the third before the first: were it to lock so, both would wait for ever."""
    async with db.tenant(workspace) as connection:
        sent = await announce(connection, workspace, NOW, (AMINA, ABEBE, ROSA))
        first, second, third = sorted(await sent.begin(connection))

    async def receipts(connection: Connection) -> None:
        said = [Said(id, "delivered", NOW) for id in (first, second, third)]
        await receipt.apply(connection, sent.cohort, said, NOW)

    async def settle(connection: Connection) -> int:
        return await attempt.settle(connection, sent.cohort, [accepted(third), accepted(first)], NOW)

    async with db.tenant(workspace) as holding:
        await holding.execute("SELECT FROM attempt WHERE id = %s FOR UPDATE", (second,))
        one, waits = await begin(db, workspace, receipts)
        assert waits
        two, waits = await begin(db, workspace, settle)
        assert waits
    await asyncio.gather(one, two)
    async with db.tenant(workspace) as connection:
        assert {row["state"] for row in await sent.messages(connection)} == {"delivered"}
