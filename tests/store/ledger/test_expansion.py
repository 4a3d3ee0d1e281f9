"""Writing down who is meant, while others do other things to the same people and the same run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import pytest

from clarion.kit.db import Connection, Database, rows
from clarion.store import campaign, consent, erasure, queue, run, tally
from clarion.store.expansion import Chunk, Meant, cut, expand_chunk
from tests.store.ledger.meeting import begin, meet
from tests.store.ledger.transactions import Crash
from tests.store.ledger.world import NAMES, NOW, SCHEMES, Campaign, World, make

START = (datetime(1970, 1, 1, tzinfo=UTC), UUID(int=0))


@dataclass(frozen=True)
class Plan:
    """An announcement that is planned and not expanded."""

    db: Database
    world: World
    campaign: Campaign

    async def expand(self, connection: Connection, limit: int = 100) -> Chunk | None:
        return await expand_chunk(
            connection, self.campaign.run, Meant("true", {}), schemes=SCHEMES,
            once_an_address=self.campaign.once, limit=limit, now=NOW,
        )  # fmt: skip

    async def cancel(self, connection: Connection) -> None:
        await run.cancel(connection, self.campaign.id, NOW)
        await campaign.set_lanes(connection, self.campaign.id, "cancelled")

    async def do(self, work: Callable[[Connection], Awaitable[object]]) -> None:
        async with self.db.tenant(self.world.workspace) as connection:
            await work(connection)

    async def states(self) -> dict[str, tuple[str, str | None]]:
        """Name → state and reason; held equal to the tally."""
        async with self.db.tenant(self.world.workspace) as connection:
            found = await rows(
                connection,
                "SELECT recipient_key, state::text, reason FROM message WHERE run_id = %s",
                (self.campaign.run,),
            )
            counted = sum(row["n"] for row in await tally.counts(connection, self.campaign.run))
        assert counted == len(found)
        names = {person.contact: person.name for person in self.world.people}
        return {names[row["recipient_key"]]: (row["state"], row["reason"]) for row in found}


@pytest.fixture(params=["one a person", "one an address"])
async def plan(db: Database, request: pytest.FixtureRequest) -> Plan:
    world = await make(db)
    return Plan(db, world, world.campaigns[request.param == "one an address"])


async def test_of_two_who_expand_one_part_at_once_one_does(plan: Plan) -> None:
    await plan.do(lambda connection: cut(connection, plan.campaign.run, NOW, parts=1))
    met = await meet(plan.db, plan.world.workspace, plan.expand, plan.expand)
    assert not met.waited
    assert met.first is not None
    assert met.second is None
    assert (await plan.states()).keys() == set(NAMES)


async def test_two_who_begin_a_run_at_once_cut_it_once(plan: Plan) -> None:
    met = await meet(plan.db, plan.world.workspace, lambda c: plan.expand(c, 2), lambda c: plan.expand(c, 2))
    assert met.waited
    assert met.second is not None
    assert (await plan.states()).keys() == set(NAMES[:4])


async def test_two_parts_are_written_at_once_and_nobody_twice(db: Database) -> None:
    world = await make(db)
    plan = Plan(db, world, world.campaigns[0])
    await plan.do(lambda connection: cut(connection, plan.campaign.run, NOW, parts=2))
    met = await meet(db, world.workspace, lambda c: plan.expand(c, 2), lambda c: plan.expand(c, 2))
    assert not met.waited
    assert (await plan.states()).keys() == {"Amina", "Abebe", "John", "Selam"}
    met = await meet(db, world.workspace, plan.expand, plan.expand)
    assert met.waited, "two last chunks must see each other, or nobody closes the run"
    assert met.first is not None
    assert met.second is not None
    assert (met.first.done, met.second.done) == (False, True)
    assert (await plan.states()).keys() == set(NAMES)


async def test_a_chunk_that_was_never_committed_is_done_again(plan: Plan) -> None:
    async def dies() -> None:
        async with plan.db.tenant(plan.world.workspace) as connection:
            await plan.expand(connection, 4)
            raise Crash

    with pytest.raises(Crash):
        await dies()
    assert await plan.states() == {}
    for _ in range(4):
        await plan.do(lambda connection: plan.expand(connection, 2))
    assert (await plan.states()).keys() == set(NAMES)


async def test_a_run_that_is_expanded_is_expanded_no_further(plan: Plan) -> None:
    await plan.do(plan.expand)
    before = await plan.states()
    async with plan.db.tenant(plan.world.workspace) as connection:
        assert await plan.expand(connection) is None
    assert await plan.states() == before


async def test_everybody_has_a_message_or_a_reason(plan: Plan) -> None:
    await plan.do(plan.expand)
    shares = ("skipped", "duplicate_address") if plan.campaign.once else ("ready", None)
    assert await plan.states() == {
        "Amina": ("ready", None), "Abebe": shares, "Rosa": ("skipped", "no_address"),
        "John": ("ready", None), "Selam": ("ready", None), "Nuru": ("ready", None),
    }  # fmt: skip


async def test_what_a_chunk_wrote_while_its_campaign_was_cancelled_is_cancelled(plan: Plan) -> None:
    await plan.do(lambda connection: cut(connection, plan.campaign.run, NOW, parts=1))
    async with plan.db.tenant(plan.world.workspace) as chunk:
        await plan.expand(chunk, 4)
        await plan.do(plan.cancel)
        looking, waits = await begin(plan.db, plan.world.workspace, lambda c: run.left(c, plan.campaign.run))
        assert waits, "whoever asks what is left of a run waits for its chunks"
    left = await looking
    assert left is not None
    assert left["ready"] > 0
    await plan.do(lambda connection: queue.empty_lane(connection, plan.campaign.lane, "cancelled", NOW, 100))
    assert {state for state, _ in (await plan.states()).values()} == {"cancelled", "skipped"}


async def test_a_chunk_that_comes_during_a_cancellation_does_nothing(plan: Plan) -> None:
    met = await meet(plan.db, plan.world.workspace, plan.cancel, plan.expand)
    assert met.second is None
    assert await plan.states() == {}


async def test_who_is_erased_while_their_message_is_written_is_read_as_erased(plan: Plan) -> None:
    """The erasure cannot see the row that is being written: the owner finds that nobody is there."""
    amina = plan.world.people[0]

    async def erase(connection: Connection) -> int:
        return await erasure.erase(connection, amina.contact, NOW)

    met = await meet(plan.db, plan.world.workspace, plan.expand, erase)
    assert met.second == 0
    async with plan.db.tenant(plan.world.workspace) as connection:
        waiting = await queue.read_ahead(connection, plan.campaign.lane, START, NOW, 10)
        gone = [one for one in waiting if one.erased]
        assert [one.contact_id for one in gone] == [amina.contact]
        await queue.end(
            connection,
            [(o.lane_id, o.due_at, o.message_id, o.cohort) for o in gone],
            "skipped",
            "erased",
            NOW,
        )
    assert (await plan.states())["Amina"] == ("skipped", "erased")


async def test_who_opts_out_while_their_message_is_written_is_read_as_opted_out(plan: Plan) -> None:
    async def stop(connection: Connection) -> int:
        key = plan.world.people[0].key
        assert key is not None
        return await consent.opt_out(connection, [key], NOW, how="reply")

    await meet(plan.db, plan.world.workspace, plan.expand, stop)
    async with plan.db.tenant(plan.world.workspace) as connection:
        waiting = await queue.read_ahead(connection, plan.campaign.lane, START, NOW, 10)
    names = {person.contact: person.name for person in plan.world.people}
    told = {names[one.contact_id]: one.opted_out for one in waiting}
    assert told == {name: name in ("Amina", "Abebe") for name in told}
    assert told["Amina"]


async def test_folding_the_tally_loses_nothing_that_is_being_written(plan: Plan) -> None:
    await plan.do(lambda connection: plan.expand(connection, 3))
    met = await meet(plan.db, plan.world.workspace, lambda c: plan.expand(c, 3), tally.fold)
    assert not met.waited
    await plan.do(tally.fold)
    await plan.do(tally.fold)
    assert (await plan.states()).keys() == set(NAMES)


async def test_counts_are_right_while_the_tally_is_folded(plan: Plan) -> None:
    await plan.do(plan.expand)
    async with plan.db.tenant(plan.world.workspace) as folding:
        await tally.fold(folding)
        counting, waits = await begin(
            plan.db, plan.world.workspace, lambda c: tally.counts(c, plan.campaign.run)
        )
        assert not waits
        assert sum(row["n"] for row in await counting) == len(NAMES)
