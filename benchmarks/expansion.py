"""(b) Expansion of 1,000,000 contacts into messages: rows a second, and the process's peak memory.

python -m benchmarks.expansion [--people 1000000] [--pool 8]

With a pool, of so many channels that all fit everybody, each person's channel is drawn.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import psycopg

from benchmarks import machine
from clarion.domain.pool import PoolMember
from clarion.flow import configure, fire, pooling
from clarion.flow.services import Services
from clarion.kit.clock import Clock
from clarion.kit.db import Database
from clarion.kit.secrets import SecretBox
from clarion.settings import Settings
from tests.faults.scene import SECRET, Scene
from tests.house import House


async def _fire(scene: Scene, pool: int) -> float:
    async with Database(scene.url, size=4) as db:
        chosen = Settings(secret_key=SECRET, state_dir=scene.folder)
        services = Services(db, Clock(), chosen, SecretBox([SECRET]))
        await scene.launch(db)
        if pool:
            await _over_pool(scene, services, pool)
        began = time.perf_counter()
        await fire.fire(services, scene.workspace_id, scene.run_id)
        return time.perf_counter() - began


async def _over_pool(scene: Scene, services: Services, many: int) -> None:
    """The announcement goes over a pool of so many channels."""
    async with services.db.tenant(scene.workspace_id) as connection:
        members = [
            PoolMember(
                channel_id=await configure.create_channel(
                    connection, services, scene.workspace_id, name=f"pool {n}", provider="whatsapp",
                    config={"sender": f"200{n}"},
                )
            )
            for n in range(many)
        ]  # fmt: skip
        pool_id = await pooling.create(connection, services, name="pool", members=members)
        await connection.execute(
            "UPDATE campaign SET definition = definition || jsonb_build_object('pool_id', %s::text)",
            (str(pool_id),),
        )


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=1_000_000)
    parser.add_argument("--pool", type=int, default=0)
    people, pool = (given := parser.parse_args()).people, given.pool
    house = House(Path(tempfile.mkdtemp()))
    database = house.new_database()
    nobody = cast(Any, SimpleNamespace(url="http://127.0.0.1:9"))
    scene = Scene(house.url(database), house.superuser(database), nobody, Path(tempfile.mkdtemp()), 0)
    scene.set_up(launch=False)
    crowd(scene, people)
    wal = _wal(scene)
    seconds = asyncio.run(_fire(scene, pool))
    ready = scene.query("SELECT sum(n) AS n FROM tally WHERE state = 'ready'")[0]["n"]
    assert ready == people, ready
    print(
        json.dumps(
            {
                "benchmark": "expansion", "people": people, "pool": pool, "seconds": round(seconds, 2),
                "rate": round(people / seconds),
                "peak_memory_mb": round(machine.peak_memory(os.getpid()) / 1e6),
                "wal_bytes_a_row": round((_wal(scene) - wal) / people),
                "targets": {"rate": 75_000, "peak_memory_mb": 200}, "machine": machine.facts(),
            }
        )
    )  # fmt: skip
    house.close()


def crowd(scene: Scene, people: int) -> None:
    """So many people in the database, without passing through this process."""
    with psycopg.connect(scene.superuser_url, autocommit=True) as connection:
        connection.execute(
            """INSERT INTO contact (id, workspace_id, name, folded_name, created_at, modified_at)
               SELECT clarion_uuid7(timestamptz '2026-01-01' + n * interval '1 ms'), %s, 'Person ' || n,
                 'person', '2026-01-01', '2026-01-01' FROM generate_series(1, %s) n""",
            (scene.workspace_id, people),
        )
        connection.execute(
            """INSERT INTO address (id, workspace_id, contact_id, scheme, value, consent_key, created_at)
               SELECT clarion_uuid7(created_at), workspace_id, id, 'whatsapp',
                 '+1' || 2000000000 + row_number() OVER (ORDER BY id),
                 substr(sha256(id::text::bytea), 1, 16), created_at FROM contact"""
        )
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")


def _wal(scene: Scene) -> int:
    return int(scene.query("SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint AS n")[0]["n"])


if __name__ == "__main__":
    main()
