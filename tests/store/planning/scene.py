"""Twelve hundred people who wait on a channel, and what the planner is made to believe of their tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import psycopg

from clarion.domain.message import cohort_of
from clarion.kit.db import Connection, Database
from clarion.kit.ids import uuid7
from clarion.store import (
    campaign,
    intent,
    owner,
    queue,
    run,
)
from clarion.store import workspace as workspaces
from clarion.store.expansion import Meant, expand_chunk
from clarion.store.intent import Intended, Intent
from clarion.store.owner import Holding
from clarion.store.queue import Waiting
from tests.house import House
from tests.store.planning.plans import Plan

NOW = datetime(2026, 3, 2, 6, 30, tzinfo=UTC)
COHORT = cohort_of(NOW)
NEIGHBOURS = (date(2026, 2, 1), COHORT, date(2026, 4, 1))
START = (datetime(1970, 1, 1, tzinfo=UTC), UUID(int=0))
PEOPLE = 1200
BATCH = 100
BIG = (
    "contact", "address", "consent", "queue", "message", "attempt", "receipt", "enrollment", "alias", "inbox",
    "spoken",
)  # fmt: skip
TABLES = [*BIG, *(f"{table}_{COHORT:%Y%m}" for table in ("message", "attempt", "receipt"))]
BY_KEY = {"Index Scan", "Index Only Scan", "Bitmap Heap Scan", "Tid Scan"}
SCANS = {"Seq Scan", "Bitmap Heap Scan", "Index Scan", "Index Only Scan", "Tid Scan", "Tid Range Scan"}


@dataclass
class Scene:
    """Twelve hundred people who wait on one lane of a channel that a worker owns."""

    workspace: UUID
    channel: UUID
    worker: UUID
    lanes: list[UUID]
    campaigns: list[UUID]
    begun: list[UUID] = field(default_factory=list)

    async def read(
        self, connection: Connection, after: tuple[datetime, UUID] = START, limit: int = BATCH
    ) -> list[Waiting]:
        found = await queue.read_ahead(connection, self.lanes[0], after, NOW, limit)
        # The server ends a statement that reads, and tells its plan, when the next one comes.
        await connection.execute("SHOW server_version")  # which has no plan itself
        return found

    async def intend(self, connection: Connection, waiting: list[Waiting]) -> list[UUID]:
        tries = [Intended(one, 1, uuid7(NOW), {"name": "Amina"}) for one in waiting]
        granted = await intent.intend(
            connection, worker_id=self.worker, intents=[Intent(self.channel, 1, tries)], now=NOW
        )
        assert len(granted) == len(waiting)
        self.begun += granted
        return [one.attempt_id for one in tries]


def as_superuser(house: House, name: str, *statements: str) -> None:
    with psycopg.connect(house.superuser(name), autocommit=True) as connection:
        connection.add_notice_handler(lambda _: None)
        for statement in statements:
            connection.execute(statement.encode())


async def set_up(db: Database, people: int = PEOPLE, lanes: int = 1) -> Scene:
    scene = Scene(uuid7(NOW), uuid7(NOW), uuid7(NOW), [], [])
    async with db.tenant(scene.workspace) as connection:
        await workspaces.create(connection, scene.workspace, name="Selam Clinic", now=NOW)
        await connection.execute(
            """INSERT INTO channel (id, workspace_id, name, provider, created_at, modified_at)
               VALUES (%s, %s, 'WhatsApp', 'whatsapp', %s, %s)""",
            (scene.channel, scene.workspace, NOW, NOW),
        )
        await connection.execute(
            """WITH person AS (SELECT clarion_uuid7(%(now)s) AS id, n FROM generate_series(1, %(people)s) n),
                 contacts AS (INSERT INTO contact (id, workspace_id, name, created_at, modified_at)
                   SELECT id, %(workspace)s, 'Person ' || n, %(now)s, %(now)s FROM person),
                 said AS (INSERT INTO consent (workspace_id, consent_key, state, at)
                   SELECT %(workspace)s, ('key ' || n)::bytea, 'in', %(now)s FROM person)
               INSERT INTO address (id, workspace_id, contact_id, scheme, value, consent_key, created_at)
               SELECT clarion_uuid7(%(now)s), %(workspace)s, id, 'whatsapp', '+2547' || (10000000 + n),
                 ('key ' || n)::bytea, %(now)s FROM person""",
            {"now": NOW, "people": people, "workspace": scene.workspace},
        )
        for _ in range(lanes):
            await _announce(connection, scene, people)
        board = Holding(scene.workspace, scene.channel, None, 0, 0, True)
        assert await owner.take(connection, board, scene.worker, NOW) is not None
    return scene


async def _announce(connection: Connection, scene: Scene, people: int) -> None:
    campaign_id, content, run_id = uuid7(NOW), uuid7(NOW), uuid7(NOW)
    await campaign.create(
        connection, campaign_id, kind="announcement", name="Closed on Monday", definition={},
        channel_id=scene.channel, similarity_text="", created_by="", now=NOW,
    )  # fmt: skip
    await campaign.add_content(connection, content, campaign_id, 1, {}, NOW)
    lane = await campaign.open_lane(connection, uuid7(NOW), scene.channel, campaign_id, 50)
    await run.plan(
        connection, run_id, campaign_id=campaign_id, iteration=1, cohort=COHORT, content_version_id=content,
        lane_id=lane, due_at=NOW, expires_at=NOW + timedelta(days=1),
    )  # fmt: skip
    await expand_chunk(
        connection, run_id, Meant("true", {}), schemes=["whatsapp"], once_an_address=False,
        limit=people + 1, now=NOW,
    )  # fmt: skip
    scene.lanes.append(lane)
    scene.campaigns.append(campaign_id)


Spoil = Callable[[House, str], None]


def _never(house: House, name: str) -> None:
    """The tables were filled a moment ago and nobody has looked at them."""


def _analyse(house: House, name: str) -> None:
    as_superuser(house, name, *(f"ANALYZE {table}" for table in BIG))


def _ten_million(house: House, name: str) -> None:
    """Each table claims ten million rows."""
    _analyse(house, name)
    claim = f"UPDATE pg_class SET reltuples = 1e7 WHERE relname = ANY (ARRAY{TABLES}) AND relkind = 'r'"
    as_superuser(house, name, claim)


@dataclass(frozen=True)
class Belief:
    """What the planner is made to believe, before the tables are filled and after."""

    before: Spoil
    after: Spoil


BELIEFS = {
    "never analysed": Belief(_never, _never),
    "analysed when it was empty": Belief(_analyse, _never),
    "ten million rows": Belief(_never, _ten_million),
}


def by_key(plans: list[Plan], batch: int) -> None:
    """Every big table is read through an index by a condition, or at a place that was found so; never
    another month's; and nothing is read that is not needed."""
    assert plans
    for plan in plans:
        strangers = {name for name in plan.relations if name.endswith(("_202602", "_202604"))}
        assert not strangers, plan.text
        for node in plan.of(*BIG):
            if node.kind in SCANS:
                assert node.kind in BY_KEY, (node, plan.text)
                assert node.condition, (node, plan.text)
                assert node.read <= 4 * batch, (node, plan.text)
