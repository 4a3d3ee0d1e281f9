"""(o) The schedule engine: occurrences a second, of schedules that people write.

The floor is what no engine can do without: one draw and one local time made a moment for each occurrence, by
the standard library, in the same run.

    python -m benchmarks.occurrences [--people 20000]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from benchmarks import machine
from clarion.domain.schedule.check import read
from clarion.domain.schedule.plan import Plan
from clarion.domain.schedule.subject import Subject

ZONES = ("Africa/Nairobi", "Asia/Kolkata", "America/New_York")
ENROLLED = datetime(2026, 2, 20, tzinfo=UTC)
KARMA = Path(__file__).parents[1] / "examples" / "karma.json"
WEEK = ["mon", "tue", "wed", "thu", "fri"]
FROM = {"from": "moment", "moment": "2026-03-01"}
SCHEDULES: dict[str, dict[str, Any]] = {
    "karma": json.loads(KARMA.read_text()),
    "daily": {"start": FROM, "steps": [{"number": 1, "time": "09:00"}], "repeat": {"every": 1, "count": 45}},
    "uniform": {
        "start": FROM, "steps": [{"number": 1}], "time": {"from": "09:00", "to": "21:00"},
        "repeat": {"every": 3, "count": 16},
    },
    "quiet hours and holidays": {
        "start": FROM, "steps": [{"number": 1}], "time": {"from": "06:00", "to": "23:00"},
        "repeat": {"every": 3, "count": 16}, "holidays": {"country": "KE"},
        "hours": {"allowed": [{"from": "08:00", "to": "20:00", "weekdays": WEEK}]},
    },
    "random days": {
        "start": FROM, "time": {"from": "09:00", "to": "21:00"}, "repeat": {"every": 12, "count": 4},
        "random_days": {"days": 12, "gap": 2, "tracks": [{"numbers": [1, 2, 3]}, {"numbers": [4]}]},
    },
    "random days, 1,100 iterations in": {
        "start": {"from": "moment", "moment": "1990-01-01"}, "time": {"from": "09:00", "to": "21:00"},
        "repeat": {"every": 12, "count": 1_104},
        "random_days": {"days": 12, "gap": 2, "tracks": [{"numbers": [1, 2, 3]}, {"numbers": [4]}]},
    },
    "rule": {
        "start": FROM, "steps": [{"number": 1, "time": "09:00"}],
        "repeat": {"rrule": "FREQ=MONTHLY;BYDAY=MO,TH;BYSETPOS=1,-1", "count": 16},
    },
}  # fmt: skip


def _ours(document: dict[str, Any], people: int) -> int:
    plan = Plan(read(document))
    return sum(
        1
        for n in range(people)
        for _ in plan.occurrences(
            Subject(f"{n}", ENROLLED, "bench", ZONES[n % 3], fields={"registration_date": "2026-03-01"})
        )
    )


def floor(people: int) -> int:
    zones = [ZoneInfo(name) for name in ZONES]
    for n in range(people):
        for nth in range(16):
            drawn = int.from_bytes(blake2b(f"{n}:{nth}".encode(), digest_size=8).digest(), "big") % 720
            local = datetime(2026, 3, 1, 9, tzinfo=zones[n % 3]) + timedelta(days=3 * nth, minutes=drawn)
            local.timestamp()
    return people * 16


def _rate(work: Callable[..., int], *arguments: object) -> float:
    began = time.process_time()
    return round(work(*arguments) / (time.process_time() - began))


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=20_000)
    people = parser.parse_args().people
    rates = {name: _rate(_ours, document, people) for name, document in SCHEDULES.items()}
    raw = _rate(floor, people)
    print(
        json.dumps(
            {
                "benchmark": "occurrences", "people": people, "rate_by_schedule": rates, "floor": raw,
                "ratio": {name: round(rate / raw, 2) for name, rate in rates.items()},
                "machine": machine.facts(),
            }
        )
    )  # fmt: skip


if __name__ == "__main__":
    main()
