"""A small world for the ledger: six people, two channels of one account, two announcements; and a look at
all of it.

Amina and Abebe share a phone; Rosa has none. One announcement is one a person, the other one an address.
What does not arrive over the first channel goes on by SMS: Abebe gets that on Amina's phone too, Nuru on
Rosa's old one, John not at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg

from clarion.domain.message import cohort_of
from clarion.kit.db import Connection, Database, row
from clarion.kit.ids import uuid7
from clarion.store import campaign, run
from clarion.store import workspace as workspaces
from tests.house import House

NOW = datetime(2026, 3, 2, 6, 30, tzinfo=UTC)
COHORT = cohort_of(NOW)
LASTS = timedelta(hours=1)  # from due until it expires
SCHEMES, FURTHER = ("whatsapp",), ("tel",)
NAMES = ("Amina", "Abebe", "Rosa", "John", "Selam", "Nuru")


@dataclass(slots=True)
class Person:
    """Somebody: the contact, the address that is reached, and the key under which consent is kept."""

    name: str
    contact: UUID
    address: UUID | None
    key: bytes | None
    sms: bytes | None = None  # the key of the number for SMS
    erased: bool = False

    def forget(self) -> None:
        self.erased = True


@dataclass(slots=True)
class Campaign:
    """An announcement with its one run, its lane, and the lane that it falls back on."""

    id: UUID
    run: UUID
    lane: UUID
    further: UUID
    once: bool

    @property
    def lanes(self) -> tuple[UUID, UUID]:
        return self.lane, self.further


@dataclass(slots=True)
class World:
    """What one example has to itself."""

    workspace: UUID
    channel: UUID
    sms: UUID
    people: list[Person]
    campaigns: list[Campaign]


@contextmanager
def own_database(house: House) -> Iterator[str]:
    """A database that is dropped afterwards; its name."""
    name = house.new_database()
    try:
        yield name
    finally:
        house.drop(name)


def impatient(url: str, size: int = 8) -> Database:
    """A database whose statements do not wait for a lock: whoever would wait is told at once."""
    return Database(url, size=size, name="ledger", planner="-c lock_timeout=25ms")


async def make(db: Database, now: datetime = NOW) -> World:
    """A new world, nothing of it expanded."""
    world = World(uuid7(now), uuid7(now), uuid7(now), [], [])
    world.people += [_somebody(world.workspace, n, name, now) for n, name in enumerate(NAMES)]
    async with db.tenant(world.workspace) as connection:
        await workspaces.create(connection, world.workspace, name="Selam Clinic", now=now)
        await connection.execute(
            """INSERT INTO channel (id, workspace_id, name, provider, rate, account_id, created_at,
                 modified_at)
               VALUES (%(first)s, %(workspace)s, 'WhatsApp', 'whatsapp', 80, NULL, %(now)s, %(now)s),
                 (%(sms)s, %(workspace)s, 'SMS', 'whatsapp', 80, %(first)s, %(now)s, %(now)s)""",
            {"first": world.channel, "sms": world.sms, "workspace": world.workspace, "now": now},
        )
        await _people(connection, world, now)
        for once in (False, True):
            world.campaigns.append(await _announce(connection, world, once, now))
    return world


def _somebody(workspace: UUID, n: int, name: str, now: datetime) -> Person:
    key = None if name == "Rosa" else b"phone of Amina" if name == "Abebe" else f"phone of {name}".encode()
    contact = UUID(int=workspace.int >> 8 << 8 | n)  # in the order of the names
    sms = {"Abebe": b"phone of Amina", "Selam": b"phone of Selam", "Nuru": b"sms of Rosa", "John": None}
    return Person(name, contact, uuid7(now) if key else None, key, sms.get(name, f"sms of {name}".encode()))


async def _people(connection: Connection, world: World, now: datetime) -> None:
    async with connection.cursor() as cursor:
        await cursor.executemany(
            """INSERT INTO contact (id, workspace_id, name, created_at, modified_at)
               VALUES (%s, %s, %s, %s, %s)""",
            [(p.contact, world.workspace, p.name, now, now) for p in world.people],
        )
        await cursor.executemany(
            """INSERT INTO address (id, workspace_id, contact_id, scheme, value, consent_key, created_at)
               VALUES (%s, %s, %s, 'whatsapp', %s, %s, %s)""",
            [
                (p.address, world.workspace, p.contact, f"+25471200000{n}", p.key, now)
                for n, p in enumerate(world.people)
                if p.address
            ],
        )
        await cursor.executemany(
            """INSERT INTO address (id, workspace_id, contact_id, scheme, value, consent_key, created_at)
               VALUES (%s, %s, %s, 'tel', %s, %s, %s)""",
            [
                (uuid7(now), world.workspace, p.contact, f"+25471200000{n}", p.sms, now)
                for n, p in enumerate(world.people)
                if p.sms
            ],
        )


async def _announce(connection: Connection, world: World, once: bool, now: datetime) -> Campaign:
    made = Campaign(uuid7(now), uuid7(now), uuid7(now), uuid7(now), once)
    content = uuid7(now)
    await campaign.create(
        connection, made.id, kind="announcement", name="Closed on Monday", definition={},
        channel_id=world.channel, similarity_text="", created_by="", now=now,
    )  # fmt: skip
    await campaign.add_content(connection, content, made.id, 1, {}, now)
    await campaign.open_lane(connection, made.further, world.sms, made.id, 50)
    await campaign.open_lane(connection, made.lane, world.channel, made.id, 50, onward=made.further)
    await run.plan(
        connection, made.run, campaign_id=made.id, iteration=1, cohort=COHORT, content_version_id=content,
        lane_id=made.lane, due_at=now, expires_at=now + LASTS,
    )  # fmt: skip
    await campaign.set_state(connection, made.id, "running", now, send_at=now)
    return made


_LOOK = """SELECT
  (SELECT jsonb_agg(to_jsonb(m) - 'was' - 'was_reason' ORDER BY m.id) FROM message m) AS messages,
  (SELECT jsonb_agg(to_jsonb(a) ORDER BY a.id) FROM attempt a) AS attempts,
  (SELECT jsonb_agg(to_jsonb(q) ORDER BY q.message_id) FROM queue q) AS queue,
  (SELECT jsonb_agg(to_jsonb(l) ORDER BY l.id) FROM lane l) AS lanes,
  (SELECT jsonb_agg(to_jsonb(f) ORDER BY f.message_id) FROM fallback f) AS noted,
  (SELECT jsonb_agg(to_jsonb(o)) FROM channel_owner o) AS owners,
  (SELECT jsonb_agg(to_jsonb(c) ORDER BY c.consent_key) FROM consent c) AS consents,
  (SELECT jsonb_agg(to_jsonb(r) ORDER BY r.attempt_id, r.status) FROM receipt r) AS receipts,
  (SELECT jsonb_agg(jsonb_build_array(e.id, e.subject_id, e.campaign_id)) FROM enrollment e) AS enrolled,
  (SELECT jsonb_agg(to_jsonb(t)) FROM (
     SELECT run_id, state, reason, sum(n) AS n FROM tally GROUP BY run_id, state, reason HAVING sum(n) <> 0
     ORDER BY run_id, state, reason) t) AS tally"""

Seen = dict[str, list[Any]]


async def look(connection: Connection) -> Seen:
    """Every row of this workspace's ledger, as JSON."""
    found = await row(connection, _LOOK)
    assert found is not None
    return {table: rows or [] for table, rows in found.items()}


def make_partitions(house: House, name: str, *months: date) -> None:
    """The months' partitions, so that no example has to."""
    with psycopg.connect(house.url(name), autocommit=True) as connection:
        for month in months:
            connection.execute("SELECT clarion_ensure_cohort(%s)", (month,))
