"""Cases told by the million, in batches: new ones, the same again, and with one property changed.

    python -m benchmarks.cases [--cases 1000000] [--batch 5000] [--phones]

Prints one JSON line. Reading the documents is part of it, ahead of the batch that is stored, as an import
does. The floor, in the same run: the same documents by COPY into a table without indexes but its key, by
nothing that looks at them. With `--phones` each case has a number that makes a contact.
"""

from __future__ import annotations

import argparse
import asyncio
import atexit
import json
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson
import psycopg

from benchmarks import machine
from clarion.domain.case import declared
from clarion.domain.case_values import Case, CaseCustoms
from clarion.domain.case_word import read_case
from clarion.flow.reading import quick_turns
from clarion.kit.clock import Clock
from clarion.kit.db import Database
from clarion.kit.ids import uuid7
from clarion.kit.process import settle_memory
from clarion.store import case_intake, case_type
from clarion.store import workspace as workspaces
from tests.house import House

Read = tuple[list[Case], list[str]]
_FLOOR = """
CREATE UNLOGGED TABLE floor (workspace_id uuid, external_id text, document jsonb,
  PRIMARY KEY (workspace_id, external_id))"""


def document(n: int, phones: bool, weight: float) -> dict[str, Any]:
    """A pregnancy as a health worker's telephone sends it: every fourth case is its household."""
    properties: dict[str, Any] = {
        "edd": f"2026-{n % 12 + 1:02d}-{n % 28 + 1:02d}",
        "village": f"Village {n % 300}",
        "risk": ("low", "middle", "high")[n % 3],
        "visits": str(n % 9),
        "weight": weight + n % 40,
        "last_visit": f"2026-02-{n % 28 + 1:02d}T10:{n % 60:02d}:00+03:00",
        "consented": True,
        "note": "seen at the clinic, all is well so far",
    }
    if phones:
        properties["phone"] = f"+25471{n % 10**7:07d}"
    return {
        "type": "household" if n % 4 == 0 else "pregnancy",
        "external_id": f"{n * 2654435761 % 2**32:08x}-{n}",
        "name": f"Amina {n}",
        "owner": f"CHW-{n % 1000}",
        "parent": f"{(n - n % 4) * 2654435761 % 2**32:08x}-{n - n % 4}" if n % 4 else None,
        "modified_at": f"2026-03-02T08:{n % 60:02d}:00Z",
        "properties": properties,
    }


def write_file(path: Path, chosen: argparse.Namespace, *, later: bool) -> None:
    """A case a line; `later`: a day after, when all have another weight."""
    with path.open("wb") as file:
        for n in range(chosen.cases):
            one = document(n, chosen.phones, 50.5 if later else 50.0)
            if later:
                one["modified_at"] = "2026-03-03T08:00:00Z"
            file.write(orjson.dumps(one) + b"\n")


def batches(path: Path, size: int) -> Iterator[list[bytes]]:
    with path.open("rb") as file:
        while some := list(islice(file, size)):
            yield some


def read(some: Sequence[bytes], customs: CaseCustoms) -> Read:
    cases: list[Case] = []
    lines: list[str] = []
    for raw in some:
        case, _ = read_case(orjson.loads(raw), customs)
        if case is not None:
            cases.append(case)
            lines.append(case_intake.written(case))
    return cases, lines


async def ahead(given: Iterator[list[bytes]], customs: CaseCustoms) -> AsyncIterator[Read]:
    """Each batch read, while the one before it is stored."""

    def following() -> Read | None:
        some = next(given, None)
        return None if some is None else read(some, customs)

    coming = asyncio.create_task(asyncio.to_thread(following))
    while (ready := await coming) is not None:
        coming = asyncio.create_task(asyncio.to_thread(following))
        yield ready


class Bench:
    """One database with one workspace."""

    def __init__(self, house: House, db: Database, clock: Clock, workspace: UUID) -> None:
        assert house.embedded is not None
        self.db, self.clock, self.workspace = db, clock, workspace
        self.server = house.embedded.start().pid

    async def once(self, path: Path, size: int) -> dict[str, Any]:
        """Tell all of them; rates and the processor's time are a case's."""
        outcomes: dict[str, int] = {}
        async with self.db.tenant(self.workspace) as connection:
            types = await case_type.known(connection)
            pepper = bytes((await workspaces.get(connection))["pepper"])
        customs = CaseCustoms(types, self.clock.now(), "KE", ZoneInfo("Africa/Nairobi"))
        ours, postgres = time.process_time(), machine.family_cpu_seconds(self.server)
        began = time.perf_counter()
        with quick_turns():
            async for cases, lines in ahead(batches(path, size), customs):
                async with self.db.tenant(self.workspace) as connection:
                    taken = await case_intake.upsert(connection, pepper, cases, self.clock.now(), lines=lines)
                for one in taken:
                    outcomes[one.outcome.value] = outcomes.get(one.outcome.value, 0) + 1
        seconds = time.perf_counter() - began
        total = sum(outcomes.values())
        return {
            "rate": round(total / seconds),
            "python_us": round((time.process_time() - ours) / total * 1e6, 1),
            "postgres_us": round((machine.family_cpu_seconds(self.server) - postgres) / total * 1e6, 1),
            **outcomes,
        }

    async def floor(self, path: Path, size: int) -> dict[str, Any]:
        """The same bytes into a table, a transaction a batch."""
        total = 0
        began = time.perf_counter()
        for some in batches(path, size):
            total += len(some)
            async with (
                self.db.tenant(self.workspace) as connection,
                connection.cursor() as cursor,
                cursor.copy("COPY floor FROM STDIN") as copy,
            ):
                for raw in some:
                    external_id = orjson.loads(raw)["external_id"]
                    await copy.write_row((self.workspace, external_id, raw.decode()))
        return {"rate": round(total / (time.perf_counter() - began))}


async def measure(house: House, folder: Path, chosen: argparse.Namespace) -> dict[str, Any]:
    clock = Clock()
    name = house.new_database()

    with psycopg.connect(house.superuser(name), autocommit=True) as connection:
        connection.execute(_FLOOR)
        connection.execute("GRANT INSERT ON floor TO clarion_app")
    async with Database(house.url(name), size=4, name="bench") as db:
        workspace = uuid7(clock.now())
        async with db.tenant(workspace) as tenant:
            await workspaces.create(tenant, workspace, name="Bench", country="KE", now=clock.now())
            properties = [("edd", "date", None, ""), ("weight", "number", None, "")]
            phone = [("phone", "address", "tel", "")] if chosen.phones else []
            for one in ("pregnancy", "household"):
                await case_type.create(tenant, one, clock.now(), properties=declared([*properties, *phone]))
        bench = Bench(house, db, clock, workspace)
        path, size = folder / "cases.jsonl", chosen.batch
        write_file(path, chosen, later=False)
        result = {"floor": await bench.floor(path, size), "new": await bench.once(path, size)}
        result["again"] = await bench.once(path, size)
        write_file(path, chosen, later=True)
        result["changed"] = await bench.once(path, size)
        return result


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--batch", type=int, default=5_000)
    parser.add_argument("--phones", action="store_true")
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    # registered before the server's own, so it runs after the server has let go of the folder
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    house = House(folder / "state")
    settle_memory()
    try:
        result = asyncio.run(measure(house, folder, chosen))
    finally:
        house.close()
    print(
        json.dumps(
            {
                "benchmark": "cases", "cases": chosen.cases, "batch": chosen.batch, "phones": chosen.phones,
                **result, "peak_mb": round(machine.peak_memory(os.getpid()) / 2**20),
                "targets": {"rate": 20_000}, "machine": machine.facts(),
            }
        )
    )  # fmt: skip


if __name__ == "__main__":
    main()
