"""(c) Import of 200,000 contacts from a CSV file, with the numbers checked: rows a second, flat memory.

    python -m benchmarks.import_contacts [ROWS]

Prints one JSON line: a first import (everybody is new) and the same file once more (nobody is).
"""

from __future__ import annotations

import asyncio
import atexit
import csv
import json
import os
import random
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from clarion.domain.imports import ImportOptions
from clarion.flow.ingest import import_file, start_import
from clarion.kit.clock import Clock
from clarion.kit.db import Database
from clarion.kit.ids import uuid7
from clarion.store import workspace as workspaces
from tests.house import House

ROWS = 200_000
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


async def measure(url: str, path: Path) -> dict[str, Any]:
    """Import the file twice into a new workspace of the database at `url`."""
    clock = Clock()
    async with Database(url, size=4, name="bench") as db:
        workspace = uuid7(clock.now())
        async with db.tenant(workspace) as connection:
            await workspaces.create(connection, workspace, name="Bench", country="KE", now=clock.now())
        return {
            "first": await _once(db, clock, workspace, path),
            "again": await _once(db, clock, workspace, path),
        }


async def _once(db: Database, clock: Clock, workspace: Any, path: Path) -> dict[str, Any]:
    cpu, began = time.process_time(), time.perf_counter()
    identifier = await start_import(
        db, clock, workspace, path, options=ImportOptions(create_fields=True, groups=("Everyone",))
    )
    ended = await import_file(db, clock, workspace, identifier)
    seconds = time.perf_counter() - began
    rows = ended["done_rows"]
    assert ended["state"] == "done", ended["error"]
    return {
        "rows_per_second": round(rows / seconds),
        "python_cpu_us_per_row": round((time.process_time() - cpu) / rows * 1e6, 1),
        **{name: ended[name] for name in ("created", "updated", "unchanged", "refused")},
    }


def main(rows: int = ROWS) -> dict[str, Any]:
    """Run it on a server of its own (or CLARION_TEST_DATABASE_URL)."""
    folder = Path(tempfile.mkdtemp())
    # registered before the server's own, so it runs after the server has let go of the folder
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = folder / "people.csv"
    write_file(path, rows)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    house = House(folder / "state")
    try:
        result = asyncio.run(measure(house.url(house.new_database()), path))
    finally:
        house.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    size = path.stat().st_size
    return {
        "benchmark": "import_contacts",
        "rows": rows,
        "file_mb": round(size / 1e6, 1),
        **result,
        "peak_mb": round(peak / 1024),
        "peak_above_start_mb": round((peak - before) / 1024),
        "cores": os.cpu_count(),
    }


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS)))
