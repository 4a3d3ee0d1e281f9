"""The raw floor: claim rows, commit the intent, POST with aiohttp, settle in one UPDATE. Nothing else.

No lanes, no consent, no windows, no receipts, no takeover: what a careful script would do. Run as a
process of its own: `python -m benchmarks.floor DATABASE_URL SANDBOX_URL PEOPLE CONCURRENCY`.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

import aiohttp
import orjson
import psycopg
import uvloop
from yarl import URL

CLAIM = 500
TABLE = """
DROP TABLE IF EXISTS floor;
CREATE TABLE floor (id bigint PRIMARY KEY, address text NOT NULL, name text NOT NULL,
  state smallint NOT NULL DEFAULT 0, provider_id text) WITH (fillfactor = 50);
CREATE INDEX floor_waiting ON floor (id) WHERE state = 0;
"""
_CLAIM = """UPDATE floor SET state = 1 WHERE id IN (
  SELECT id FROM floor WHERE state = 0 ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED)
RETURNING id, address, name"""
_SETTLE = """UPDATE floor SET state = 2, provider_id = s.provider_id
FROM unnest(%s::bigint[], %s::text[]) AS s(id, provider_id) WHERE floor.id = s.id"""


async def _loop(database: str, session: aiohttp.ClientSession, url: URL, places: asyncio.Semaphore) -> int:
    headers = {"Authorization": "Bearer sandbox", "Content-Type": "application/json"}

    async def send(id: int, address: str, name: str) -> tuple[int, str]:
        body = orjson.dumps(
            {
                "messaging_product": "whatsapp", "to": address[1:], "type": "template",
                "template": {"name": "hello", "language": {"code": "en"}, "components": [
                    {"type": "body", "parameters": [{"type": "text", "text": name}]}]},
                "biz_opaque_callback_data": str(id),
            }
        )  # fmt: skip
        async with places, session.post(url, data=body, headers=headers) as response:
            answer = orjson.loads(await response.read())
            return id, answer["messages"][0]["id"]

    done = 0
    async with await psycopg.AsyncConnection.connect(database) as connection:
        while True:
            cursor = await connection.execute(_CLAIM, (CLAIM,), prepare=True)
            claimed = await cursor.fetchall()
            await connection.commit()
            if not claimed:
                return done
            sent = await asyncio.gather(*(send(*row) for row in claimed))
            await connection.execute(_SETTLE, ([s[0] for s in sent], [s[1] for s in sent]), prepare=True)
            await connection.commit()
            done += len(sent)


async def _main(database: str, sandbox: str, people: int, concurrency: int) -> None:
    async with await psycopg.AsyncConnection.connect(database) as connection:
        await connection.execute(TABLE.encode())
        await connection.execute(
            """INSERT INTO floor (id, address, name)
               SELECT n, '+2547' || (10000000 + n), 'Person ' || n FROM generate_series(1, %s) n""",
            (people,),
        )
    url = URL(f"{sandbox}/v23.0/106540352242922/messages")
    places = asyncio.Semaphore(concurrency)
    connector = aiohttp.TCPConnector(limit=concurrency)
    began = time.perf_counter()
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
        done = await asyncio.gather(*(_loop(database, session, url, places) for _ in range(3)))
    print(json.dumps({"sent": sum(done), "seconds": time.perf_counter() - began}))


if __name__ == "__main__":
    uvloop.run(_main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
