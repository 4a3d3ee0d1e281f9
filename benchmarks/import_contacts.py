"""(c) Import of 200,000 contacts from a CSV file, with the numbers checked: rows a second, flat memory.

    python -m benchmarks.import_contacts [--rows 200000]

Prints one JSON line: a first import (everybody is new) and the same file once more (nobody is).
"""

from __future__ import annotations

import argparse
import asyncio
import atexit
import csv
import json
import os
import random
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any
from uuid import UUID

from benchmarks import machine
from clarion.domain.imports import ImportOptions
from clarion.flow.ingest import import_file, start_import
from clarion.kit.clock import Clock
from clarion.kit.db import Database
from clarion.kit.ids import uuid7
from clarion.kit.process import settle_memory
from clarion.store import workspace as workspaces
from tests.house import House

_PREFIXES = {"KE": "07{:08d}", "ET": "+251911{:06d}", "BR": "+55 11 9{:08d}", "IE": "+353 85 {:07d}"}
_NAMES = ("Amina Wanjiru", "Abebe Bikila", "Rosa O'Neill", "John Smith", "فاطمة الزهراء", "አበበ በቀለ")


def write_file(path: Path, rows: int, seed: int = 7) -> None:
    """A staff list like those that are sent: national and international numbers, every hundredth wrong."""
    draw = random.Random(seed)
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        out = csv.writer(file)
        out.writerow(
            ("Employee ID", "Full name", "Phone", "Country", "Language", "Groups", "Start date", "Site")
        )
        for number in range(rows):
            country = draw.choice(tuple(_PREFIXES))
            shape = _PREFIXES[country]
            digits = shape.split("{:0")[1][0]
            phone = shape.format(draw.randrange(10 ** int(digits)))
            out.writerow(
                (
                    f"E-{number:07d}",
                    f"{draw.choice(_NAMES)} {number}",
                    phone if number % 100 else phone[:4],
                    country,
                    draw.choice(("en", "sw", "pt-BR", "")),
                    draw.choice(("Nurses", "Nurses; Nairobi", "Drivers", "")),
                    f"2024-{draw.randrange(1, 13):02d}-{draw.randrange(1, 29):02d}",
                    f"Site {draw.randrange(40)}",
                )
            )


async def measure(house: House, path: Path) -> dict[str, Any]:
    """Import the file twice into a new workspace: everybody is new, then nobody is."""
    clock = Clock()
    async with Database(house.url(house.new_database()), size=4, name="bench") as db:
        workspace = uuid7(clock.now())
        async with db.tenant(workspace) as connection:
            await workspaces.create(connection, workspace, name="Bench", country="KE", now=clock.now())
        return {
            "first": await _once(house, db, clock, workspace, path),
            "again": await _once(house, db, clock, workspace, path),
        }


async def _once(house: House, db: Database, clock: Clock, workspace: UUID, path: Path) -> dict[str, Any]:
    assert house.embedded is not None
    server = house.embedded.start().pid
    ours, postgres = time.process_time(), machine.family_cpu_seconds(server)
    began = time.perf_counter()
    identifier = await start_import(
        db, clock, workspace, path, options=ImportOptions(create_fields=True, groups=("Everyone",))
    )
    ended = await import_file(db, clock, workspace, identifier)
    seconds = time.perf_counter() - began
    assert ended["state"] == "done", ended["error"]
    rows = ended["done_rows"]
    return {
        "rate": round(rows / seconds),
        "python_us": round((time.process_time() - ours) / rows * 1e6, 1),
        "postgres_us": round((machine.family_cpu_seconds(server) - postgres) / rows * 1e6, 1),
        **{name: ended[name] for name in ("created", "updated", "unchanged", "refused")},
    }


def main() -> None:
    """Print one JSON line; rates are rows a second, the processor's time is a row's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    # registered before the server's own, so it runs after the server has let go of the folder
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = folder / "people.csv"
    write_file(path, chosen.rows)
    house = House(folder / "state")
    settle_memory()  # as a worker does, in which imports are read
    try:
        result = asyncio.run(measure(house, path))
    finally:
        house.close()
    print(
        json.dumps(
            {
                "benchmark": "import_contacts", "rows": chosen.rows,
                "file_mb": round(path.stat().st_size / 1e6, 1), **result,
                "peak_mb": round(machine.peak_memory(os.getpid()) / 2**20), "targets": {"rate": 10_000},
                "machine": machine.facts(),
            }
        )
    )  # fmt: skip


if __name__ == "__main__":
    main()
