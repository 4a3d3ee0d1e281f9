"""A small world: one workspace, some people, one channel to a sandbox, one announcement; and its judge."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg

from clarion.domain.message import cohort_of
from clarion.flow import configure
from clarion.flow.services import Services
from clarion.kit.clock import Clock
from clarion.kit.db import Database
from clarion.kit.ids import uuid7
from clarion.kit.secrets import SecretBox
from clarion.sandbox.client import SandboxProcess
from clarion.sandbox.twins.generic_http import TWIN
from clarion.settings import Settings
from clarion.store import campaign, expansion, run, workspace
from tests.faults.hooks import Hooks
from tests.faults.judge import VANISHED, judge
from tests.faults.looking import Looking
from tests.house import House

SECRET = "a-long-word-that-only-the-tests-of-faults-know"
TEMPLATE = {"kind": "template", "name": "hello", "language": "en", "parameters": ["{{ contact.name }}"]}
TEXT = {"kind": "text", "text": "Hello {{ contact.name }}"}
CONTENT = {
    "variants": [
        {"channel_kind": "whatsapp", "content": TEMPLATE},
        {"channel_kind": "generic_http", "content": TEXT},
    ]
}
DEFINITION = {"audience": {"include": {"everyone": True}}, "content": CONTENT}
SENDER, SECOND = "106540352242922", "106540352242923"
KEYED = "KEYED"


def knowing_again() -> dict[str, Any]:
    """The description of the sandbox's aggregator, with our reference as its idempotency key."""
    options: dict[str, Any] = deepcopy(dict(TWIN.example.options))
    request = options["request"]
    request["headers"] = {**request["headers"], "Idempotency-Key": "{reference}"}
    request["json"] = {"to": "{digits}", "text": "{text}"}
    request["replays_for"] = 3600
    del options["receipt"]
    return options


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
    house: House | None = None  # the server, where it may be stopped
    hooks: Hooks | None = None  # where the provider tells what became of it
    keyed: bool = False  # whether the provider is an aggregator that knows a reference again
    falls: bool = False  # whether what does not arrive goes on over a second channel
    beside: Scene | None = None  # whose workspace and people it shares, over a channel of its own
    first_number: int = field(init=False, default_factory=lambda: next(_first_numbers))
    workspace_id: UUID = field(init=False)
    campaign_id: UUID = field(init=False)
    run_id: UUID = field(init=False)
    looking: Looking = field(init=False)
    away: bool = field(init=False, default=False)  # the database, so that nobody can look
    channel_id: UUID = field(init=False)
    second_id: UUID | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.looking = Looking(self.superuser_url)

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

    async def launch(self, db: Database) -> None:
        """The announcement is due from now on; a worker fires it."""
        async with db.tenant(self.workspace_id) as connection:
            await self._announce(connection)

    async def _set_up(self, *, launch: bool) -> None:
        clock = Clock()
        chosen = Settings(secret_key=SECRET, allow_private_addresses=True, state_dir=self.folder / "state")
        async with Database(self.url, size=2) as db:
            services = Services(db, clock, chosen, SecretBox([SECRET]))
            now = clock.now()
            self.workspace_id = uuid7(now) if self.beside is None else self.beside.workspace_id
            async with db.tenant(self.workspace_id) as connection:
                if self.beside is None:
                    await workspace.create(connection, self.workspace_id, name="Faults", now=now)
                    await self._people(connection)
                name = f"whatsapp {self.first_number}"
                self.channel_id = await self._channel(connection, services, name, SENDER)
                if self.falls:
                    self.second_id = await self._channel(connection, services, "second", SECOND)
                if launch:
                    await self._announce(connection)
                    await self._expand(connection)

    async def _channel(self, connection: Any, services: Services, name: str, sender: str) -> UUID:
        config = {
            "base_url": self.sandbox.url, "sender": sender, "total_timeout": 1.0, "connect_timeout": 0.5,
            "backoff_base": 0.05, "backoff_cap": 0.3, "lookup_lag": 0.2, "breaker": 1000, **self.options,
        }  # fmt: skip
        provider, credentials = "whatsapp", {"token": "sandbox", "app_secret": "sandbox-secret"}
        if self.keyed:
            self.sandbox.configure(numbers={KEYED: {"provider": "generic_http"}})
            provider, credentials = "generic_http", {"token": "sandbox"}
            config |= {"sender": KEYED, "options": knowing_again()}
        return await configure.create_channel(
            connection, services, self.workspace_id, name=name, provider=provider, config=config,
            credentials=credentials, rate=self.rate,
        )  # fmt: skip

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
        onward = None
        if self.second_id is not None:
            onward = await campaign.open_lane(connection, uuid7(now), self.second_id, self.campaign_id, 50)
        lane = await campaign.open_lane(
            connection, uuid7(now), self.channel_id, self.campaign_id, 50, onward=onward
        )
        await run.plan(
            connection, self.run_id, campaign_id=self.campaign_id, iteration=1, cohort=cohort_of(now),
            content_version_id=content_id, lane_id=lane, due_at=now, expires_at=now + timedelta(hours=3),
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
        return self.looking.rows(sql, params)

    def waiting(self, *, unknown_too: bool = False) -> int:
        """Messages that still wait or are in flight, with `unknown_too` also those of which nobody knows."""
        found = self.query(
            """SELECT (SELECT count(*) FROM message WHERE workspace_id = %s AND state = 'ready')
                 + (SELECT count(*) FROM attempt WHERE workspace_id = %s
                      AND (state = 'in_flight' OR unknown_since IS NOT NULL AND %s))
                 + (SELECT count(*) FROM queue WHERE workspace_id = %s)
                 + (SELECT count(*) FROM fallback WHERE workspace_id = %s) AS n""",
            self.workspace_id,
            self.workspace_id,
            unknown_too,
            self.workspace_id,
            self.workspace_id,
        )
        return int(found[0]["n"])

    def wait(self, condition: Callable[[], bool], seconds: float, step: Callable[[], object]) -> bool:
        """Wait until a look shows `condition`, calling `step` between looks; False when it takes longer."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if not self.away and condition():
                return True
            step()
            time.sleep(0.05)
        return False

    def wait_done(self, seconds: float, step: Callable[[], object] = lambda: None) -> bool:
        """Wait until nothing waits, calling `step` between looks; False when it takes longer."""
        return self.wait(lambda: self.waiting() == 0, seconds, step)

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

    def vanished(self) -> int:
        """Attempts of which nobody knows, because their owner has not said how they ended."""
        found = self.query(
            """SELECT count(*) AS n FROM attempt
               WHERE workspace_id = %s AND unknown_since IS NOT NULL AND code = %s""",
            self.workspace_id,
            VANISHED,
        )
        return int(found[0]["n"])

    def wait_settled(self, seconds: float, step: Callable[[], object] = lambda: None) -> bool:
        """Wait until evidence has settled every unknown, and what it sent back to ready is done."""
        # in one look: what waits now and is unknown a moment later would be seen by neither of two
        return self.wait(lambda: self.waiting(unknown_too=True) == 0, seconds, step)

    def wait_heard(self, seconds: float, step: Callable[[], object], *, settled: bool) -> bool:
        """Wait until the provider has told everything, all of it is read, and nothing waits; `settled`: and
        nothing is unknown."""

        return self.wait(lambda: not self.coming() and self.waiting(unknown_too=settled) == 0, seconds, step)

    def coming(self) -> int:
        """What the provider has still to tell, and what it told that nobody has read."""
        told = self.sandbox.summary()
        return int(told["webhooks"]["pending"] + told["outcomes"].get("waiting", 0)) + self.unread()

    def unread(self) -> int:
        """Bodies that came in and nobody has read yet."""
        found = self.query(
            "SELECT count(*) AS n FROM inbox WHERE workspace_id = %s AND done_at IS NULL", self.workspace_id
        )
        return int(found[0]["n"])

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
        return judge(self)

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
