"""A small world: one workspace, some people, one channel to a sandbox, one announcement; and its judge."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from clarion.domain.message import cohort_of
from clarion.flow import configure
from clarion.flow.services import Services
from clarion.kit.clock import Clock
from clarion.kit.db import Database
from clarion.kit.ids import uuid7
from clarion.kit.secrets import SecretBox
from clarion.sandbox.client import SandboxProcess
from clarion.settings import Settings
from clarion.store import campaign, expansion, run, workspace

SECRET = "a-long-word-that-only-the-tests-of-faults-know"
TEMPLATE = {"kind": "template", "name": "hello", "language": "en", "parameters": ["{{ contact.name }}"]}
CONTENT = {"variants": [{"content": TEMPLATE}]}
DEFINITION = {"audience": {"include": {"everyone": True}}, "content": CONTENT}
SENDER = "106540352242922"
_first_numbers = itertools.count(10_000_000, 1_000)  # no two scenes share a phone, so none colours another


@dataclass
class Scene:
    """One run's world. `superuser_url` is only for looking."""

    url: str
    superuser_url: str
    sandbox: SandboxProcess
    folder: Path
    people: int
    options: dict[str, Any] = field(default_factory=dict)
    rate: float = 100_000
    first_number: int = field(init=False, default_factory=lambda: next(_first_numbers))
    workspace_id: UUID = field(init=False)
    campaign_id: UUID = field(init=False)
    run_id: UUID = field(init=False)
    channel_id: UUID = field(init=False)

    @property
    def environment(self) -> dict[str, str]:
        """How its workers are started."""
        return {
            "CLARION_DATABASE_URL": self.url,
            "CLARION_STATE_DIR": str(self.folder / "state"),
            "CLARION_SECRET_KEY": SECRET,
            "CLARION_ALLOW_PRIVATE_ADDRESSES": "true",
            "CLARION_LEASE": "1.0",
            "CLARION_POLL": "0.05",
            "CLARION_DRAIN": "5",
            "CLARION_LOG_FORMAT": "json",
            "CLARION_DATABASE_POOL": "4",
            "CLARION_CLOCK_TOLERANCE": "1.0",
        }

    def set_up(self, *, launch: bool = True) -> None:
        """Make the world; with `launch` the announcement is expanded and due."""
        asyncio.run(self._set_up(launch=launch))

    async def launch(self) -> None:
        """The announcement is due from now on; a worker fires it."""
        async with Database(self.url, size=2) as db, db.tenant(self.workspace_id) as connection:
            await self._announce(connection)

    async def _set_up(self, *, launch: bool) -> None:
        clock = Clock()
        chosen = Settings(secret_key=SECRET, allow_private_addresses=True, state_dir=self.folder / "state")
        async with Database(self.url, size=2) as db:
            services = Services(db, clock, chosen, SecretBox([SECRET]))
            now = clock.now()
            self.workspace_id = uuid7(now)
            async with db.tenant(self.workspace_id) as connection:
                await workspace.create(connection, self.workspace_id, name="Faults", now=now)
                self.channel_id = await configure.create_channel(
                    connection, services, self.workspace_id, name="whatsapp", provider="whatsapp",
                    config={
                        "base_url": self.sandbox.url, "sender": SENDER, "total_timeout": 1.0,
                        "connect_timeout": 0.5, "backoff_base": 0.05, "backoff_cap": 0.3, "lookup_lag": 0.2,
                        "breaker": 1000, **self.options,
                    },
                    credentials={"token": "sandbox", "app_secret": "sandbox-secret"}, rate=self.rate,
                )  # fmt: skip
                await self._people(connection)
                if launch:
                    await self._announce(connection)
                    await self._expand(connection)

    async def _people(self, connection: Any) -> None:
        now = Clock().now()
        ids = [uuid7(now) for _ in range(self.people)]
        await connection.execute(
            """INSERT INTO contact (id, workspace_id, name, folded_name, created_at, modified_at)
               SELECT id, %s, 'Person ' || n, 'person ' || n, %s, %s
               FROM unnest(%s::uuid[]) WITH ORDINALITY AS p(id, n)""",
            (self.workspace_id, now, now, ids),
        )
        await connection.execute(
            """INSERT INTO address (id, workspace_id, contact_id, scheme, value, consent_key, created_at)
               SELECT clarion_uuid7(%s), %s, id, 'whatsapp', '+2547' || (%s::bigint + n),
                 sha256(id::text::bytea), %s
               FROM unnest(%s::uuid[]) WITH ORDINALITY AS p(id, n)""",
            (now, self.workspace_id, self.first_number, now, ids),
        )

    async def _announce(self, connection: Any) -> None:
        now = Clock().now()
        self.campaign_id, content_id, self.run_id = uuid7(now), uuid7(now), uuid7(now)
        await campaign.create(
            connection, self.campaign_id, kind="announcement", name="Faults", definition=DEFINITION,
            channel_id=self.channel_id, similarity_text="", created_by="", now=now,
        )  # fmt: skip
        await campaign.add_content(connection, content_id, self.campaign_id, 1, CONTENT, now)
        lane = await campaign.open_lane(connection, uuid7(now), self.channel_id, self.campaign_id, 50)
        await run.plan(
            connection, self.run_id, campaign_id=self.campaign_id, iteration=1, cohort=cohort_of(now),
            content_version_id=content_id, lane_id=lane, due_at=now, expires_at=now + timedelta(hours=1),
        )  # fmt: skip
        await campaign.set_state(connection, self.campaign_id, "running", now, send_at=now)

    async def _expand(self, connection: Any) -> None:
        while await expansion.expand_chunk(
            connection, self.run_id, expansion.Meant("true", {}), schemes=["whatsapp", "tel"],
            once_an_address=False, limit=20_000, now=Clock().now(),
        ):  # fmt: skip
            pass

    # --- looking

    def query(self, sql: str, *params: object) -> list[dict[str, Any]]:
        """Look at the ledger from outside."""
        with psycopg.connect(self.superuser_url, row_factory=dict_row, autocommit=True) as connection:
            return connection.execute(sql.encode(), params).fetchall()

    def waiting(self, *, unknown_too: bool = False) -> int:
        """Messages that still wait or are in flight, with `unknown_too` also those of which nobody knows."""
        found = self.query(
            """SELECT (SELECT count(*) FROM message WHERE workspace_id = %s AND state = 'ready')
                 + (SELECT count(*) FROM attempt WHERE workspace_id = %s
                      AND (state = 'in_flight' OR unknown_since IS NOT NULL AND %s))
                 + (SELECT count(*) FROM queue WHERE workspace_id = %s) AS n""",
            self.workspace_id,
            self.workspace_id,
            unknown_too,
            self.workspace_id,
        )
        return int(found[0]["n"])

    def wait_done(self, seconds: float, step: Any = lambda: None) -> bool:
        """Wait until nothing waits, calling `step` between looks; False when it takes longer."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.waiting() == 0:
                return True
            step()
            time.sleep(0.05)
        return False

    def accepted(self) -> int:
        """Messages that are durably accepted, by the tally."""
        found = self.query(
            "SELECT coalesce(sum(n), 0) AS n FROM tally WHERE workspace_id = %s AND state >= 'accepted'",
            self.workspace_id,
        )
        return int(found[0]["n"])

    def unknown(self) -> int:
        """Attempts of which nobody knows."""
        found = self.query(
            "SELECT count(*) AS n FROM attempt WHERE workspace_id = %s AND unknown_since IS NOT NULL",
            self.workspace_id,
        )
        return int(found[0]["n"])

    def wait_settled(self, seconds: float, step: Any = lambda: None) -> bool:
        """Wait until evidence has settled every unknown, and what it sent back to ready is done."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            # in one look: what waits now and is unknown a moment later would be seen by neither of two
            if self.waiting(unknown_too=True) == 0:
                return True
            step()
            time.sleep(0.05)
        return False

    def alter(self, statement: str) -> None:
        """Change the schema, as a mutant does."""
        with psycopg.connect(self.superuser_url, autocommit=True) as connection:
            connection.execute(statement.encode())

    def echo(self) -> None:
        """Somebody pressed retry twice: half of the queue is written a second time."""
        with psycopg.connect(self.superuser_url, autocommit=True) as connection:
            connection.execute(
                """INSERT INTO queue
                   SELECT lane_id, due_at + interval '1 ms', message_id, cohort, workspace_id, contact_id,
                     address_id, consent_key, content_version_id, expires_at, tries, variables
                   FROM queue WHERE workspace_id = %s AND get_byte(uuid_send(message_id), 9) & 4 = 0
                   ON CONFLICT DO NOTHING""",
                (self.workspace_id,),
            )

    # --- judging

    def judge(self) -> list[str]:
        """Everything that is wrong, as sentences: the sandbox's record of the truth against the ledger."""
        wrong: list[str] = []
        shown = self.sandbox.people()
        twice = [who for who, n in shown.items() if n > 1]
        if twice:
            wrong.append(f"{len(twice)} people hold two effective messages")
            wrong += [self._history(who) for who in twice[:3]]
        messages = self.query(
            """SELECT m.id, m.state::text, m.reason, a.value, m.run_id FROM message m
               LEFT JOIN address a ON a.id = m.address_id WHERE m.workspace_id = %s""",
            self.workspace_id,
        )
        if len(messages) != self.people:
            wrong.append(f"{self.people} people were intended, {len(messages)} have a message")
        for message in messages:
            had = shown.get(str(message["value"]).lstrip("+"), 0)
            if message["state"] in ("accepted", "delivered", "read", "undelivered") and not had:
                wrong.append(f"{message['id']} is {message['state']} and the provider never accepted it")
            if message["state"] in ("failed", "expired", "cancelled", "skipped") and had:
                wrong.append(f"{message['id']} is {message['state']} and the person has it")
            if message["state"] == "ready":
                wrong.append(f"{message['id']} was never brought to an end")
        wrong += self._tally(Counter((m["state"], m["reason"]) for m in messages))
        wrong += [
            f"message {row['message_id']} has {row['n']} effective attempts"
            for row in self.query(
                """SELECT message_id, count(*) AS n FROM attempt WHERE workspace_id = %s AND effective
                   GROUP BY message_id HAVING count(*) > 1""",
                self.workspace_id,
            )
        ]
        left = self.query("SELECT count(*) AS n FROM queue WHERE workspace_id = %s", self.workspace_id)[0][
            "n"
        ]
        if left:
            wrong.append(f"{left} rows are left in the queue")
        return wrong

    def _history(self, phone: str) -> str:
        """Everything that both sides know of one person, for whoever must explain it."""
        tries = self.query(
            """SELECT a.id, a.worker_id, a.epoch, a.number, a.state::text, a.effective, a.code, a.provider_id,
                 a.unknown_since::time::text, a.settled_at::time::text, w.pid, w.stopped_at::time::text
               FROM attempt a JOIN address d ON d.id = a.address_id LEFT JOIN worker w ON w.id = a.worker_id
               WHERE a.workspace_id = %s AND d.value = %s ORDER BY a.id""",
            self.workspace_id,
            f"+{phone}",
        )
        lines = [f"  ours: { {key: str(value) for key, value in one.items()} }" for one in tries]
        lines += [f"  theirs: {one}" for one in self.sandbox.messages(to=phone)]
        return "\n".join([f"+{phone} ({self.folder}):", *lines])

    def _tally(self, states: Counter[tuple[str, str | None]]) -> list[str]:
        kept = Counter(
            {
                (row["state"], row["reason"]): int(row["n"])
                for row in self.query(
                    """SELECT state::text, reason, sum(n) AS n FROM tally WHERE workspace_id = %s
                       GROUP BY state, reason HAVING sum(n) <> 0""",
                    self.workspace_id,
                )
            }
        )
        return [] if kept == states else [f"the tally says {dict(kept)}, the messages {dict(states)}"]

    def states(self) -> Counter[str]:
        """How many messages are in each state."""
        return Counter(
            {
                row["state"]: row["n"]
                for row in self.query(
                    "SELECT state::text, count(*) AS n FROM message WHERE workspace_id = %s GROUP BY state",
                    self.workspace_id,
                )
            }
        )
