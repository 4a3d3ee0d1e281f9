"""(d) Receipts: how many a second are durable before they are answered, and then read into the ledger.

Webhooks signed as the provider signs them come in over kept connections to `clarion serve` in a process
of its own; a call is answered when its body is committed. Then a worker's receiver reads them all.

    python -m benchmarks.receipts [--receipts 100000] [--per-call 1] [--connections 64]

With one receipt a call (what a quiet provider sends) and with many a call (what a busy one sends).
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import hmac
import json
import selectors
import socket
import tempfile
import time
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from uuid import UUID

import orjson

from benchmarks import machine
from benchmarks.served import Served
from clarion.domain.message import cohort_of, reference
from clarion.flow import configure
from clarion.flow.receive import Receiver
from clarion.flow.services import Services
from clarion.kit.clock import Clock
from clarion.kit.db import Connection, Database
from clarion.kit.ids import uuid7
from clarion.kit.secrets import SecretBox
from clarion.settings import Settings
from clarion.store import workspace as workspaces
from clarion.store.queue import PLANNER
from tests.house import House

SECRET = "a-long-word-that-only-this-benchmark-knows"
SIGNING = b"shh"
CHUNK = 10_000


class Ledger:
    """A workspace in which `count` messages were accepted by a provider that now tells of them."""

    def __init__(self, services: Services, count: int) -> None:
        self.services = services
        self.count = count
        self.now = services.clock.now()
        self.workspace_id, self.channel_id = uuid7(self.now), uuid7(self.now)
        self.attempts: list[UUID] = []

    @property
    def cohort(self) -> date:
        return cohort_of(self.now)

    async def fill(self) -> None:
        services = self.services
        async with services.db.tenant(self.workspace_id) as connection:
            await workspaces.create(connection, self.workspace_id, name="Bench", now=self.now)
            self.channel_id = await configure.create_channel(
                connection, services, self.workspace_id, name="WhatsApp", provider="whatsapp", config={},
                credentials={"token": "t", "app_secret": SIGNING.decode()},
            )  # fmt: skip
            await connection.execute("SELECT clarion_ensure_cohort(%s)", (self.cohort,))
        for _ in range(0, self.count, CHUNK):
            async with services.db.tenant(self.workspace_id) as connection:
                self.attempts += await self._accepted(connection)

    async def _accepted(self, connection: Connection) -> list[UUID]:
        messages = [uuid7(self.now) for _ in range(CHUNK)]
        attempts = [uuid7(self.now) for _ in range(CHUNK)]
        params = {
            "of": self.cohort, "now": self.now, "channel": self.channel_id, "messages": messages,
            "attempts": attempts,
        }  # fmt: skip
        await connection.execute(
            """INSERT INTO message (id, cohort, workspace_id, run_id, enrollment_id, generation, iteration,
                 step_id, recipient_key, lane_id, content_version_id, state, due_at, expires_at, settled_at)
               SELECT id, %(of)s, clarion_workspace(), %(channel)s, id, 1, 1, 1, id, %(channel)s, %(channel)s,
                 'accepted', %(now)s, %(now)s, %(now)s FROM unnest(%(messages)s::uuid[]) AS m(id)""",
            params,
        )
        await connection.execute(
            """INSERT INTO attempt (id, cohort, workspace_id, message_id, channel_id, lane_id, worker_id,
                 epoch, number, state, effective, address_id, settled_at)
               SELECT id, %(of)s, clarion_workspace(), message_id, %(channel)s, %(channel)s, %(channel)s, 1,
                 1, 'accepted', true, id, %(now)s
               FROM unnest(%(attempts)s::uuid[], %(messages)s::uuid[]) AS a(id, message_id)""",
            params,
        )
        return attempts

    def calls(self, per_call: int, host: str) -> list[bytes]:
        """The provider's requests, whole: a `delivered` of every message, so many to a request."""
        told = self.attempts[: self.count]
        return [
            _request(host, self.channel_id, _webhook(self.cohort, told[start : start + per_call], self.now))
            for start in range(0, len(told), per_call)
        ]

    async def read(self) -> dict[str, float]:
        """Read the inbox to its end, as a worker does; the messages must all be delivered then."""
        receiver = Receiver(self.services)
        began, cpu, done = time.perf_counter(), time.process_time(), 0
        while True:
            drained = await receiver.drain_once(self.workspace_id, self.channel_id)
            if drained.bodies == 0:
                break
            done += drained.counts["delivered"]
        assert done == self.count, f"{done} of {self.count} receipts were read"
        seconds = time.perf_counter() - began
        return {
            "rate": round(done / seconds),
            "client_us": round((time.process_time() - cpu) / done * 1e6, 1),
        }


def _webhook(cohort: date, attempts: Sequence[UUID], now: datetime) -> bytes:
    statuses = [
        {
            "id": f"wamid.{attempt.hex}",
            "status": "delivered",
            "timestamp": str(int(now.timestamp())),
            "recipient_id": "254712000001",
            "biz_opaque_callback_data": reference(cohort, attempt),
            "conversation": {"id": attempt.hex, "origin": {"type": "utility"}},
            "pricing": {"billable": True, "pricing_model": "PMP", "category": "utility"},
        }
        for attempt in attempts
    ]
    value = {"messaging_product": "whatsapp", "metadata": {"phone_number_id": "1"}, "statuses": statuses}
    change = {"field": "messages", "value": value}
    return orjson.dumps({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [change]}]})


def _request(host: str, channel_id: UUID, body: bytes) -> bytes:
    signature = hmac.new(SIGNING, body, hashlib.sha256).hexdigest()
    head = (
        f"POST /hooks/{channel_id} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        f"X-Hub-Signature-256: sha256={signature}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def pour(port: int, calls: Sequence[bytes], connections: int) -> float:
    """Make all calls, one at a time on each connection; the seconds until the last one was answered."""
    selector = selectors.DefaultSelector()
    waiting = iter(calls)
    began = time.perf_counter()
    for _ in range(min(connections, len(calls))):
        sock = socket.create_connection(("127.0.0.1", port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(next(waiting))
        selector.register(sock, selectors.EVENT_READ, sock)
    left = len(calls)
    while left:
        for key, _ in selector.select():
            answer = key.data.recv(65536)
            if not answer.startswith(b"HTTP/1.1 200"):
                raise SystemExit(f"the hook answered {answer[:200]!r}")
            left -= 1
            following = next(waiting, None)
            if following is None:
                selector.unregister(key.data)
                key.data.close()
            else:
                key.data.sendall(following)
    return time.perf_counter() - began


async def measure(house: House, receipts: int, per_call: int, connections: int) -> dict[str, object]:
    """One run in a database of its own."""
    assert house.embedded is not None
    server = int(house.embedded.start().pid)
    name, folder = house.new_database(), Path(tempfile.mkdtemp())
    settings = Settings(state_dir=folder / "state")
    async with Database(house.url(name), size=4, name="bench", planner=PLANNER) as db:
        ledger = Ledger(Services(db, Clock(), settings, SecretBox([SECRET])), receipts)
        await ledger.fill()
        served = Served(house.url(name), folder, SECRET)
        try:
            calls = ledger.calls(per_call, f"127.0.0.1:{served.port}")
            pour(served.port, ledger.calls(per_call, "warm")[:50], 10)
            before = machine.cpu_seconds(served.process.pid), machine.family_cpu_seconds(server)
            seconds = await asyncio.to_thread(pour, served.port, calls, connections)
            after = machine.cpu_seconds(served.process.pid), machine.family_cpu_seconds(server)
        finally:
            served.stop()
        postgres = machine.family_cpu_seconds(server)
        read = await ledger.read()
        read["postgres_us"] = round((machine.family_cpu_seconds(server) - postgres) / receipts * 1e6, 1)
    house.drop(name)
    return {
        "per_call": per_call,
        "durable": {
            "rate": round(receipts / seconds),
            "calls_per_s": round(len(calls) / seconds),
            "server_us": round((after[0] - before[0]) / receipts * 1e6, 1),
            "postgres_us": round((after[1] - before[1]) / receipts * 1e6, 1),
        },
        "read": read,
    }


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--receipts", type=int, default=100_000)
    parser.add_argument("--per-call", type=int, action="append", help="receipts a call; may be given again")
    parser.add_argument("--connections", type=int, default=64)
    chosen = parser.parse_args()
    house = House(Path(tempfile.mkdtemp()))
    try:
        runs = [
            asyncio.run(measure(house, chosen.receipts, per_call, chosen.connections))
            for per_call in chosen.per_call or [1, 20]
        ]
    finally:
        house.close()
    print(
        json.dumps(
            {
                "benchmark": "receipts", "receipts": chosen.receipts, "connections": chosen.connections,
                "runs": runs, "targets": {"durable": 5000, "read": 7000}, "machine": machine.facts(),
            }
        )
    )  # fmt: skip


if __name__ == "__main__":
    main()
