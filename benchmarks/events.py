"""(i) Events out: what noting them costs the dispatch, and how many a second are told.

Tries are settled in batches of 500 as a worker does, with nobody listening and with a subscription to
`message.accepted`; in turn, over and over, so that both meet the same machine. Then a teller tells all of
them to a subscriber in a process of its own.

    python -m benchmarks.events [--messages 20000] [--pairs 3]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from benchmarks import machine
from clarion.domain.message import Outcome, State, Verdict, cohort_of
from clarion.flow import configure, subscribe
from clarion.flow.dispatch.settler import Ended, Settler
from clarion.flow.services import Services
from clarion.flow.tell.listening import Listening
from clarion.flow.tell.teller import Teller
from clarion.kit.clock import Clock
from clarion.kit.db import Connection, Database
from clarion.kit.http import Http
from clarion.kit.ids import ascending7, uuid7
from clarion.kit.secrets import SecretBox
from clarion.settings import Settings
from clarion.store import campaign as campaigns
from clarion.store import workspace as workspaces
from clarion.store.queue import PLANNER
from tests.house import House

SECRET = "a-long-word-that-only-this-benchmark-knows"
_SUBSCRIBER = """
import asyncio, sys
async def serve(reader, writer):
    try:
        while True:
            head = await reader.readuntil(b"\\r\\n\\r\\n")
            length = int(head.lower().partition(b"content-length:")[2].split(b"\\r\\n")[0])
            await reader.readexactly(length)
            writer.write(b"HTTP/1.1 204 No Content\\r\\n\\r\\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()
async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


class Ledger:
    """A workspace with a channel and a campaign; messages with a try in flight are made as wanted."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.now = services.clock.now()
        self.cohort = cohort_of(self.now)
        self.workspace_id, self.campaign_id, self.lane_id = (uuid7(self.now) for _ in range(3))
        self.channel_id = uuid7(self.now)

    async def open(self) -> None:
        async with self.services.db.tenant(self.workspace_id) as connection:
            await workspaces.create(connection, self.workspace_id, name="Bench", now=self.now)
            self.channel_id = await configure.create_channel(
                connection, self.services, self.workspace_id, name="WhatsApp", provider="whatsapp", config={}
            )
            await campaigns.create(
                connection, self.campaign_id, kind="announcement", name="Bench", definition={},
                channel_id=self.channel_id, similarity_text="", created_by="", now=self.now,
            )  # fmt: skip
            self.lane_id = await campaigns.open_lane(
                connection, self.lane_id, self.channel_id, self.campaign_id, 50
            )
            await connection.execute("SELECT clarion_ensure_cohort(%s)", (self.cohort,))

    async def begun(self, count: int) -> list[UUID]:
        """So many more tries in flight."""
        async with self.services.db.tenant(self.workspace_id) as connection:
            return await self._begin(connection, count)

    async def _begin(self, connection: Connection, count: int) -> list[UUID]:
        ids = ascending7(self.services.clock.now())
        people, messages, attempts = ([next(ids) for _ in range(count)] for _ in range(3))
        params = {
            "of": self.cohort, "now": self.now, "campaign": self.campaign_id, "lane": self.lane_id,
            "channel": self.channel_id, "people": people, "messages": messages, "attempts": attempts,
            "later": self.now + timedelta(days=1),
        }  # fmt: skip
        for statement in _FILL:
            await connection.execute(statement, params)
        return attempts

    async def settle(self, attempts: Sequence[UUID], listening: Listening) -> float:
        """All of them accepted, by a worker's settler; microseconds a message until all is durable."""
        settler = Settler(self.services.db, self.services.clock, listening)
        for one in attempts:
            verdict = Verdict(one, Outcome.ACCEPTED, State.ACCEPTED, provider_id="wamid.1")
            settler.put(Ended(self.workspace_id, self.cohort, verdict, lambda _: None))
        settler.close()
        began = time.perf_counter()
        await settler.run()
        return (time.perf_counter() - began) / len(attempts) * 1e6


_FILL = (
    """INSERT INTO contact (id, workspace_id, external_id, created_at, modified_at)
       SELECT id, clarion_workspace(), id::text, %(now)s, %(now)s FROM unnest(%(people)s::uuid[]) AS p(id)""",
    """INSERT INTO enrollment (id, workspace_id, campaign_id, subject_id, cohort, created_at)
       SELECT id, clarion_workspace(), %(campaign)s, id, %(of)s, %(now)s
       FROM unnest(%(people)s::uuid[]) AS p(id)""",
    """INSERT INTO message (id, cohort, workspace_id, run_id, enrollment_id, generation, iteration, step_id,
         recipient_key, lane_id, content_version_id, state, due_at, expires_at)
       SELECT m.id, %(of)s, clarion_workspace(), %(campaign)s, p.id, 1, 1, 1, p.id, %(lane)s, %(campaign)s,
         'ready', %(now)s, %(later)s
       FROM unnest(%(messages)s::uuid[], %(people)s::uuid[]) AS m(id, person) CROSS JOIN LATERAL (
         SELECT m.person AS id) p""",
    """INSERT INTO attempt (id, cohort, workspace_id, message_id, channel_id, lane_id, worker_id, epoch,
         number, state, effective, address_id)
       SELECT id, %(of)s, clarion_workspace(), message_id, %(channel)s, %(lane)s, %(channel)s, 1, 1,
         'in_flight', true, id
       FROM unnest(%(attempts)s::uuid[], %(messages)s::uuid[]) AS a(id, message_id)""",
)


def _listening(workspace_id: UUID, *types: str) -> Listening:
    listening = Listening()
    listening.learn([(workspace_id, types)])
    return listening


@contextmanager
def subscriber() -> Iterator[int]:
    """A process that answers 204 to everything; its port."""
    child = subprocess.Popen([sys.executable, "-c", _SUBSCRIBER], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    try:
        yield int(child.stdout.readline())
    finally:
        child.kill()
        child.wait()


async def measure(house: House, port: int, messages: int, pairs: int) -> dict[str, object]:
    """All of it in a database of its own."""
    assert house.embedded is not None
    name = house.new_database()
    settings = Settings(state_dir=Path(tempfile.mkdtemp()), allow_private_addresses=True)
    server = int(house.embedded.start().pid)
    try:
        async with Database(house.url(name), size=4, name="bench", planner=PLANNER) as db:
            services = Services(db, Clock(), settings, SecretBox([SECRET]))
            ledger = Ledger(services)
            await ledger.open()
            silent = await _settled(ledger, server, messages, pairs, _listening(ledger.workspace_id))
            async with db.tenant(ledger.workspace_id) as connection:
                subscription_id, _ = await subscribe.create(
                    connection, services, ledger.workspace_id, name="portal",
                    url=f"http://127.0.0.1:{port}/", types=["message.accepted"],
                )  # fmt: skip
            heard = _listening(ledger.workspace_id, "message.accepted")
            noted = await _settled(ledger, server, messages, pairs, heard)
            return {"silent": silent, "noted": noted, "told": await _tell(services, ledger, subscription_id)}
    finally:
        house.drop(name)


async def _settled(
    ledger: Ledger, server: int, messages: int, pairs: int, listening: Listening
) -> dict[str, float]:
    await ledger.settle(await ledger.begun(2_000), listening)  # warm
    spent, wall = [], []
    for _ in range(pairs):
        attempts = await ledger.begun(messages)
        before = machine.family_cpu_seconds(server)
        wall.append(await ledger.settle(attempts, listening))
        spent.append((machine.family_cpu_seconds(server) - before) / messages * 1e6)
    return {
        "us": round(statistics.median(wall), 1),
        "postgres_us": round(statistics.median(spent), 1),
    }


async def _tell(services: Services, ledger: Ledger, subscription_id: UUID) -> dict[str, float]:
    async with Http() as http:
        teller = Teller(services, http)
        began, cpu = time.perf_counter(), time.process_time()
        await teller.serve(ledger.workspace_id, subscription_id)
        seconds, spent = time.perf_counter() - began, time.process_time() - cpu
    rendered = services.metrics.render().decode()
    told = int(float(rendered.partition('outcome="told"')[2].split()[1]))
    return {"events": told, "rate": round(told / seconds), "client_us": round(spent / told * 1e6, 1)}


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--pairs", type=int, default=3)
    chosen = parser.parse_args()
    house = House(Path(tempfile.mkdtemp()))
    began = datetime.now().astimezone()
    try:
        with subscriber() as port:
            found = asyncio.run(measure(house, port, chosen.messages, chosen.pairs))
    finally:
        house.close()
    told = {"benchmark": "events", "messages": chosen.messages, "began": began.isoformat(), **found}
    print(json.dumps({**told, "machine": machine.facts()}))


if __name__ == "__main__":
    main()
