"""Receipts move the ledger by what they prove, whenever they come."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

import psycopg
import pytest

from clarion.domain.message import Outcome, State, cohort_of
from clarion.kit.clock import Clock
from clarion.kit.db import Connection, Database, rows
from clarion.kit.ids import uuid7
from clarion.store import queue, receipt
from clarion.store.queue import PLANNER
from clarion.store.receipt import Applied, Contended, Said
from tests.house import House
from tests.store.people import ABEBE, AMINA
from tests.store.sent import Sent, announce, sent_once


async def apply(connection: Connection, sent: Sent, *said: Said) -> Applied:
    return await receipt.apply(connection, sent.cohort, said, sent.now)


async def waits_for_a_lock(db: Database) -> None:
    """Until somebody's statement waits for another transaction."""
    for _ in range(400):
        async with db.system() as connection:
            found = await rows(connection, "SELECT count(*) AS n FROM pg_locks WHERE NOT granted")
        if found[0]["n"]:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("nobody waits")


async def test_a_delivery_that_is_told_before_our_own_settling_counts(
    db: Database, workspace: UUID, clock: Clock
) -> None:
    now = clock.now()
    sent, one = await sent_once(db, workspace, now)
    async with db.tenant(workspace) as connection:
        await apply(connection, sent, Said(one, "delivered", now, provider_id="wamid.1"))
    async with db.tenant(workspace) as connection:
        await sent.settle(connection, one, Outcome.UNKNOWN)
        message, (tried,) = await sent.message(connection), await sent.tries(connection)
        assert (message["state"], message["delivered_at"]) == ("delivered", now)
        assert (tried["state"], tried["effective"], tried["unknown_since"]) == ("accepted", True, None)
        assert tried["provider_id"] == "wamid.1"
        assert await sent.tally_agrees(connection)


@pytest.mark.parametrize("outcome", [Outcome.UNKNOWN, Outcome.REFUSED, Outcome.ACCEPTED, Outcome.UNSENT])
async def test_whatever_was_believed_of_a_try_its_delivery_proves_it(
    db: Database, workspace: UUID, clock: Clock, outcome: Outcome
) -> None:
    now = clock.now()
    sent, one = await sent_once(db, workspace, now)
    async with db.tenant(workspace) as connection:
        await sent.settle(connection, one, outcome)
        await apply(connection, sent, Said(one, "delivered", now))
        message, (tried,) = await sent.message(connection), await sent.tries(connection)
        assert (message["state"], message["reason"]) == ("delivered", None)
        assert (tried["state"], tried["effective"], tried["unknown_since"]) == ("accepted", True, None)
        assert await sent.tally_agrees(connection)


async def test_evidence_before_the_retry_left_takes_the_message_out_of_the_queue(
    db: Database, workspace: UUID, clock: Clock
) -> None:
    now = clock.now()
    sent, one = await sent_once(db, workspace, now)
    async with db.tenant(workspace) as connection:
        await sent.settle(connection, one, Outcome.UNSENT)
        assert await sent.waiting(connection) == 1
        await apply(connection, sent, Said(one, "accepted", now))
        assert await sent.waiting(connection) == 0
        assert (await sent.message(connection))["state"] == "accepted"
        assert await sent.begin(connection) == []


@pytest.mark.parametrize("state", ["cancelled", "expired", "skipped"])
async def test_a_message_that_was_ended_is_raised_by_evidence_all_the_same(
    db: Database, workspace: UUID, clock: Clock, state: str
) -> None:
    now = clock.now()
    sent, one = await sent_once(db, workspace, now)
    async with db.tenant(workspace) as connection:
        await sent.settle(connection, one, Outcome.UNSENT)
        waiting = await rows(connection, "SELECT lane_id, due_at, message_id, cohort FROM queue")
        ended = [(w["lane_id"], w["due_at"], w["message_id"], w["cohort"]) for w in waiting]
        assert await queue.end(connection, ended, state, "why", now) == 1
        await apply(connection, sent, Said(one, "accepted", now))
        message = await sent.message(connection)
        assert (message["state"], message["reason"]) == ("accepted", None)
        assert await sent.tally_agrees(connection)


async def test_a_failure_is_undelivered_with_its_code_until_a_delivery_proves_otherwise(
    db: Database, workspace: UUID, clock: Clock
) -> None:
    now = clock.now()
    sent, one = await sent_once(db, workspace, now)
    async with db.tenant(workspace) as connection:
        await sent.settle(connection, one, Outcome.ACCEPTED)
        applied = await apply(connection, sent, Said(one, "failed", now, "131026"))
        assert applied.failed == [one]
        message = await sent.message(connection)
        assert (message["state"], message["reason"]) == ("undelivered", "131026")
        assert await sent.tally_agrees(connection)
        await apply(connection, sent, Said(one, "read", now))
        message = await sent.message(connection)
        assert (message["state"], message["reason"], message["read_at"]) == ("read", None, now)
        assert await sent.tally_agrees(connection)


async def test_what_is_told_again_changes_nothing_and_counts_once(
    db: Database, workspace: UUID, clock: Clock
) -> None:
    now = clock.now()
    sent, one = await sent_once(db, workspace, now)
    told = [Said(one, "delivered", now), Said(one, "failed", now, "131026")]
    async with db.tenant(workspace) as connection:
        first = await apply(connection, sent, *told, *told)
        before = await sent.message(connection), await sent.tries(connection)
        again = await apply(connection, sent, *told)
        assert first.fresh == {"delivered": 1, "failed": 1}
        assert (again.fresh, again.failed, again.strangers) == ({}, [], 0)
        assert (await sent.message(connection), await sent.tries(connection)) == before
        assert len(await receipt.of_attempts(connection, sent.cohort, [one])) == 2


async def test_a_failure_of_an_earlier_try_says_nothing_of_the_one_that_stands(
    db: Database, workspace: UUID, clock: Clock
) -> None:
    now = clock.now()
    sent, one = await sent_once(db, workspace, now)
    async with db.tenant(workspace) as connection:
        await sent.settle(connection, one, Outcome.UNSENT)
        (two,) = await sent.begin(connection)
        await sent.settle(connection, two, Outcome.ACCEPTED)
        applied = await apply(connection, sent, Said(one, "failed", now, "130429"))
        assert applied.contradicted == []
        assert (await sent.message(connection))["state"] == "accepted"


async def test_two_tries_that_the_provider_both_took_are_told_as_a_contradiction(
    db: Database, workspace: UUID, clock: Clock
) -> None:
    now = clock.now()
    sent, one = await sent_once(db, workspace, now)
    async with db.tenant(workspace) as connection:
        await sent.settle(connection, one, Outcome.UNSENT)
        (two,) = await sent.begin(connection)
        applied = await apply(connection, sent, Said(one, "delivered", now))
        assert applied.contradicted == [one]
        first, second = await sent.tries(connection)
        assert (first["state"], first["effective"]) == ("accepted", False)
        assert (second["id"], second["effective"]) == (two, True)
        assert (await sent.message(connection))["state"] == "delivered"


async def test_two_tries_that_were_both_held_for_refused_leave_one_that_stands(
    db: Database, workspace: UUID, clock: Clock
) -> None:
    now = clock.now()
    sent, one = await sent_once(db, workspace, now)
    async with db.tenant(workspace) as connection:
        await sent.settle(connection, one, Outcome.UNSENT)
        (two,) = await sent.begin(connection)
        await sent.settle(connection, two, Outcome.REFUSED)
        applied = await apply(connection, sent, Said(two, "accepted", now), Said(one, "accepted", now))
        assert {t["id"] for t in await sent.tries(connection) if not t["effective"]} == set(
            applied.contradicted
        )
        assert len(applied.contradicted) == 1


async def test_a_late_word_of_acceptance_does_not_undo_the_retry_of_a_failure(
    db: Database, workspace: UUID, clock: Clock
) -> None:
    now = clock.now()
    sent, one = await sent_once(db, workspace, now)
    async with db.tenant(workspace) as connection:
        await apply(connection, sent, Said(one, "failed", now, "131026"))
        await put_back(connection, sent, one)
        applied = await apply(
            connection, sent, Said(one, "accepted", now),
            Said(one, "failed", now - timedelta(seconds=9), "131000"),
        )  # fmt: skip
        assert applied.contradicted == []
        assert ((await sent.message(connection))["state"], await sent.waiting(connection)) == ("ready", 1)
        await apply(connection, sent, Said(one, "delivered", now))
        assert ((await sent.message(connection))["state"], await sent.waiting(connection)) == ("delivered", 0)


async def put_back(connection: Connection, sent: Sent, attempt_id: UUID) -> None:
    """As when a person lets a failed message be tried again."""
    await connection.execute(
        "UPDATE attempt SET state = 'settled_not_sent', effective = false WHERE id = %s", (attempt_id,)
    )
    await connection.execute(
        "UPDATE message SET state = 'ready', reason = NULL, settled_at = NULL WHERE run_id = %s",
        (sent.run_id,),
    )
    await connection.execute(
        """INSERT INTO queue (lane_id, due_at, message_id, cohort, workspace_id, contact_id, address_id,
             consent_key, content_version_id, expires_at)
           SELECT lane_id, due_at, id, cohort, workspace_id, recipient_key, address_id, '\\x00',
             content_version_id, expires_at FROM message WHERE run_id = %s""",
        (sent.run_id,),
    )


async def test_references_of_nobody_are_counted_and_harm_nobody(
    db: Database, workspace: UUID, another_workspace: UUID, clock: Clock
) -> None:
    now = clock.now()
    sent, one = await sent_once(db, workspace, now)
    async with db.tenant(another_workspace) as connection:
        theirs = await receipt.apply(connection, sent.cohort, [Said(one, "delivered", now)], now)
        assert (theirs.fresh, theirs.strangers) == ({}, 1)
    async with db.tenant(workspace) as connection:
        nobodys = Said(uuid7(now), "delivered", now)
        assert (await apply(connection, sent, nobodys)).strangers == 1
        assert (await receipt.apply(connection, date(2099, 11, 1), [nobodys], now)).strangers == 1
        assert (await sent.message(connection))["state"] == State.READY


async def test_many_people_are_told_of_in_one_statement(db: Database, workspace: UUID, clock: Clock) -> None:
    now = clock.now()
    async with db.tenant(workspace) as connection:
        sent = await announce(connection, workspace, now, [AMINA, ABEBE])
        amina, abebe = await sent.begin(connection)
        applied = await apply(
            connection, sent, Said(abebe, "delivered", now), Said(amina, "failed", now, "131026"),
            Said(abebe, "read", now), Said(amina, "accepted", now),
        )  # fmt: skip
        assert applied.fresh == {"accepted": 1, "delivered": 1, "failed": 1, "read": 1}
        assert [m["state"] for m in await sent.messages(connection)] == ["undelivered", "read"]
        assert await sent.tally_agrees(connection)


# --- at the same time as something else


async def test_a_retry_that_begins_in_the_same_moment_is_noticed(
    db: Database, workspace: UUID, clock: Clock
) -> None:
    now = clock.now()
    sent, one = await sent_once(db, workspace, now)
    async with db.tenant(workspace) as connection:
        await sent.settle(connection, one, Outcome.UNSENT)

    async def tell() -> Applied:
        async with db.tenant(workspace) as connection:
            return await apply(connection, sent, Said(one, "delivered", now))

    async with db.tenant(workspace) as connection:
        (two,) = await sent.begin(connection)
        telling = asyncio.create_task(tell())
        await waits_for_a_lock(db)
    with pytest.raises(Contended):
        await telling
    assert (await tell()).contradicted == [one]
    async with db.tenant(workspace) as connection:
        assert [t["id"] for t in await sent.tries(connection) if t["effective"]] == [two]


async def test_settling_in_the_same_moment_leaves_no_retry_behind(
    db: Database, workspace: UUID, clock: Clock
) -> None:
    now = clock.now()
    sent, one = await sent_once(db, workspace, now)

    async def tell() -> Applied:
        async with db.tenant(workspace) as connection:
            return await apply(connection, sent, Said(one, "delivered", now))

    async with db.tenant(workspace) as connection:
        await sent.settle(connection, one, Outcome.UNSENT)
        telling = asyncio.create_task(tell())
        await waits_for_a_lock(db)
    await telling
    async with db.tenant(workspace) as connection:
        assert await sent.waiting(connection) == 0
        assert (await sent.message(connection))["state"] == "delivered"
        assert await sent.tally_agrees(connection)


async def test_two_receivers_told_different_things_of_one_message_agree(
    db: Database, workspace: UUID, clock: Clock
) -> None:
    now = clock.now()
    sent, one = await sent_once(db, workspace, now)
    async with db.tenant(workspace) as connection:
        await sent.settle(connection, one, Outcome.ACCEPTED)

    async def tell(status: str) -> Applied:
        async with db.tenant(workspace) as connection:
            return await apply(connection, sent, Said(one, status, now))

    async with db.tenant(workspace) as connection:
        await apply(connection, sent, Said(one, "read", now))
        telling = asyncio.create_task(tell("delivered"))
        await waits_for_a_lock(db)
    await telling
    async with db.tenant(workspace) as connection:
        message = await sent.message(connection)
        assert (message["state"], message["read_at"], message["delivered_at"]) == ("read", now, now)
        assert await sent.tally_agrees(connection)


# --- however much there is

_MONTH = 20_000


@pytest.mark.parametrize("known", [0, 10, _MONTH])
async def test_what_is_read_grows_with_the_batch_whatever_the_planner_knows(
    house: House, clock: Clock, known: int
) -> None:
    """`known` rows are there when the statistics are made, and then a month's."""
    now = clock.now()
    name, workspace, ours = house.new_database(), uuid7(now), cohort_of(now)
    async with Database(house.url(name), size=1, planner=PLANNER) as db:
        attempts = [uuid7(now) for _ in range(_MONTH)]
        await _fill(db, workspace, ours, attempts[:known], now)
        with psycopg.connect(house.url(name, owner=True), autocommit=True) as owner:
            owner.execute("ANALYZE")
        await _fill(db, workspace, ours, attempts[known:], now)
        for status in ("accepted", "delivered", "delivered"):
            async with db.tenant(workspace) as connection:
                before = await _read(connection)
                said = [Said(one, status, now) for one in attempts[::100]]
                await receipt.apply(connection, ours, said, now)
                assert await _read(connection) - before < 20 * len(said)
    house.drop(name)


async def _fill(db: Database, workspace: UUID, cohort: date, attempts: Sequence[UUID], now: datetime) -> None:
    async with db.tenant(workspace) as connection:
        await connection.execute("SELECT clarion_ensure_cohort(%s)", (cohort,))
        params = {"now": now, "of": cohort, "tries": list(attempts), "lane": uuid7(now)}
        await connection.execute(
            """INSERT INTO message (id, cohort, workspace_id, enrollment_id, generation, iteration, step_id,
                 recipient_key, lane_id, content_version_id, state, due_at, expires_at)
               SELECT id, %(of)s, clarion_workspace(), id, 1, 1, 1, id, %(lane)s, id, 'accepted', %(now)s,
                 %(now)s FROM unnest(%(tries)s::uuid[]) AS t(id)""",
            params,
        )
        await connection.execute(
            """INSERT INTO attempt (id, cohort, workspace_id, message_id, channel_id, lane_id, worker_id,
                 epoch, number, state, effective, address_id)
               SELECT id, %(of)s, clarion_workspace(), id, id, %(lane)s, id, 1, 1, 'accepted', true, id
               FROM unnest(%(tries)s::uuid[]) AS t(id)""",
            params,
        )


async def _read(connection: Connection) -> int:
    """How many rows of the ledger this transaction has read so far, by scans and by indexes."""
    found = await rows(
        connection,
        """SELECT coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0)::bigint AS n
           FROM pg_stat_xact_user_tables
           WHERE relname ~ '^(message|attempt|receipt)_[0-9]+$' OR relname = 'queue'""",
    )
    return int(found[0]["n"])
